"""Runs manifests on a stack to their ends: drops them, shows what happens, downloads what they leave."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

from local.dropped_run import Runs, RunView
from local.errors import LocalError
from local.run_report import progress_lines, summary_lines
from shared.clients import Clients
from shared.settings import Settings
from shared.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from local.dropped_run import DroppedRun
    from shared.record import Record

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class RunManifests:
    """What is to be run, and where.

    `settings` are those of the stack, `check` raises an error when it fails; `folder` tells where results of a run go.
    """

    manifests: Sequence[Path]
    settings: Mapping[str, str]
    check: Callable[[], None]
    folder: Callable[[DroppedRun], Path]

    def to_their_ends(self) -> bool:
        """Run them all at the same time; whether all of them ended in SUCCESS.

        Raises LocalError if the stack fails.
        """
        settings = Settings.from_environ(self.settings)
        clients = Clients(settings)
        with clients.blobs, clients.batch:  # connections that stay open would keep Azurite from stopping
            runs = Runs(clients.blobs, clients.batch, settings.containers)
            try:
                return self._run(runs)
            except AzureError as error:
                self.check()
                raise LocalError(f"The stack does not answer: {error}") from error

    def _run(self, runs: Runs) -> bool:
        dropped = {runs.drop(manifest): manifest for manifest in self.manifests}
        records = self._watch(runs, list(dropped))
        for run, manifest in dropped.items():
            folder = self.folder(run)
            runs.download(run, folder)
            print("", *summary_lines(records[run], manifest, folder), "", sep="\n", flush=True)
        return all(record.state is State.SUCCESS for record in records.values())

    def _watch(self, runs: Runs, dropped: Sequence[DroppedRun]) -> dict[DroppedRun, Record]:
        """Show what happens until all of them are recorded."""
        started = time.monotonic()
        views = dict.fromkeys(dropped, RunView(None))
        records: dict[DroppedRun, Record] = {}
        for run in dropped:
            _say(started, run, "dropped")
        while len(records) < len(dropped):
            self.check()
            for run in [run for run in dropped if run not in records]:
                record = runs.record(run)
                if record:
                    records[run] = record
                    _say(started, run, record.state.value)
                    continue
                view = runs.view(run)
                for line in progress_lines(views[run], view):
                    _say(started, run, line)
                views[run] = view
            time.sleep(POLL_SECONDS)
        return records


def _say(started: float, run: DroppedRun, line: str) -> None:
    print(f"{time.monotonic() - started:6.1f} s  {run.id}  {line}", flush=True)
