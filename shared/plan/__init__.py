"""Manifest and run → the tasks of the next round. Reads nothing, writes nothing."""
