"""The runs of one app, through the same containers and the same Batch account that the app uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from azure.core.exceptions import AzureError, HttpResponseError

from batchrun.client._connections import Connections
from batchrun.client._faults import is_refusal, refusal, unreachable
from batchrun.client._inbox import DropBox
from batchrun.client._open_runs import OpenRuns
from batchrun.client.apps import App
from batchrun.client.refs import LATEST, DroppedRun, RunRef, latest, the_run
from batchrun.client.results import RunResults
from batchrun.client.tasks import BatchTasks, TaskView
from batchrun.errors import ClientError
from shared.documents.names import job_id
from shared.documents.progress import ListedRun
from shared.documents.record import Status
from shared.documents.run import Run
from shared.documents.states import State
from shared.errors import ManifestError, RunUnreadable
from shared.plan.run_manifest import manifest_of
from shared.settings import Containers


@dataclass(frozen=True)
class RunView:
    """An open run; `state` is None while its manifest is still in the inbox.

    `names` are the ids of its tasks in the order of the manifest; `tasks` are the tasks of its Batch jobs. `status`
    is read only while the run waits, and says why. `hidden` says why the tasks cannot be seen.
    """

    state: State | None
    tasks: tuple[TaskView, ...] = ()
    names: tuple[str, ...] = ()
    status: Status | None = None
    hidden: str = ""


class Runs:
    """The runs of an app: manifests in the inbox, open runs, and complete runs with their results."""

    def __init__(self, app: App, connections: Connections, names: Containers) -> None:
        self._app = app
        self._services = connections.services
        self.inbox = DropBox(connections.blobs.get_container_client(names.inbox))
        self.results = RunResults(connections.blobs.get_container_client(names.results))
        self.tasks = BatchTasks(connections.batch)
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
                yield cls(app, connections, services.containers)
            except AzureError as error:
                raise unreachable(error, services) from error
            except RunUnreadable as error:
                raise ClientError(str(error)) from error

    def refusal(self, error: HttpResponseError) -> str:
        """Which role is missing on what."""
        return refusal(error, self._services)

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
        """The run whose id is `text`, or the only one whose id begins with it: open or complete. `-` is the latest run.

        Raises ClientError if there is none.
        """
        if text == LATEST:
            return self._latest()
        return self._the_run(text, {*self.results.runs(), *self._open_refs(text)})

    def find_open(self, text: str) -> RunRef:
        """The same among the open runs; a complete run is found only if the id of no open one begins with `text`.

        But `-` is the latest run, also if it is complete: with it nobody means a run that was there before.
        """
        if text == LATEST:
            return self._latest()
        return self._the_run(text, self._open_refs(text) or set(self.results.runs()))

    def _the_run(self, text: str, runs: set[RunRef]) -> RunRef:
        return the_run(text, runs, self._app.command("ls"))

    def _latest(self) -> RunRef:
        found = {*self.results.runs(), *(dropped.ref for dropped in self.inbox.waiting())}
        is_open = self.open()
        last = max((run.dropped for run in is_open), default=None)
        loaded = [self._open.load(run.id) for run in is_open if run.dropped == last]
        return latest(found | {RunRef(run.id, run.results) for run in loaded if run})

    def _open_refs(self, text: str) -> set[RunRef]:
        """The open runs whose ids begin with `text`, including those whose manifest is still in the inbox."""
        waiting = {dropped.ref for dropped in self.inbox.waiting() if dropped.ref.id.startswith(text)}
        loaded = (self._open.load(listed.id) for listed in self.open() if listed.id.startswith(text))
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

        What one may not read of it is left out: its state is in the results too.
        """
        try:
            return self._look()
        except HttpResponseError as error:
            if not is_refusal(error):
                raise
            status = self._runs.results.status(self._ref)
            return RunView(status.state if status else None, status=status, hidden=self._runs.refusal(error))

    def _look(self) -> RunView:
        run = self._runs.open_run(self._ref.id)
        if run is None:
            return RunView(None)
        if self._names is None:
            self._names = _task_names(run)
        tasks = {task.name: task for number in range(1, run.progress.round + 1) for task in self._of_round(run, number)}
        status = self._runs.results.status(self._ref) if run.progress.waiting else None
        hidden = "" if self._runs.tasks.is_there else "No stack is running, so that its tasks are not."
        return RunView(run.progress.state, tuple(tasks.values()), self._names, status, hidden)

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


def _task_names(run: Run) -> tuple[str, ...]:
    """The ids of the tasks of a manifest; none if the manifest is wrong, which the record will say."""
    try:
        manifest = manifest_of(run)
    except ManifestError:
        return ()
    return tuple(task.id for task in manifest.flow.tasks if task.id in manifest.dependencies)
