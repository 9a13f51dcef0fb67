"""Copies files into the folder of a run in the results: those of its tasks, and those of an earlier run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from shared.documents.run import Run
from shared.parallel import in_parallel
from shared.storage.copies import CopySource, CopyState
from shared.storage.results import COPIED, Results

PENDING_PAUSE_SECONDS = 0.5
MANY_FILES = 100


@dataclass(frozen=True)
class FileCopy:
    """A blob that is to be copied, and its name below the folder of the run."""

    source: CopySource
    destination: str


@dataclass(frozen=True)
class Copier:
    """Copies files into the folder of a run until the monotonic time `deadline`.

    `copied` are the destinations that an earlier invocation has copied.
    """

    results: Results
    run: Run
    deadline: float
    copied: frozenset[str] = frozenset()

    @classmethod
    def of(cls, results: Results, run: Run, deadline: float, file_count: int) -> Copier:
        """A copier for about so many files. What is there already is listed only where this saves many copies."""
        states = results.copied(run) if file_count > MANY_FILES else {}
        copied = frozenset(destination for destination, state in states.items() if state == COPIED)
        return cls(results, run, deadline, copied)

    def copy(self, files: Sequence[FileCopy]) -> set[str] | None:
        """Copy files; the destinations that storage refused, or None if the time did not suffice."""
        wanted = [file for file in files if file.destination not in self.copied]
        states = dict(zip(wanted, in_parallel(self._copy_in_time, wanted), strict=True))
        if CopyState.UNFINISHED in states.values():
            return None
        pending = [file for file, state in states.items() if state is CopyState.PENDING]
        if pending and not self._await(pending):
            return None
        return {file.destination for file, state in states.items() if state is None}

    def _copy_in_time(self, file: FileCopy) -> CopyState | None:
        return self._copy(file) if time.monotonic() <= self.deadline else CopyState.UNFINISHED

    def _copy(self, file: FileCopy, *, again: bool = False) -> CopyState | None:
        return self.results.copy(file.source, self.run, file.destination, self.deadline, again=again)

    def _await(self, pending: Sequence[FileCopy]) -> bool:
        """Wait for copies that storage makes in the background; False if they take longer than there is time."""
        while time.monotonic() < self.deadline:
            states = self.results.copied(self.run)
            left = [file for file in pending if states.get(file.destination) != COPIED]
            if not left:
                return True
            for file in left:
                if states.get(file.destination) in ("failed", "aborted"):
                    self._copy(file, again=True)
            time.sleep(PENDING_PAUSE_SECONDS)
        return False
