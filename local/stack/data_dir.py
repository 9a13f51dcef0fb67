"""The data directory of a stack: its lock, its files, and the description of the running stack (`stack.json`)."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from batchrun.client.apps import no_stack
from local.errors import LocalError
from local.stack.ports import Ports

LOOKING_SECONDS = 1.0
"""How long a stack that starts waits for the lock: a command that checks whether a stack is up holds it briefly."""
LOCK_POLL_SECONDS = 0.02
PRIVATE = b"private"
"""The content of the lock file while the stack belongs to one command, which no other command may use."""


@dataclass(frozen=True)
class RunningStack:
    """The content of `stack.json`: how to reach a stack that is up. `batchrun/client/apps.py` documents its fields."""

    endpoints: dict[str, str]
    settings: dict[str, str]
    pids: dict[str, int]


class DataDir:
    """A data directory. One stack at a time uses it: the lock is released when the process that holds it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: int | None = None

    @property
    def description(self) -> Path:
        """The file that describes the running stack."""
        return self.path / "stack.json"

    def folder(self, name: str) -> Path:
        """A folder in it, created if needed."""
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def lock(self, *, private: bool = False) -> None:
        """Lock the directory for a stack, which other commands may use unless it is `private`.

        Raises LocalError if another stack has the lock, or the directory cannot be created.
        """
        lock = self._make_lock()
        deadline = time.monotonic() + LOOKING_SECONDS
        while not _taken(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                os.close(lock)
                raise self._in_use()
            time.sleep(LOCK_POLL_SECONDS)
        self._lock = lock
        os.ftruncate(lock, 0)
        os.write(lock, PRIVATE if private else b"")
        self.description.unlink(missing_ok=True)  # of a stack that was killed

    def unlock(self) -> None:
        """Release the directory, and remove the description of the stack."""
        self.description.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def last_ports(self) -> Ports | None:
        """The ports of the last stack in the directory; None if they are not known."""
        try:
            return Ports(**json.loads((self.path / "ports.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def remember_ports(self, ports: Ports) -> None:
        """Store the ports for the next stack in this directory."""
        _write_whole(self.path / "ports.json", json.dumps(asdict(ports)) + "\n")

    def describe(self, stack: RunningStack) -> None:
        """Write `stack.json`."""
        _write_whole(self.description, json.dumps(asdict(stack), indent=2) + "\n")

    def running_stack(self) -> RunningStack | None:
        """The stack that is up in this directory; None if there is none. Creates no file.

        Raises LocalError if the stack is starting, stopping or private, or the path cannot be a data directory.
        """
        if not self._is_locked():
            return None
        try:
            return RunningStack(**json.loads(self.description.read_text()))
        except FileNotFoundError:
            raise self._in_use() from None

    def _in_use(self) -> LocalError:
        other = "choose another directory with --data-dir."
        if self._lock_file.read_bytes() == PRIVATE:
            return LocalError(f"Another `python -m local run` is using {self.path}. Wait until it ends, or {other}")
        if self.description.exists():
            return LocalError(f"A stack is already using {self.path}. Stop it first, or {other}")
        return LocalError(f"A stack in {self.path} is starting or stopping. Try again in a moment, or {other}")

    @property
    def _lock_file(self) -> Path:
        return self.path / "lock"

    def _make_lock(self) -> int:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error

    def _is_locked(self) -> bool:
        try:
            lock = os.open(self._lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unusable(error) from error
        try:
            return not _taken(lock, fcntl.LOCK_SH)
        finally:
            os.close(lock)

    def _unusable(self, error: OSError) -> LocalError:
        return LocalError(
            f"{self.path} cannot be a data directory: {error.strerror}. Choose another one with --data-dir."
        )


def running_stack(data_dir: Path) -> RunningStack:
    """The stack that is up in a directory. Raises ClientError, which says how to start one, if there is none."""
    stack = DataDir(data_dir).running_stack()
    if stack is None:
        raise no_stack(data_dir)
    return stack


def _taken(lock: int, kind: int) -> bool:
    """Take a lock unless another process has it; whether it was taken."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_whole(file: Path, text: str) -> None:
    """Write a file that only its owner can read; readers see the old content or the new one, never a part."""
    draft = file.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(file)
