"""`run`: checks manifests, drops them, shows what happens until all runs are complete, and downloads their results."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from azure.core.exceptions import AzureError
from rich.console import Console
from rich.text import Text

from batchrun.cli._display import Display, display_on, downloading
from batchrun.cli._summary import first_failure, summary_lines
from batchrun.cli._text import STYLES
from batchrun.cli.check import check, findings
from batchrun.cli.options import add_manifests, check_manifests
from batchrun.client.apps import App
from batchrun.client.pools import pools_of
from batchrun.client.refs import DroppedRun, RunRef
from batchrun.client.result_folders import ResultFolders
from batchrun.client.runs import Runs, RunView, WatchedRun
from batchrun.errors import ClientError, UsageError, printable
from shared.documents.record import Record
from shared.documents.states import State
from shared.version import VERSION

POLL_SECONDS = 0.2
POLL_SECONDS_IN_AZURE = 2
"""There a look costs money, and an app looks at its runs every 15 seconds itself."""
PAUSE_FACTOR = 4
"""To look at many tasks takes time, also of the services: the pause until the next look is at least so many times as
long as the last one took."""
ACCEPTED_SECONDS = 10
"""A manifest that is in the inbox for so long is probably not read; a stack that is up accepts it within a second."""
ACCEPTED_SECONDS_IN_AZURE = 60
"""An app without instances has to be started for it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    parser.epilog = (
        "Exit code: 0 if every run ended in SUCCESS or WARNING, 1 if one did not or a manifest has errors, 2 for wrong"
        " usage, 3 if the app cannot be reached."
    )
    add_manifests(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="an empty or new folder for the results; several manifests get one folder each in it (default:"
        " results/NAME/RUN, of a stack in its data directory)",
    )
    parser.add_argument("--no-wait", action="store_true", help="print the ids of the runs, and leave them alone")
    parser.add_argument("--strict", action="store_true", help="exit with 1 also if a run ended in WARNING")


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Run the manifests until all are complete. Raises UsageError, or ClientError if the app does not answer."""
    manifests = arguments.manifests
    check_manifests(manifests)
    if len({manifest.stem for manifest in manifests}) < len(manifests):
        raise UsageError("Two of the manifests have the same name. Run them one after the other.")
    folders = ResultFolders(arguments.out, is_only_one=len(manifests) == 1)
    folders.check(manifests)
    with opening as app:
        _check(manifests, app)
        states = _RunManifests(manifests, app, folders, waits=not arguments.no_wait).until_complete()
    good = {State.SUCCESS} if arguments.strict else {State.SUCCESS, State.WARNING}
    return 0 if good.issuperset(states) else 1


def _check(manifests: Sequence[Path], app: App) -> None:
    """Raise ClientError if a manifest has errors, which are printed. An app of another version may know better."""
    if app.version not in (None, VERSION):
        print(
            f"The app has version {app.version}, this is {VERSION}: only the app checks the manifests.", file=sys.stderr
        )
        return
    settings, pools = app.checked_settings(), pools_of(app)
    wrong = [(manifest, checked) for manifest in manifests if (checked := check(manifest, settings, pools)).errors]
    for manifest, checked in wrong:
        for line in findings(manifest, checked):
            print(printable(line), file=sys.stderr)
    if wrong:
        raise ClientError("Nothing has been dropped.")


@dataclass(frozen=True)
class _RunManifests:
    """Which manifests to run, with which app, where their results go, and whether to wait for them.

    `dropped` has the runs and their manifests, `records` those that are complete.
    """

    manifests: Sequence[Path]
    app: App
    folders: ResultFolders
    waits: bool
    dropped: dict[DroppedRun, Path] = field(default_factory=dict)
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
        for manifest in self.manifests:
            try:
                self.dropped[runs.inbox.drop(manifest)] = manifest
            except KeyboardInterrupt:
                print(f"{manifest} may have been dropped, or not. To see it: {self.app.command('ls')}", flush=True)
                self._leave(runs)
                raise
            except (AzureError, ClientError):
                self._say_what_goes_on()
                raise
        for run in self.dropped if not self.waits else ():
            print(run.ref.id, flush=True)
            print(self._how_to_go_on(run.ref), file=sys.stderr, flush=True)

    def _run(self, runs: Runs, console: Console) -> None:
        try:
            with display_on(console) as display:
                self.records.update(self._watch(runs, list(self.dropped), display))
            for run, manifest in self.dropped.items():
                self._show_results(runs, console, run.ref, manifest, self.records[run])
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
        while views:
            self.app.check()
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
                    display.say(run.ref, f"is still in the inbox. To find out why: {self.app.command('doctor')}")
            time.sleep(max(pause, PAUSE_FACTOR * (time.monotonic() - began)))

    def _show_results(self, runs: Runs, console: Console, run: RunRef, manifest: Path, record: Record) -> None:
        folder, files = self.folders.of(run, self.app), runs.results.files(run)
        with downloading(console, files) as progress:
            download = runs.results.to(folder)(progress)
            download.fetch(files)
        if download.problems:
            raise ClientError(download.problems[0])
        state, *rest = summary_lines(record, manifest, folder, first_failure(record, folder))
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

    def _how_to_go_on(self, run: RunRef) -> str:
        return f"{run.id} goes on. To cancel it: {self.app.command('cancel', run.id)}\n  {self._how_to_get(run)}"

    def _how_to_get(self, run: RunRef) -> str:
        return f"To fetch its results: {self.app.command('get', run.id)}"
