"""The error of the local stack and its services."""

from __future__ import annotations


class LocalError(Exception):
    """The stack or a service cannot go on; the message says why and what to do. Exit code 1."""
