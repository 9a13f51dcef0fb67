"""What tasks leave outside their directories: processes, containers, their cgroups, and links, noted while they run.

A service that is killed cannot remove them; its notes tell the next one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from local.batch.node.cgroups import remove_cgroup
from local.batch.node.container_engine import removal
from local.batch.node.strays import kill_strays
from local.batch.node.temporary_links import remove_links_into

_PROC = Path("/proc")
_START_TIME_FIELD = 19  # of the fields after the command's closing parenthesis in /proc/<pid>/stat
REMOVAL_SECONDS = 60

log = logging.getLogger(__name__)


class Leftovers:
    """Two directories of notes.

    One has a small file for each running process group: its id, when its leader started, its task. The other has one
    for each container: its name, which its cgroup has too, and the engine that runs it.
    """

    def __init__(self, root: Path) -> None:
        self._groups = root / ".process-groups"
        self._containers = root / ".containers"
        for directory in (self._groups, self._containers):
            directory.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def noted(self, group_id: int, task_directory: Path) -> Iterator[None]:
        """Keep a note of a group while it runs; then remove the links that its task left."""
        note = self._groups / str(group_id)
        note.write_text(f"{_identity(group_id)}\n{task_directory}")
        try:
            yield
        finally:
            remove_links_into(task_directory)
            note.unlink(missing_ok=True)

    def note_container(self, engine: str, name: str) -> None:
        """Note a container that an engine is about to create."""
        (self._containers / name).write_text(engine)

    def forget_container(self, name: str) -> None:
        """Forget a container that is no more."""
        (self._containers / name).unlink(missing_ok=True)

    def remove_all(self) -> None:
        """End and remove everything that is noted still, and forget it."""
        for note in self._groups.iterdir():
            self._remove_group(note)
        for note in self._containers.iterdir():
            self._remove_container(note)

    def _remove_group(self, note: Path) -> None:
        """End a group and what has left it, and remove the links that its task left.

        A group whose leader's id now belongs to another process is left alone: no id is reused while a group has it.
        """
        group_id = int(note.name)
        identity, _, task_directory = note.read_text().partition("\n")
        if _identity(group_id) in ("", identity):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group_id, signal.SIGKILL)
        if task_directory:  # else the service was killed before it had written the note
            kill_strays(Path(task_directory))
            remove_links_into(Path(task_directory))
        note.unlink()

    def _remove_container(self, note: Path) -> None:
        """Remove a container and its cgroup; its note stays if that fails, for the next service to try again."""
        engine = note.read_text()
        try:
            for arguments in removal(note.name):
                subprocess.run([engine, *arguments], capture_output=True, timeout=REMOVAL_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            log.warning("The container %s of an ended service cannot be removed: %s", note.name, error)
            return
        if remove_cgroup(note.name):
            note.unlink()


def _identity(process_id: int) -> str:
    """Return what tells a process from a later one with the same id; empty if there is no such process."""
    try:
        stat = (_PROC / str(process_id) / "stat").read_text()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return f"{boot} {stat.rpartition(')')[2].split()[_START_TIME_FIELD]}"
