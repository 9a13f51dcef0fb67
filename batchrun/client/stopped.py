"""A stack that is not running, whose storage is started to be read.

What is executed is the checkout that this program runs from, and nothing that a data directory names: whoever can put
a file somewhere must not be able to have it run by those who list runs there. An installed wheel has no local stack.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import batchrun
from batchrun.client.apps import STACK_FILE
from batchrun.errors import ClientError

_CHECKOUT = Path(batchrun.__file__).parents[1]
_STORAGE, _LOCK = "azurite", "lock"


def is_stopped(data_dir: Path) -> bool:
    """Whether a stack has been up in a directory and is not: nobody holds its lock, if it was killed."""
    if not (data_dir / _STORAGE).is_dir():
        return False
    if not (data_dir / STACK_FILE).exists():
        return True
    import fcntl  # noqa: PLC0415 - not on Windows, where there are no stacks

    try:
        with (data_dir / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def can_be_started() -> bool:
    """Whether this program runs from a checkout, which has the local stack."""
    return (_CHECKOUT / "local" / "__main__.py").is_file()


@contextlib.contextmanager
def storage_of(data_dir: Path) -> Iterator[Mapping[str, str]]:
    """Run the storage of a stopped stack; the app settings that name it. Raises ClientError if it cannot be started.

    It has a process group of its own, so that Ctrl-C reaches only this program, which ends it.
    """
    command = [sys.executable, "-m", "local", "storage", "--data-dir", str(data_dir.resolve())]
    with subprocess.Popen(  # noqa: S603 - this program, and a directory
        command,
        cwd=_CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as storage:
        assert storage.stdin and storage.stdout and storage.stderr  # noqa: S101, PT018 - pipes
        try:
            line = storage.stdout.readline()
            if not line:
                raise ClientError(storage.stderr.read().strip())
            yield json.loads(line)
        finally:
            storage.stdin.close()  # which ends it
            storage.wait()  # after Ctrl-C, `with` does so for a moment only
