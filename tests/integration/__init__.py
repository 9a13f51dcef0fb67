"""The stories of the app, on real storage and a real Batch service."""
