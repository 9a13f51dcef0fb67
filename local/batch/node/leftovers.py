"""What tasks leave outside their directories: processes and links, noted while they run.

A service that is killed cannot remove them; its notes tell the next one.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from local.batch.node.temporary_links import remove_links_into

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC = Path("/proc")
_START_TIME_FIELD = 19  # of the fields after the command's closing parenthesis in /proc/<pid>/stat


class Leftovers:
    """A directory with one small file for each running process group: its id, when its leader started, its task."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory

    @contextlib.contextmanager
    def noted(self, group_id: int, task_directory: Path) -> Iterator[None]:
        """Keep a note of a group while it runs; then remove the links that its task left."""
        note = self._directory / str(group_id)
        note.write_text(f"{_identity(group_id)}\n{task_directory}")
        try:
            yield
        finally:
            remove_links_into(task_directory)
            note.unlink(missing_ok=True)

    def remove_all(self) -> None:
        """End the groups that are noted still, remove the links that their tasks left, and forget them.

        A group whose leader's id now belongs to another process is left alone: no id is reused while a group has it.
        """
        for note in self._directory.iterdir():
            group_id = int(note.name)
            identity, _, task_directory = note.read_text().partition("\n")
            if _identity(group_id) in ("", identity):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group_id, signal.SIGKILL)
            if task_directory:  # else the service was killed before it had written the note
                remove_links_into(Path(task_directory))
            note.unlink()


def _identity(process_id: int) -> str:
    """Return what tells a process from a later one with the same id; empty if there is no such process."""
    try:
        stat = (_PROC / str(process_id) / "stat").read_text()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return f"{boot} {stat.rpartition(')')[2].split()[_START_TIME_FIELD]}"
