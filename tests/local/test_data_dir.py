"""A data directory: one stack at a time has it, and looking at it changes nothing."""

from __future__ import annotations

import fcntl
import json
import os
import threading

import pytest

from local.errors import LocalError
from local.stack.data_dir import DataDir, RunningStack
from local.stack.ports import Ports

PORTS = Ports(*range(20000, 20006))
STACK = RunningStack(endpoints={}, settings={"NAME": "value"}, pids={})


def test_a_stack_is_found_while_its_process_has_the_directory(tmp_path):
    """Its directory and its description are for its owner only."""
    data_dir = DataDir(tmp_path / "data")
    data_dir.lock()
    data_dir.describe(STACK)

    found = DataDir(tmp_path / "data").running_stack()
    data_dir.unlock()

    assert found == STACK
    assert DataDir(tmp_path / "data").running_stack() is None
    assert data_dir.path.stat().st_mode & 0o777 == 0o700


def test_a_private_stack_is_not_found_but_named(tmp_path):
    """It ends with the run that started it, so that another run must not rely on it."""
    private = DataDir(tmp_path)
    private.lock(private=True)

    with pytest.raises(LocalError, match="Another `python -m local run` is using"):
        DataDir(tmp_path).running_stack()
    with pytest.raises(LocalError, match="Another `python -m local run` is using"):
        DataDir(tmp_path).lock()


def test_a_stack_that_is_up_keeps_others_out(tmp_path):
    """The message says what to do."""
    data_dir = DataDir(tmp_path)
    data_dir.lock()
    data_dir.describe(STACK)

    with pytest.raises(LocalError, match=r"already using .* Stop it first, or choose another directory"):
        DataDir(tmp_path).lock()


def test_looking_leaves_nothing_behind(tmp_path):
    """Not even in a directory that is there and empty."""
    assert DataDir(tmp_path).running_stack() is None
    assert list(tmp_path.iterdir()) == []


def test_a_stack_can_start_while_somebody_looks(tmp_path):
    """Who looks has the lock for a moment; the start waits for that."""
    data_dir = DataDir(tmp_path)
    data_dir.lock()
    data_dir.unlock()
    looking = os.open(tmp_path / "lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.1, os.close, [looking]).start()

    data_dir.lock()

    with pytest.raises(LocalError, match="starting or stopping"):
        DataDir(tmp_path).running_stack()


@pytest.mark.parametrize("path", ["file", "file/below", "n" * 300])
def test_a_path_that_is_no_directory_is_one_clear_line(tmp_path, path):
    """For those who look as for those who start."""
    (tmp_path / "file").touch()

    for use in (DataDir(tmp_path / path).running_stack, DataDir(tmp_path / path).lock):
        with pytest.raises(LocalError, match=r"cannot be a data directory: .*\. Choose another one with --data-dir\.$"):
            use()


def test_ports_are_remembered(tmp_path):
    """For the next stack of the directory."""
    DataDir(tmp_path).remember_ports(PORTS)

    assert DataDir(tmp_path).last_ports() == PORTS


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({**vars(PORTS), "blob": "a"}), "\xff" * 9])
def test_ports_that_cannot_be_read_are_none(tmp_path, text):
    """A damaged file must not keep a stack from starting."""
    (tmp_path / "ports.json").write_text(text, encoding="latin-1")

    assert DataDir(tmp_path).last_ports() is None
