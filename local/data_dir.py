"""The data directory of a stack: what it holds, who uses it, and the description of the running stack in it."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.ports import Ports

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class RunningStack:
    """What `stack.json` says: how to reach a stack that is up."""

    endpoints: dict[str, str]
    settings: dict[str, str]
    pids: dict[str, int]


class DataDir:
    """A data directory. One stack at a time uses it: its lock ends with the process that holds it."""

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

    def lock(self) -> None:
        """Take the directory. Raises LocalError if another stack has it."""
        lock = self._open_lock()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise LocalError(
                f"A stack is already using {self.path}. Stop it first, or choose another directory with --data-dir."
            ) from None
        self._lock = lock
        self.description.unlink(missing_ok=True)  # left by a stack that was killed

    def unlock(self) -> None:
        """Give the directory back."""
        self.description.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def last_ports(self) -> Ports | None:
        """The ports of the stack that used the directory before, if there was one."""
        try:
            return Ports(**json.loads((self.path / "ports.json").read_text()))
        except FileNotFoundError:
            return None

    def remember_ports(self, ports: Ports) -> None:
        """Keep the ports for the next stack in this directory."""
        (self.path / "ports.json").write_text(json.dumps(asdict(ports)) + "\n")

    def describe(self, stack: RunningStack) -> None:
        """Write `stack.json`, readable by its owner only: whole, or not at all."""
        draft = self.description.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(stack), indent=2) + "\n")
        draft.replace(self.description)

    def running_stack(self) -> RunningStack | None:
        """The stack that is up in this directory, if there is one.

        Raises LocalError if there is one that is not up yet.
        """
        if not self._is_locked():
            return None
        try:
            return RunningStack(**json.loads(self.description.read_text()))
        except FileNotFoundError:
            raise LocalError(f"The stack in {self.path} is starting or stopping. Try again in a moment.") from None

    def _is_locked(self) -> bool:
        if not self.path.is_dir():
            return False
        lock = self._open_lock()
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _open_lock(self) -> int:
        self.path.mkdir(parents=True, exist_ok=True)
        return os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
