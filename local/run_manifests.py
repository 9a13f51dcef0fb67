"""Runs manifests on a stack to their ends: drops them, shows what happens, downloads what they leave."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

from local.dropped_run import Runs, RunView
from local.error_tails import error_tails
from local.errors import LocalError
from local.printable import printable
from local.run_report import NOT_TAKEN, progress_lines, summary_lines
from shared.clients import Clients
from shared.settings import Settings
from shared.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from local.dropped_run import DroppedRun
    from local.stack_in_use import StackInUse
    from shared.record import Record

POLL_SECONDS = 0.2
TAKEN_SECONDS = 10
"""After so long in the inbox nobody seems to take a manifest; a stack that is up does within a second."""


@dataclass(frozen=True)
class RunManifests:
    """What is to be run, and where; `folder` tells where results of a run go."""

    manifests: Sequence[Path]
    stack: StackInUse
    folder: Callable[[DroppedRun], Path]

    def to_their_ends(self) -> bool:
        """Run them all at the same time; whether all of them ended in SUCCESS.

        Raises LocalError if the stack fails.
        """
        settings = Settings.from_environ(self.stack.settings)
        clients = Clients(settings)
        with clients.blobs, clients.batch:  # connections that stay open would keep Azurite from stopping
            runs = Runs(clients.blobs, clients.batch, settings.containers)
            try:
                return self._run(runs)
            except AzureError as error:
                self.stack.check()
                raise LocalError(f"The stack does not answer: {error}") from error

    def _run(self, runs: Runs) -> bool:
        dropped: dict[DroppedRun, Path] = {}
        records: dict[DroppedRun, Record] = {}
        try:
            for manifest in self.manifests:
                dropped[runs.drop(manifest)] = manifest
            records.update(self._watch(runs, list(dropped)))
        except KeyboardInterrupt:
            for run in dropped.keys() - records.keys():
                self._abandon(runs, run)
            raise
        for run, manifest in dropped.items():
            folder = self.folder(run)
            runs.download(run, folder)
            lines = summary_lines(records[run], manifest, folder, error_tails(records[run], folder))
            print("", *lines, "", sep="\n", flush=True)
        return all(record.state is State.SUCCESS for record in records.values())

    def _watch(self, runs: Runs, dropped: Sequence[DroppedRun]) -> Iterator[tuple[DroppedRun, Record]]:
        """Show what happens; gives each record as soon as it is there."""
        started = time.monotonic()
        views = dict.fromkeys(dropped, RunView(None))
        for run in dropped:
            _say(started, run, "dropped")
        is_late = False
        while views:
            self.stack.check()
            for run, before in list(views.items()):
                record = runs.record(run)
                if record:
                    _say(started, run, record.state.value)
                    del views[run]
                    yield run, record
                    continue
                views[run] = runs.view(run)
                for line in progress_lines(before, views[run]):
                    _say(started, run, line)
            if not is_late and time.monotonic() > started + TAKEN_SECONDS:
                is_late = True
                for run in filter(runs.is_waiting, views):
                    _say(started, run, NOT_TAKEN)
            time.sleep(POLL_SECONDS)

    def _abandon(self, runs: Runs, run: DroppedRun) -> None:
        """Nobody watches a run any longer: say what becomes of it."""
        if runs.withdraw(run):
            print(f"{run.id} had not begun: its manifest is taken out of the inbox.", flush=True)
        elif self.stack.is_own:
            runs.cancel(run)
            print(f"{run.id} is cancelled; that is recorded when the stack runs next.", flush=True)
        else:
            print(f"{run.id} goes on. To cancel it, put a blob {run.cancel_blob} into the inbox.", flush=True)


def _say(started: float, run: DroppedRun, line: str) -> None:
    print(f"{time.monotonic() - started:6.1f} s  {run.id}  {printable(line)}", flush=True)
