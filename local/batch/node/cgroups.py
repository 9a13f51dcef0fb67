"""Cgroups of our own, each around the container of one task: what ended in it stays counted until it is removed.

An engine removes the cgroup of a container with it. Version 1 counts no writes that go through the page cache, so that
there only CPU times are known. https://docs.kernel.org/admin-guide/cgroup-v2.html (`cpu.stat`, `io.stat`),
https://docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path

from local.batch.models.usage import Usage

ROOT = Path("/sys/fs/cgroup")
_V1 = "cpuacct"


def make_cgroup(name: str, root: Path = ROOT) -> bool:
    """Make a cgroup in which CPU time is counted; false if that cannot be. The engine makes it in other hierarchies."""
    with contextlib.suppress(OSError):
        _counting(name, root).mkdir()
        return True
    return False


def usage_in(name: str, root: Path = ROOT) -> Usage | None:
    """Return what all processes in a cgroup have used, ended or not; None if there were none, or it is not known."""
    cgroup = _counting(name, root)
    try:
        if (root / _V1).is_dir():
            return usage_of_v1((cgroup / "cpuacct.usage").read_text(), (cgroup / "cpuacct.stat").read_text())
        io = cgroup / "io.stat"  # only with the controller `io`
        return usage_of_v2((cgroup / "cpu.stat").read_text(), io.read_text() if io.exists() else None)
    except OSError:
        return None


def remove_cgroup(name: str, root: Path = ROOT) -> bool:
    """Remove a cgroup from all hierarchies, with those in it; false if processes are left in one."""
    for cgroup in _everywhere(name, root):
        for directory, _, _ in os.walk(cgroup, topdown=False):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()
    return not _everywhere(name, root)


def usage_of_v1(nanoseconds: str, cpuacct_stat: str) -> Usage | None:
    """Return what is known from the two files of version 1; None if no process was ever in the cgroup."""
    if not int(nanoseconds):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    times = {name: timedelta(seconds=int(value) / ticks) for name, value in map(str.split, cpuacct_stat.splitlines())}
    return _usage(times["user"], times["system"], None)


def usage_of_v2(cpu_stat: str, io_stat: str | None) -> Usage | None:
    """Return what is known from the files of version 2; None if no process was ever in the cgroup."""
    times = {name: timedelta(microseconds=int(value)) for name, value in map(str.split, cpu_stat.splitlines())}
    if not times["usage_usec"]:
        return None
    return _usage(times["user_usec"], times["system_usec"], None if io_stat is None else _sums(io_stat))


def _sums(io_stat: str) -> Counter[str]:
    """Add up all devices; a device without counters may share its line with the next one."""
    sums: Counter[str] = Counter()
    for name, is_counter, value in (word.partition("=") for word in io_stat.split()):
        if is_counter and value.isdecimal():
            sums[name] += int(value)
    return sums


def _usage(user: timedelta, kernel: timedelta, io: Counter[str] | None) -> Usage:
    return Usage(
        user_cpu_time=user,
        kernel_cpu_time=kernel,
        read_operations=io["rios"] if io is not None else None,
        write_operations=io["wios"] if io is not None else None,
        read_bytes=io["rbytes"] if io is not None else None,
        written_bytes=io["wbytes"] if io is not None else None,
    )


def _counting(name: str, root: Path) -> Path:
    """Return the directory of a cgroup in the hierarchy that counts CPU time: version 2 has only one."""
    return (root / _V1 if (root / _V1).is_dir() else root) / name


def _everywhere(name: str, root: Path) -> list[Path]:
    return [path for path in (root / name, *root.glob(f"*/{name}")) if path.is_dir()]
