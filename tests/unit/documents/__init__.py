"""The documents that the app writes, and their names."""
