"""Tests of decisions, without any service."""
