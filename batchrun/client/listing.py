"""The runs of an app as a list: from the inbox, the open runs, the ledger, and the folders of runs that it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from batchrun.client.refs import DroppedRun, RunRef, newest_first
from batchrun.client.runs import Runs
from shared.documents.ledger import LedgerLine, LineKind, TaskCounts, recorded_line
from shared.documents.progress import ListedRun
from shared.documents.record import FlowRef
from shared.documents.states import State
from shared.documents.status import Status
from shared.documents.usage import Amount
from shared.parallel import AT_ONCE, in_parallel

_AT_ONCE = 4 * AT_ONCE  # folders without a line in the ledger: how many are looked at before the next is wanted


@dataclass(frozen=True)
class Entry:
    """A run in a list. `state` is None while its manifest is in the inbox; `status` is that of an open run.

    What a complete run does not have is empty: `note` is its first failure or warning.
    """

    ref: RunRef
    state: State | None
    manifest: str
    flow: FlowRef | None = None
    ended: datetime | None = None
    tasks: TaskCounts | None = None
    note: str = ""
    cost: Amount | None = None
    status: Status | None = None
    is_cancelled: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it has no record yet."""
        return self.state in (None, State.QUEUED, State.RUNNING)

    @property
    def time(self) -> timedelta:
        """How long it took from the drop to its end, or has taken so far."""
        return max(timedelta(0), (self.ended or datetime.now(UTC)) - self.ref.dropped)

    @property
    def flow_names(self) -> set[str]:
        """What a person may call its flow: its id, or the manifest's name, each with what stands before it or without.

        The manifest's name also without its extension.
        """
        path = PurePosixPath(self.manifest)
        names = {self.manifest, str(path.with_suffix("")), path.name, path.stem}
        if self.flow and self.flow.id:
            names |= {self.flow.id, f"{self.flow.namespace}.{self.flow.id}", f"{self.flow.namespace}/{self.flow.id}"}
        return names


class RunList:
    """Lists the runs of an app."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def open(self, most: int) -> tuple[list[Entry], set[str]]:
        """Manifests in the inbox, then open runs, the oldest first: at most so many; and the ids of all of them."""
        waiting, listed = self._runs.inbox.waiting(), self._runs.open()
        ids = {run.ref.id for run in waiting} | {run.id for run in listed}
        shown = in_parallel(self._open_entry, listed[: max(0, most - len(waiting))])
        return [*map(_waiting_entry, waiting[:most]), *filter(None, shown)], ids

    def ended(self, open_ids: set[str], since: datetime | None = None) -> Iterator[Entry]:
        """The runs that are not among the open ones, the newest first.

        The ledger is read day by day. Runs that it lacks, because they are older than it or a line was lost, come after
        it, and their folders are looked for only when it is used up and did not begin before `since`.
        """
        days = self._runs.ledger.days(since.date() if since else None)
        known = set(open_ids)
        for day in days:
            lines = self._runs.ledger.of_day(day)
            fresh = [line for run_id, line in lines.items() if run_id not in known]
            known |= lines.keys()
            yield from sorted(self._of_lines(fresh), key=lambda entry: newest_first(entry.ref))
        if since is None or not self._runs.ledger.has_days_before(since.date()):
            yield from self._without_line(known, since)

    def _of_lines(self, lines: Sequence[LedgerLine]) -> Iterator[Entry]:
        """The entries of lines; a run that is only accepted has been closed meanwhile, or its other line was lost."""
        yield from (entry_of(line) for line in lines if line.kind is LineKind.RECORDED)
        yield from in_parallel(self._of_accepted, [line for line in lines if line.kind is LineKind.ACCEPTED])

    def _of_accepted(self, line: LedgerLine) -> Entry:
        ref = RunRef(line.run_id, line.results)
        if status := self._runs.results.status(ref):
            return Entry(ref, status.state, line.manifest, status=status)
        record = self._runs.results.record(ref)
        return entry_of(recorded_line(record, ref.folder)) if record else Entry(ref, State.QUEUED, line.manifest)

    def _without_line(self, known: set[str], since: datetime | None) -> Iterator[Entry]:
        refs = [run for run in self._runs.results.runs() if run.id not in known]
        refs = sorted((run for run in refs if since is None or run.dropped >= since), key=newest_first)
        for first in range(0, len(refs), _AT_ONCE):
            chunk = refs[first : first + _AT_ONCE]
            records = in_parallel(self._runs.results.record, chunk)
            for ref, record in zip(chunk, records, strict=True):
                if record:  # a run that is just being accepted has none yet
                    yield entry_of(recorded_line(record, ref.folder))

    def _open_entry(self, listed: ListedRun) -> Entry | None:
        run = self._runs.open_run(listed.id)
        if run is None:
            return None  # it has been closed meanwhile
        ref = RunRef(run.id, run.results)
        status = self._runs.results.status(ref)
        state = status.state if status else listed.progress.state
        return Entry(ref, state, run.body.manifest.name, status=status, is_cancelled=listed.progress.cancelled)


def entry_of(line: LedgerLine) -> Entry:
    """The entry of a run that was recorded."""
    ended = (line.times.recorded or line.times.ended) if line.times else None
    note = line.failure or line.warning or ""
    ref = RunRef(line.run_id, line.results)
    return Entry(ref, line.state, line.manifest, line.flow, ended=ended, tasks=line.tasks, note=note, cost=line.cost)


def _waiting_entry(run: DroppedRun) -> Entry:
    return Entry(run.ref, None, run.blob)
