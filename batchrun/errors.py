"""What the commands report to a person when they cannot go on, and how texts of others are made safe for a terminal."""

from __future__ import annotations


class ClientError(Exception):
    """A command cannot go on; the message says why and what to do.

    It may quote what others have written, or what was typed: as text it is safe for a terminal.
    """

    exit_code = 1

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


class UsageError(ClientError):
    """The command was called in a way that cannot work; the message says what to change."""

    exit_code = 2


class Unreachable(ClientError):  # noqa: N818 - what is so, not what went wrong
    """The app, or the stack, cannot be reached: it is not there, does not answer, or refuses."""

    exit_code = 3


def printable(text: str) -> str:
    r"""The text with every character escaped that a terminal would interpret instead of show, such as `\x1b`."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
