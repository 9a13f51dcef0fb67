"""Lets storage copy the files of an ended round from staging to the results, as far as there is time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.parallel import in_parallel
from shared.results import CopyState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.app import App
    from shared.outputs import Collected
    from shared.run import Run

PENDING_PAUSE_SECONDS = 0.5
MANY = 100
_COPIED = "success"


@dataclass(frozen=True)
class Copying:
    """What all copies of a run have in common; `copied` are the destinations that an earlier event has copied."""

    app: App
    run: Run
    staging: str
    deadline: float
    copied: frozenset[str] = frozenset()

    @classmethod
    def begin(cls, app: App, run: Run, staging: str, deadline: float, count: int) -> Copying:
        """Copying up to so many files. Only if they are many it is worth asking which of them are there."""
        states = app.results.copied(run) if count > MANY else {}
        done = frozenset(destination for destination, state in states.items() if state == _COPIED)
        return cls(app, run, staging, deadline, done)

    def copy(self, files: Sequence[Collected]) -> set[str] | None:
        """Copy files: the destinations that storage refused; None if the time did not suffice."""
        wanted = [file for file in files if file.destination not in self.copied]
        states = dict(zip(wanted, in_parallel(self._copy_in_time, wanted), strict=True))
        if None in states.values():
            return None
        pending = [file for file, state in states.items() if state is CopyState.PENDING]
        if pending and not self._await(pending):
            return None
        return {file.destination for file, state in states.items() if state is CopyState.REFUSED}

    def _copy_in_time(self, file: Collected) -> CopyState | None:
        return self._copy(file) if time.monotonic() <= self.deadline else None

    def _copy(self, file: Collected, *, again: bool = False) -> CopyState:
        source = self.app.staging.url(self.staging, file.source.name)
        return self.app.results.copy(source, self.run, file.destination, again=again)

    def _await(self, pending: Sequence[Collected]) -> bool:
        """Wait for copies that storage makes in the background; False if they take longer than there is time."""
        while time.monotonic() < self.deadline:
            states = self.app.results.copied(self.run)
            left = [file for file in pending if states.get(file.destination) != _COPIED]
            if not left:
                return True
            for file in left:
                if states.get(file.destination) in ("failed", "aborted"):
                    self._copy(file, again=True)
            time.sleep(PENDING_PAUSE_SECONDS)
        return False
