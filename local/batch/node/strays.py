"""Processes of a task that have left its process group, as `setsid` lets them, and would outlive it.

On a node a container ends with all of them. Here they are known by a variable of their environment, which only the
task's processes have got, and by their ancestors; on Linux only. One that has another environment and whose ancestors
have all ended is not found.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_PARENT = 1  # among the fields after the command's closing parenthesis in /proc/<pid>/stat: proc_pid_stat(5)
MARK = "AZ_BATCH_TASK_DIR"


def kill_strays(task_directory: Path) -> bool:
    """Kill the processes of a task that are left; whether there were any."""
    strays = list(_strays(f"{MARK}={task_directory}".encode()))
    for process_id in strays:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process_id, signal.SIGKILL)
    return bool(strays)


def _strays(mark: bytes) -> Iterator[int]:
    marked = {process_id for process_id in _processes() if _has(process_id, mark)}
    parents = _parents() if marked else {}  # looked up for few tasks: this is done at each one's end
    for process_id in parents:
        ancestor = process_id
        while ancestor not in marked and ancestor in parents:
            ancestor = parents[ancestor]
        if ancestor in marked:
            yield process_id


def _parents() -> dict[int, int]:
    parents = {}
    for process_id in _processes():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = Path(f"/proc/{process_id}/stat").read_text(errors="replace").rpartition(")")[2].split()
            parents[process_id] = int(fields[_PARENT])
    return parents


def _processes() -> list[int]:
    return [int(process.name) for process in _PROC.iterdir() if process.name.isdecimal()] if _PROC.is_dir() else []


def _has(process_id: int, mark: bytes) -> bool:
    """Whether a process was started with a variable; one that is dead has none."""
    try:
        return mark in Path(f"/proc/{process_id}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended meanwhile, or is somebody else's
        return False
