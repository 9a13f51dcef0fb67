"""Manifests and flows, as they are read and refused."""
