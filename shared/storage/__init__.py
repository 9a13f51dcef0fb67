"""The five containers."""
