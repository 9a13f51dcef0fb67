"""Kestra's expressions."""
