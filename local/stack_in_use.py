"""What a command needs to know of the stack that it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StackInUse:
    """The stack that manifests are dropped into: its app settings, and whether it ends with this process.

    `check` raises an error when the stack fails. `command` gives a command line for it, of a command and arguments.
    """

    settings: Mapping[str, str]
    is_own: bool
    check: Callable[[], None]
    command: Callable[..., str]
