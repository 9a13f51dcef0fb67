"""`run`: drops manifests, shows what happens until all runs are complete, and downloads their results."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from batchrun.cli._display import Display, display_on, downloading
from batchrun.cli._summary import first_failure, summary_lines
from batchrun.cli._text import STYLES
from batchrun.cli.options import add_manifests, check_manifests
from batchrun.client.apps import App
from batchrun.client.refs import DroppedRun, RunRef
from batchrun.client.result_folders import ResultFolders
from batchrun.client.runs import Runs, RunView, WatchedRun
from batchrun.errors import ClientError, UsageError
from shared.documents.record import Record
from shared.documents.states import State
from shared.parallel import in_parallel

POLL_SECONDS = 0.2
PAUSE_FACTOR = 4
"""To look at many tasks takes time, also of the services: the pause until the next look is at least so many times as
long as the last one took."""
ACCEPTED_SECONDS = 10
"""A manifest that is in the inbox for so long is probably not read; a stack that is up accepts it within a second."""
NOT_ACCEPTED = "is still in the inbox. Is the Functions host running?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    parser.epilog = "Exit code: 0 if every run ended in SUCCESS, 1 if one did not, 2 for wrong usage."
    add_manifests(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="an empty or new folder for the results; several manifests get one folder each in it (default:"
        " D/results/NAME/RUN)",
    )


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Run the manifests until all are complete. Raises UsageError, or ClientError if the app does not answer."""
    manifests = arguments.manifests
    check_manifests(manifests)
    if len({manifest.stem for manifest in manifests}) < len(manifests):
        raise UsageError("Two of the manifests have the same name. Run them one after the other.")
    folders = ResultFolders(arguments.out, is_only_one=len(manifests) == 1)
    folders.check(manifests)
    with opening as app:
        succeeded = _RunManifests(manifests, app, folders).until_complete()
    return 0 if succeeded else 1


@dataclass(frozen=True)
class _RunManifests:
    """Which manifests to run, with which app, and where their results go."""

    manifests: Sequence[Path]
    app: App
    folders: ResultFolders

    def until_complete(self) -> bool:
        """Run all at the same time; whether all of them ended in SUCCESS. Raises ClientError if the app fails."""
        try:
            with Runs.of(self.app) as runs:
                return self._run(runs, Console(highlight=False))
        except ClientError:
            self.app.check()  # if one of its services has ended, that is the better message
            raise

    def _run(self, runs: Runs, console: Console) -> bool:
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
        self, runs: Runs, dropped: Sequence[DroppedRun], display: Display
    ) -> Iterator[tuple[DroppedRun, Record]]:
        """Show what happens; yields each record as soon as it exists."""
        late = time.monotonic() + ACCEPTED_SECONDS
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
                    display.say(run.ref, NOT_ACCEPTED)
            time.sleep(max(POLL_SECONDS, PAUSE_FACTOR * (time.monotonic() - began)))

    def _show_results(self, runs: Runs, console: Console, run: RunRef, manifest: Path, record: Record) -> None:
        folder, files = self.folders.of(run, self.app), runs.results.files(run)
        with downloading(console, files) as progress:
            in_parallel(lambda file: runs.results.download(run, file, folder, progress), files)
        state, *rest = summary_lines(record, manifest, folder, first_failure(record, folder))
        console.print(Text(state, STYLES[record.state]), soft_wrap=True)
        print(*rest, "", sep="\n", flush=True)

    def _abandon(self, runs: Runs, run: DroppedRun) -> None:
        """Say what happens to a run that is no longer watched."""
        if runs.withdraw(run):
            print(f"{run.ref.id} had not started: its manifest was removed from the inbox.", flush=True)
        elif self.app.ends_with_command:
            runs.inbox.cancel(run.ref)
            print(f"{run.ref.id} is cancelled; that is recorded when the stack runs next.", flush=True)
        else:
            print(f"{run.ref.id} goes on. To cancel it: {self.app.command('cancel', run.ref.id)}", flush=True)
