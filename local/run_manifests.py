"""Runs manifests on a stack to their ends: drops them, shows what happens, downloads what they leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from local.errors import LocalError
from local.runs.refs import DroppedRun, RunRef
from local.runs.stack_runs import RunView, StackRuns, WatchedRun
from local.show.display import Display, display_on, downloading
from local.show.first_failure import first_failure
from local.show.states import STYLES
from local.show.summary import summary_lines
from local.stack_in_use import StackInUse
from shared.documents.record import Record
from shared.documents.states import State
from shared.parallel import in_parallel

POLL_SECONDS = 0.2
SHARE_OF_TIME = 4
"""Looking at many tasks takes time, the stack's too: between two looks so many times as long is waited."""
TAKEN_SECONDS = 10
"""After so long in the inbox nobody seems to take a manifest; a stack that is up does within a second."""
NOT_TAKEN = "still lies in the inbox. Is the Functions host running?"


@dataclass(frozen=True)
class RunManifests:
    """What is to be run, and where; `folder` tells where results of a run go."""

    manifests: Sequence[Path]
    stack: StackInUse
    folder: Callable[[RunRef], Path]

    def to_their_ends(self) -> bool:
        """Run them all at the same time; whether all of them ended in SUCCESS. Raises LocalError if the stack fails."""
        try:
            with StackRuns.of(self.stack.settings) as runs:
                return self._run(runs, Console(highlight=False))
        except LocalError:
            self.stack.check()  # if a service has ended, that is what to say
            raise

    def _run(self, runs: StackRuns, console: Console) -> bool:
        dropped: dict[DroppedRun, Path] = {}
        records: dict[DroppedRun, Record] = {}
        try:
            for manifest in self.manifests:
                dropped[runs.inbox.drop(manifest)] = manifest
            with display_on(console) as display:
                records.update(self._watch(runs, list(dropped), display))
        except KeyboardInterrupt:
            for run in dropped:
                if run not in records:
                    self._abandon(runs, run)
            raise
        for run, manifest in dropped.items():
            self._show_results(runs, console, run.ref, manifest, records[run])
        return all(record.state is State.SUCCESS for record in records.values())

    def _watch(
        self, runs: StackRuns, dropped: Sequence[DroppedRun], display: Display
    ) -> Iterator[tuple[DroppedRun, Record]]:
        """Show what happens; gives each record as soon as it is there."""
        late = time.monotonic() + TAKEN_SECONDS
        views: dict[DroppedRun, RunView | None] = dict.fromkeys(dropped)
        watched = {run: WatchedRun(runs, run.ref) for run in dropped}
        while views:
            self.stack.check()
            began = time.monotonic()
            for run, before in list(views.items()):
                record = runs.results.record(run.ref)
                if record:
                    display.ended(run.ref, record.state)
                    del views[run]
                    yield run, record
                    continue
                view = watched[run].look()
                display.seen(run.ref, before, view)
                views[run] = view
            if began > late:
                late = float("inf")
                for run in filter(runs.inbox.holds, views):
                    display.say(run.ref, NOT_TAKEN)
            time.sleep(max(POLL_SECONDS, SHARE_OF_TIME * (time.monotonic() - began)))

    def _show_results(self, runs: StackRuns, console: Console, run: RunRef, manifest: Path, record: Record) -> None:
        folder, files = self.folder(run), runs.results.files(run)
        with downloading(console, files) as progress:
            in_parallel(lambda file: runs.results.download(run, file, folder, progress), files)
        state, *rest = summary_lines(record, manifest, folder, first_failure(record, folder))
        console.print(Text(state, STYLES[record.state]), soft_wrap=True)
        print(*rest, "", sep="\n", flush=True)

    def _abandon(self, runs: StackRuns, run: DroppedRun) -> None:
        """Nobody watches a run any longer: say what becomes of it."""
        if runs.withdraw(run):
            print(f"{run.ref.id} had not begun: its manifest is taken out of the inbox.", flush=True)
        elif self.stack.is_own:
            runs.inbox.cancel(run.ref)
            print(f"{run.ref.id} is cancelled; that is recorded when the stack runs next.", flush=True)
        else:
            print(f"{run.ref.id} goes on. To cancel it: {self.stack.command('cancel', run.ref.id)}", flush=True)
