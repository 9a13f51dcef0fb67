"""What is read from the files of cgroups, as Linux writes them, and which cgroups there are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from local.batch.models.usage import Usage
from local.batch.node.cgroups import make_cgroup, remove_cgroup, usage_in, usage_of_v1, usage_of_v2
from local.batch.node.container_engine import ContainerEngine, find_engine

NAME = "batch-1"
CPUACCT_STAT = "user 32\nsystem 1\n"
CPU_STAT = "usage_usec 345113\nuser_usec 334042\nsystem_usec 11071\n"
CPU_STAT_OF_CONTROLLER = CPU_STAT + "nice_usec 0\nnr_periods 5\nnr_throttled 1\nthrottled_usec 41\n"
IO_STAT = "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n"
IO_STAT_OF_TWO = IO_STAT + "8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021\n"
IO_STAT_JOINED = "253:10 253:5 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:0 \n"
"""As kernels write it that leave out the end of the line of a device without counters."""
UNKNOWN_IO = {"read_operations": None, "write_operations": None, "read_bytes": None, "written_bytes": None}


def times(user: timedelta, kernel: timedelta) -> dict[str, timedelta]:
    return {"user_cpu_time": user, "kernel_cpu_time": kernel}


def io(read_operations: int, write_operations: int, read_bytes: int, written_bytes: int) -> dict[str, int]:
    return {
        "read_operations": read_operations,
        "write_operations": write_operations,
        "read_bytes": read_bytes,
        "written_bytes": written_bytes,
    }


class TestVersion1:
    """CPU times in ticks; reads and writes are not known, which is not zero."""

    def test_times(self):
        """A hundredth of a second is a tick on each architecture that Linux runs on today."""
        used = usage_of_v1("345113795\n", CPUACCT_STAT)
        assert used == Usage(**times(timedelta(seconds=0.32), timedelta(seconds=0.01)), **UNKNOWN_IO)

    def test_less_than_a_tick_is_known(self):
        """As long as there was a process."""
        assert usage_of_v1("90000\n", "user 0\nsystem 0\n") == Usage(**UNKNOWN_IO)

    def test_a_cgroup_without_any_process_tells_nothing(self):
        """The container was put elsewhere."""
        assert usage_of_v1("0\n", "user 0\nsystem 0\n") is None


class TestVersion2:
    """CPU times in microseconds; reads and writes with the controller `io` only."""

    TIMES = times(timedelta(microseconds=334042), timedelta(microseconds=11071))

    @pytest.mark.parametrize("cpu_stat", [CPU_STAT, CPU_STAT_OF_CONTROLLER])
    def test_times(self, cpu_stat):
        """They are there without a controller too."""
        assert usage_of_v2(cpu_stat, None) == Usage(**self.TIMES, **UNKNOWN_IO)

    @pytest.mark.parametrize(
        ("io_stat", "expected"),
        [
            (IO_STAT, io(192, 353, 1459200, 314773504)),
            (IO_STAT_OF_TWO, io(9142, 1605, 91889664, 613781504)),
            (IO_STAT_JOINED, io(1, 2, 4096, 8192)),
            ("8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0 cost.usage=71\n", io(1, 0, 4096, 0)),
            ("", io(0, 0, 0, 0)),
        ],
    )
    def test_reads_and_writes(self, io_stat, expected):
        """Of all devices; none is zero, for it is counted."""
        assert usage_of_v2(CPU_STAT, io_stat) == Usage(**self.TIMES, **expected)

    def test_a_cgroup_without_any_process_tells_nothing(self):
        """The container was put elsewhere."""
        assert usage_of_v2("usage_usec 0\nuser_usec 0\nsystem_usec 0\n", "") is None


class TestSum:
    """Of the runs of a task."""

    def test_what_is_not_known_of_one_is_not_known_of_all(self):
        """In either order; the rest is added up."""
        counted = Usage(**times(timedelta(seconds=1), timedelta(seconds=2)), **io(1, 2, 3, 4))
        partly = Usage(**times(timedelta(seconds=3), timedelta(seconds=4)), **UNKNOWN_IO)
        both = Usage(**times(timedelta(seconds=4), timedelta(seconds=6)), **UNKNOWN_IO)
        assert counted + partly == partly + counted == both
        assert counted + counted == Usage(**times(timedelta(seconds=2), timedelta(seconds=4)), **io(2, 4, 6, 8))


class TestHierarchies:
    """Where cgroups are: in one hierarchy with version 2, in one for each controller with version 1."""

    def test_version_1(self, tmp_path):
        """Ours is made where CPU time is counted, the engine makes the rest, and all go."""
        for controller in ("cpuacct", "memory", "unified"):
            (tmp_path / controller).mkdir()
        assert make_cgroup(NAME, tmp_path)
        assert [path.parent.name for path in tmp_path.glob(f"*/{NAME}")] == ["cpuacct"]
        (tmp_path / "cpuacct" / NAME / "cpuacct.usage").write_text("345113795\n")
        (tmp_path / "cpuacct" / NAME / "cpuacct.stat").write_text(CPUACCT_STAT)
        assert usage_in(NAME, tmp_path) == usage_of_v1("345113795\n", CPUACCT_STAT)
        for file in (tmp_path / "cpuacct" / NAME).iterdir():  # those of a cgroup are no obstacle
            file.unlink()
        (tmp_path / "memory" / NAME / "libpod-2").mkdir(parents=True)
        (tmp_path / "memory" / "batch-2").mkdir()
        assert remove_cgroup(NAME, tmp_path)
        assert [path.name for path in tmp_path.glob("*/batch-*")] == ["batch-2"]

    @pytest.mark.parametrize("io_stat", [None, IO_STAT])
    def test_version_2(self, tmp_path, io_stat):
        """The controller `io` may be there, or not."""
        assert make_cgroup(NAME, tmp_path)
        (tmp_path / NAME / "cpu.stat").write_text(CPU_STAT)
        if io_stat:
            (tmp_path / NAME / "io.stat").write_text(io_stat)
        assert usage_in(NAME, tmp_path) == usage_of_v2(CPU_STAT, io_stat)

    def test_what_cannot_be_made_is_no_error(self, tmp_path):
        """Nor is what is not there: nothing is known of it, and it need not be removed."""
        nowhere = tmp_path / "none"
        assert not make_cgroup(NAME, nowhere)
        assert usage_in(NAME, nowhere) is None
        assert remove_cgroup(NAME, nowhere)

    def test_what_cannot_be_removed_is_told(self, tmp_path):
        """Something is in it still."""
        (tmp_path / NAME).mkdir()
        (tmp_path / NAME / "in-use").touch()
        assert not remove_cgroup(NAME, tmp_path)


class TestEngines:
    """Which engines put containers into cgroups that others have made."""

    @pytest.fixture
    def engine_that_says(self, tmp_path, monkeypatch):
        """Find an engine whose `info` with a format prints this."""

        def find(program: str, said: str) -> ContainerEngine:
            file = tmp_path / program
            file.write_text(f"#!/bin/sh\n[ $# = 1 ] || {said}\n")
            file.chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
            monkeypatch.setattr("local.batch.node.container_engine.ENGINES", (program,))
            return find_engine()

        return find

    @pytest.mark.parametrize("program", ["docker", "podman"])
    @pytest.mark.parametrize(
        ("said", "takes"),
        [
            ("echo cgroupfs $(hostname)", True),
            ("echo systemd $(hostname)", False),
            ("echo cgroupfs docker-desktop", False),
            ("echo none $(hostname)", False),
            ("exit 125", False),
        ],
    )
    def test_those_that_manage_them_as_directories_of_this_machine(self, engine_that_says, program, said, takes):
        """Not systemd's, nor those of a virtual machine."""
        assert engine_that_says(program, said) == ContainerEngine(program, takes_cgroups=takes)

    def test_podman_s_own_processes_are_left_out(self):
        """Docker's are elsewhere anyway."""
        assert ContainerEngine("docker").within(NAME) == ("--cgroup-parent=/batch-1",)
        assert ContainerEngine("podman").within(NAME) == ("--cgroup-parent=/batch-1", "--cgroups=no-conmon")
