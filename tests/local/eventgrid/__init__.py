"""Tests of the local Event Grid."""
