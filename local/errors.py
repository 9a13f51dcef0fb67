"""What the local stack's commands say to a person when they cannot go on."""

from __future__ import annotations


class LocalError(Exception):
    """The stack or a command cannot go on; the message says why and what to do. Exit code 1."""


class UsageError(LocalError):
    """The command was called in a way that cannot work; the message says what to change. Exit code 2."""
