"""Generates docs/manifest.md and the JSON Schemas in docs/ from the models, which describe every property."""
