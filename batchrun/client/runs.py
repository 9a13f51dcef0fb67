"""The runs of one app, through the same containers and the same Batch account that the app uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from azure.core.exceptions import AzureError, HttpResponseError
from pydantic import ValidationError

from batchrun.client._connections import Connections
from batchrun.client._faults import batch_failure, is_refusal, unreachable
from batchrun.client._inbox import DropBox
from batchrun.client._open_runs import OpenRuns
from batchrun.client._uploads import Uploads
from batchrun.client.apps import App
from batchrun.client.flows import Flows
from batchrun.client.ledger import LedgerReader
from batchrun.client.namespaces import Namespaces
from batchrun.client.refs import LATEST, DroppedRun, RunRef, latest, the_run
from batchrun.client.results import RunResults
from batchrun.client.tasks import BatchHidden, BatchTasks, TaskView
from batchrun.errors import ClientError
from shared.documents.earlier_run import EarlierRun
from shared.documents.names import job_id
from shared.documents.progress import ListedRun
from shared.documents.record import RetryRef
from shared.documents.run import Run
from shared.documents.states import State
from shared.documents.status import Status
from shared.documents.task_result import TaskRecord
from shared.errors import ManifestError, RunUnreadable
from shared.masking import Masker
from shared.plan.run_manifest import manifest_of
from shared.settings import Containers


@dataclass(frozen=True)
class RunView:
    """An open run; `state` is None while its manifest is still in the inbox.

    `names` are the ids of its tasks in the order of the manifest; `tasks` are the tasks of its Batch jobs. `status`
    is read only while the run waits, and says why. `hidden` says why the tasks cannot be seen. Of what `finished` in
    earlier rounds, some had no Batch task: the app evaluated it, or it was left out.

    A retry is one of `retry_of`: its tasks `taken_over` ran in an earlier run, as did those items of fan-outs that are
    in the `item_counts` and have no Batch task.
    """

    state: State | None
    tasks: tuple[TaskView, ...] = ()
    names: tuple[str, ...] = ()
    status: Status | None = None
    round: int = 0
    hidden: str = ""
    finished: Mapping[str, TaskRecord] = field(default_factory=dict)
    retry_of: RetryRef | None = None
    taken_over: frozenset[str] = frozenset()
    item_counts: Mapping[str, int] = field(default_factory=dict)


class Runs:
    """The runs of an app: manifests in the inbox, open runs, and complete runs with their results.

    `masker` masks the secrets that are known here in what tasks have printed; `words` says what storage has refused or
    not answered.
    """

    def __init__(self, app: App, connections: Connections, names: Containers, masker: Masker) -> None:
        self._app = app
        self.masker = masker
        self.inbox = DropBox(connections.blobs.get_container_client(names.inbox))
        results = connections.blobs.get_container_client(names.results)
        self.results = RunResults(results)
        self.ledger = LedgerReader(results)
        self.namespaces = Namespaces(connections.blobs.get_container_client(names.namespaces))
        self.flows = Flows(connections.blobs.get_container_client(names.flows))
        self.uploads = Uploads(connections.blobs.get_container_client(names.uploads))
        self.tasks = BatchTasks(connections.batch, partial(batch_failure, services=connections.services))
        self.words = partial(unreachable, services=connections.services)
        self._open = OpenRuns(connections.blobs.get_container_client(names.runs))

    @classmethod
    @contextmanager
    def of(cls, app: App) -> Iterator[Runs]:
        """The runs of an app; connections are closed at the end.

        Raises Unreachable if storage or Batch does not answer or refuses, ClientError if a run document cannot be read.
        """
        services = app.services
        with Connections(services) as connections:
            try:
                yield cls(app, connections, services.containers, app.masker)
            except AzureError as error:
                raise unreachable(error, services) from error
            except RunUnreadable as error:
                raise ClientError(str(error)) from error
            except ValidationError as error:
                raise ClientError(
                    f"A document of a run, its {error.title}, cannot be read: it is damaged, or of a newer version of"
                    " the app. Update this program."
                ) from error

    def open(self) -> list[ListedRun]:
        """All open runs, the oldest first."""
        return self._open.list()

    def open_run(self, run_id: str) -> Run | None:
        """The document of a run; None if the run is not open."""
        return self._open.load(run_id)

    def withdraw(self, run: DroppedRun) -> bool:
        """Remove its manifest from the inbox; False if the app has already accepted it."""
        if self._open.load(run.ref.id) is not None or not self.inbox.remove(run):
            return False
        return self._open.load(run.ref.id) is None  # the app may have read the manifest just before

    def find(self, text: str) -> RunRef:
        """The run whose id is `text`, or the only one whose id begins with it: open or complete; `-` is the latest.

        The ledger is asked first, for a whole id that of one day; folders are listed only for what neither it nor the
        list of open runs has. Raises ClientError.
        """
        if line := self.ledger.run(text):
            return RunRef(line.run_id, line.results)
        prefix = "" if text == LATEST else text
        found = self._open_refs(text) | self._in_ledger(prefix, only_latest=text == LATEST)
        if text == LATEST:
            return latest(found or set(self.results.runs()))
        return self._the_run(text, found or set(self.results.runs()))

    def find_open(self, text: str) -> RunRef:
        """The same among the open runs; a complete run is found only if the id of no open one begins with `text`.

        But `-` is the latest run, also if it is complete: with it nobody means a run that was there before.
        """
        found = set() if text == LATEST else self._open_refs(text)
        return self._the_run(text, found) if found else self.find(text)

    def _in_ledger(self, prefix: str, *, only_latest: bool) -> set[RunRef]:
        """The runs of the ledger whose ids begin with `prefix`; or those of the newest day."""
        days = self.ledger.days()[: 1 if only_latest else None]
        lines = (line for day in days for line in self.ledger.of_day(day).values())
        return {RunRef(line.run_id, line.results) for line in lines if line.run_id.startswith(prefix)}

    def _the_run(self, text: str, runs: set[RunRef]) -> RunRef:
        return the_run(text, runs, self._app.command("ls"))

    def _open_refs(self, text: str) -> set[RunRef]:
        """The open runs whose ids begin with `text`, and the manifests in the inbox; of `-`, the latest open run."""
        prefix = "" if text == LATEST else text
        waiting = {dropped.ref for dropped in self.inbox.waiting() if dropped.ref.id.startswith(prefix)}
        listed = [run for run in self.open() if run.id.startswith(prefix)]
        loaded = (self._open.load(run.id) for run in (listed[-1:] if text == LATEST else listed))
        return waiting | {RunRef(run.id, run.results) for run in loaded if run}


class WatchedRun:
    """One run that is looked at repeatedly; what cannot change any more is not read again."""

    def __init__(self, runs: Runs, ref: RunRef) -> None:
        self._ref = ref
        self._runs = runs
        self._names: tuple[str, ...] | None = None
        self._ended_rounds: dict[int, tuple[TaskView, ...]] = {}

    def look(self) -> RunView:
        """The run as it is now. Batch is asked only if it has a job of the run.

        What cannot be seen of it is left out: its state is in the results too.
        """
        try:
            return self._look()
        except HttpResponseError as error:
            if not is_refusal(error):
                raise
            status = self._runs.results.status(self._ref)
            return RunView(status.state if status else None, status=status, hidden=str(self._runs.words(error)))

    def _look(self) -> RunView:
        run = self._runs.open_run(self._ref.id)
        if run is None:
            return RunView(None)
        if self._names is None:
            self._names = _task_names(run)
        tasks: dict[str, TaskView] = {}
        hidden = "" if self._runs.tasks.is_there else "No stack is running, so that its tasks are not."
        try:
            for number in range(1, run.progress.round + 1):
                tasks |= {task.name: task for task in self._of_round(run, number)}
        except BatchHidden as reason:
            tasks, hidden = {}, str(reason)
        status = self._runs.results.status(self._ref) if run.progress.waiting else None
        state, ended = run.progress, run.body.finished
        view = RunView(state.state, tuple(tasks.values()), self._names, status, state.round, hidden, ended)
        return _of_retry(view, run, run.body.earlier) if run.body.earlier else view

    def _of_round(self, run: Run, number: int) -> tuple[TaskView, ...]:
        """The tasks of a round. A later round may run a task again: its latest state counts."""
        if number in self._ended_rounds:
            return self._ended_rounds[number]
        is_current = number == run.progress.round
        if is_current and run.progress.state is not State.RUNNING:
            return ()
        tasks = self._runs.tasks.of_job(job_id(run.id, number))
        if not is_current:
            self._ended_rounds[number] = tasks
        return tasks


def _of_retry(view: RunView, run: Run, earlier: EarlierRun) -> RunView:
    return replace(
        view,
        retry_of=RetryRef.model_validate(earlier.model_dump()),
        taken_over=frozenset(task.id for task in run.body.finished.values() if task.taken_from),
        item_counts={name: len(items) for name, items in run.body.item_lists.items()},
    )


def _task_names(run: Run) -> tuple[str, ...]:
    """The ids of the tasks of a manifest; none if the manifest is wrong, which the record will say."""
    try:
        manifest = manifest_of(run)
    except ManifestError:
        return ()
    return tuple(task.id for task in manifest.flow.tasks if task.id in manifest.dependencies)
