"""Drops runs, shows what happens until all are complete, and downloads their results."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from azure.core.exceptions import AzureError, HttpResponseError
from rich.console import Console
from rich.text import Text

from batchrun.cli._display import Display, display_on, downloading
from batchrun.cli._summary import first_failure, summary_lines
from batchrun.cli._text import STYLES
from batchrun.client.apps import App
from batchrun.client.refs import DroppedRun, RunRef
from batchrun.client.requests import Drop
from batchrun.client.result_folders import ResultFolders
from batchrun.client.runs import Runs, RunView, WatchedRun
from batchrun.errors import ClientError
from shared.documents.record import Record
from shared.documents.states import State

POLL_SECONDS = 0.2
POLL_SECONDS_IN_AZURE = 2
"""There a look costs money, and an app looks at its runs every 15 seconds itself."""
PAUSE_FACTOR = 4
"""To look at many tasks takes time, also of the services: the pause until the next look at a run is at least so many
times as long as the last one took. Whether a run is complete is asked meanwhile: that costs little, and otherwise one
look that a busy service has answered late would keep the ends of all runs from being noticed."""
ACCEPTED_SECONDS = 10
"""A manifest that is in the inbox for so long is probably not read; a stack that is up accepts it within a second."""
ACCEPTED_SECONDS_IN_AZURE = 60
"""An app without instances has to be started for it."""


def exit_code_of(states: Sequence[State], *, is_strict: bool) -> int:
    """0 if all runs ended well; with a warning is not well if that `is_strict`."""
    good = {State.SUCCESS} if is_strict else {State.SUCCESS, State.WARNING}
    return 0 if good.issuperset(states) else 1


def _may_be_done(error: AzureError | ClientError) -> bool:
    """Whether what was sent may have been carried out: the service has not answered, or failed meanwhile."""
    if isinstance(error, HttpResponseError):
        return (error.status_code or HTTPStatus.INTERNAL_SERVER_ERROR) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, AzureError)


@dataclass(frozen=True)
class NewRuns:
    """What to drop, with which app, where the results go, and whether to wait for them.

    `dropped` has the runs and what was dropped, `records` those that are complete.
    """

    drops: Sequence[Drop]
    app: App
    folders: ResultFolders
    waits: bool
    dropped: dict[DroppedRun, Drop] = field(default_factory=dict)
    records: dict[DroppedRun, Record] = field(default_factory=dict)

    def until_complete(self) -> list[State]:
        """Run all at the same time; how they ended, if they are waited for. Raises ClientError if the app fails."""
        try:
            with Runs.of(self.app) as runs:
                self._drop(runs)
                if self.waits:
                    self._run(runs, Console(highlight=False))
        except ClientError:
            self.app.check()  # if one of its services has ended, that is the better message
            raise
        return [record.state for record in self.records.values()]

    def _drop(self, runs: Runs) -> None:
        for drop in self.drops:
            try:
                self.dropped[runs.inbox.put(drop.blob, drop.content)] = drop
            except KeyboardInterrupt:
                print(self._how_to_see(drop), flush=True)
                self._leave(runs)
                raise
            except (AzureError, ClientError) as error:
                if _may_be_done(error):
                    print(self._how_to_see(drop), file=sys.stderr, flush=True)
                self._say_what_goes_on()
                raise
        for run in self.dropped if not self.waits else ():
            print(run.ref.id, flush=True)
            print(self._how_to_go_on(run.ref), file=sys.stderr, flush=True)

    def _run(self, runs: Runs, console: Console) -> None:
        try:
            with display_on(console) as display:
                self.records.update(self._watch(runs, list(self.dropped), display))
            for run, drop in self.dropped.items():
                self._show_results(runs, console, run.ref, drop, self.records[run])
        except KeyboardInterrupt:
            self._leave(runs)
            raise
        except AzureError:
            self._say_what_goes_on()
            raise

    def _watch(
        self, runs: Runs, dropped: Sequence[DroppedRun], display: Display
    ) -> Iterator[tuple[DroppedRun, Record]]:
        """Show what happens; yields each record as soon as it exists."""
        late = time.monotonic() + (ACCEPTED_SECONDS if self.app.knows_all else ACCEPTED_SECONDS_IN_AZURE)
        pause = POLL_SECONDS if self.app.knows_all else POLL_SECONDS_IN_AZURE
        views: dict[DroppedRun, RunView | None] = dict.fromkeys(dropped)
        watched = {run: WatchedRun(runs, run.ref) for run in dropped}
        due = dict.fromkeys(dropped, 0.0)
        while views:
            self.app.check()
            began, looked = time.monotonic(), 0.0
            for run, before in list(views.items()):
                record = runs.results.record(run.ref)
                if record:
                    display.ended(run.ref, record.state)
                    del views[run]
                    yield run, record
                    continue
                begins = time.monotonic()
                if begins < due[run]:
                    continue
                view = watched[run].look()
                took = time.monotonic() - begins
                due[run], looked = begins + took + PAUSE_FACTOR * took, looked + took
                display.seen(run.ref, before, view)
                views[run] = view
            if began > late:
                late = float("inf")
                for run in filter(runs.inbox.holds, views):
                    display.say(run.ref, f"is still in the inbox. To find out why: {self.app.command('doctor')}")
            time.sleep(max(pause, time.monotonic() - began - looked))

    def _show_results(self, runs: Runs, console: Console, run: RunRef, drop: Drop, record: Record) -> None:
        folder, files = self.folders.of(run, self.app), runs.results.files(run)
        with downloading(console, files) as progress:
            download = runs.results.to(folder)(progress)
            download.fetch(files)
        if download.problems:
            raise ClientError(download.problems[0])
        state, *rest = summary_lines(drop.own(record), drop.name, folder, first_failure(record, folder))
        console.print(Text(state, STYLES[record.state]), soft_wrap=True)
        print(*rest, "", sep="\n", flush=True)
        if record.state is State.WARNING:
            print(f"{run.id} has ended in WARNING.", file=sys.stderr, flush=True)

    def _leave(self, runs: Runs) -> None:
        """Say what happens to each run that is no longer watched."""
        for run in self.dropped:
            if run in self.records:
                print(f"{run.ref.id} is complete. {self._how_to_get(run.ref)}", flush=True)
            elif runs.withdraw(run):
                print(f"{run.ref.id} had not started: its manifest was removed from the inbox.", flush=True)
            elif self.app.ends_with_command:
                runs.inbox.cancel(run.ref)
                print(f"{run.ref.id} is cancelled; that is recorded when the stack runs next.", flush=True)
            else:
                print(self._how_to_go_on(run.ref), flush=True)

    def _say_what_goes_on(self) -> None:
        """The same, without asking services that do not answer."""
        for run in self.dropped:
            how = f"{run.ref.id} is complete. {self._how_to_get(run.ref)}"
            print(how if run in self.records else self._how_to_go_on(run.ref), file=sys.stderr, flush=True)

    def _how_to_see(self, drop: Drop) -> str:
        return f"{drop.name} may have been dropped, or not. To see it: {self.app.command('ls')}"

    def _how_to_go_on(self, run: RunRef) -> str:
        return f"{run.id} goes on. To cancel it: {self.app.command('cancel', run.id)}\n  {self._how_to_get(run)}"

    def _how_to_get(self, run: RunRef) -> str:
        return f"To fetch its results: {self.app.command('get', run.id)}"
