"""What processes of this machine have used, as Linux counts it; elsewhere it is not known.

Both sources include the descendants that a process has waited for: getrusage(2), and `/proc/<pid>/io`, whose operations
are calls of `read` and `write`, and whose bytes are those that storage was asked for: proc_pid_io(5).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from resource import struct_rusage

from local.batch.models.usage import Usage

_PROC = Path("/proc")
_STATE, _GROUP = 0, 2  # among the fields after the command's closing parenthesis in /proc/<pid>/stat: proc_pid_stat(5)
_DEAD = ("Z", "X")
_USER_TIMES = (11, 13)  # its own, and that of the children that it has waited for
_KERNEL_TIMES = (12, 14)


def counters_of(process_id: int) -> Mapping[str, int] | None:
    """Return what a process has read and written; it may have ended, as long as nobody has waited for it."""
    with contextlib.suppress(OSError):
        return _counters(process_id)
    return None


def usage_of_ended(counters: Mapping[str, int] | None, used: struct_rusage) -> Usage | None:
    """Return what a process has used that has ended; None if what it read and wrote is not known."""
    if counters is None:
        return None
    return _usage(timedelta(seconds=used.ru_utime), timedelta(seconds=used.ru_stime), counters)


def usage_of_followers(group_id: int) -> Usage | None:
    """Return what the processes of a group have used so far, without its leader; None if that is not known."""
    total = Usage()
    try:
        for process_id, fields in _members(group_id):
            if process_id != group_id:
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                    total += _usage_of(process_id, fields)
    except OSError:
        return None
    return total


def is_alive(group_id: int) -> bool:
    """Whether a process of a group is not dead yet; a dead one is there until somebody has waited for it."""
    with contextlib.suppress(OSError):
        os.killpg(group_id, 0)
        return any(fields[_STATE] not in _DEAD for _, fields in _members(group_id))
    return False


def _members(group_id: int) -> Iterator[tuple[int, list[str]]]:
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[_GROUP]) == group_id:
                    yield int(entry.name), fields


def _usage_of(process_id: int, fields: Sequence[str]) -> Usage:
    ticks = os.sysconf("SC_CLK_TCK")
    user, kernel = (
        timedelta(seconds=sum(int(fields[index]) for index in times) / ticks) for times in (_USER_TIMES, _KERNEL_TIMES)
    )
    return _usage(user, kernel, _counters(process_id))


def _counters(process_id: int) -> Mapping[str, int]:
    lines = (_PROC / str(process_id) / "io").read_text().splitlines()
    return {name: int(value) for name, _, value in (line.partition(":") for line in lines)}


def _usage(user: timedelta, kernel: timedelta, counters: Mapping[str, int]) -> Usage:
    return Usage(
        user_cpu_time=user,
        kernel_cpu_time=kernel,
        read_operations=counters["syscr"],
        write_operations=counters["syscw"],
        read_bytes=counters["read_bytes"],
        written_bytes=counters["write_bytes"],
    )
