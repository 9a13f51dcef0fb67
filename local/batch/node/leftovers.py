"""Processes that a service left behind when it was killed: noted while they run, ended at the next start."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC = Path("/proc")
_START_TIME_FIELD = 19  # of the fields after the command's closing parenthesis in /proc/<pid>/stat


class Leftovers:
    """A directory with one small file for each running process group: its id and when its leader started."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory

    @contextlib.contextmanager
    def noted(self, group_id: int) -> Iterator[None]:
        """Keep a note of a group while it runs."""
        note = self._directory / str(group_id)
        note.write_text(_identity(group_id))
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    def kill_all(self) -> None:
        """End the groups that are noted still, and forget them.

        A group whose leader's id now belongs to another process is left alone: no id is reused while a group has it.
        """
        for note in self._directory.iterdir():
            group_id = int(note.name)
            if _identity(group_id) in ("", note.read_text()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group_id, signal.SIGKILL)
            note.unlink()


def _identity(process_id: int) -> str:
    """Return what tells a process from a later one with the same id; empty if there is no such process."""
    try:
        stat = (_PROC / str(process_id) / "stat").read_text()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return f"{boot} {stat.rpartition(')')[2].split()[_START_TIME_FIELD]}"
