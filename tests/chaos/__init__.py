"""Runs survive when anything fails, at any time."""
