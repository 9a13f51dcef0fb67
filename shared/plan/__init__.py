"""Manifest and run → the tasks of the next round. This package reads and writes nothing."""
