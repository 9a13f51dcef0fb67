"""What the app asks of Batch, and makes of its answers."""
