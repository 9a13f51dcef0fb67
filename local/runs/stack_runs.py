"""The runs of one stack, through the same containers and the same Batch account that the app uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from azure.core.exceptions import AzureError

from local.errors import LocalError
from local.runs.inbox import Inbox
from local.runs.refs import DroppedRun, RunRef, the_run
from local.runs.results import Results
from local.runs.tasks import BatchTasks, TaskView
from shared.clients import Clients
from shared.documents.names import job_id
from shared.documents.progress import ListedRun
from shared.documents.record import Status
from shared.documents.run import Run
from shared.documents.states import State
from shared.errors import ManifestError, RunUnreadable
from shared.plan.planner import manifest_of
from shared.settings import Settings
from shared.storage.runs import RunStore


@dataclass(frozen=True)
class RunView:
    """An open run; `state` is None while its manifest still lies in the inbox.

    `names` are the ids of its tasks in their order, `tasks` those that Batch has or had. While it waits, `status` says
    why.
    """

    state: State | None
    tasks: tuple[TaskView, ...] = ()
    names: tuple[str, ...] = ()
    status: Status | None = None


class StackRuns:
    """Open runs, dropped manifests, and what is in the results."""

    def __init__(self, inbox: Inbox, results: Results, tasks: BatchTasks, store: RunStore) -> None:
        self.inbox = inbox
        self.results = results
        self.tasks = tasks
        self._store = store

    @classmethod
    @contextmanager
    def of(cls, app_settings: Mapping[str, str]) -> Iterator[StackRuns]:
        """The runs of the stack with these app settings.

        Connections are closed at the end: those that stay open would keep Azurite from stopping. Raises LocalError if
        the stack does not answer.
        """
        settings = Settings.from_environ(app_settings)
        clients, names = Clients(settings), settings.containers
        with clients.blobs, clients.batch:
            try:
                yield cls(
                    Inbox(clients.blobs.get_container_client(names.inbox)),
                    Results(clients.blobs.get_container_client(names.results)),
                    BatchTasks(clients.batch),
                    RunStore(clients.blobs.get_container_client(names.runs)),
                )
            except AzureError as error:
                reason = str(error).partition("\n")[0]
                message = (
                    f"The stack does not answer. If it was stopped, its runs go on once it is up again. ({reason})"
                )
                raise LocalError(message) from error
            except RunUnreadable as error:
                raise LocalError(str(error)) from error

    def open(self) -> list[ListedRun]:
        """All open runs, the oldest first."""
        return self._store.list()

    def open_run(self, run_id: str) -> Run | None:
        """The document of a run; None if it is not open."""
        return self._store.load(run_id)

    def withdraw(self, run: DroppedRun) -> bool:
        """Take its manifest out of the inbox again; False if the app has already taken it."""
        if self._store.load(run.ref.id) is not None or not self.inbox.remove(run):
            return False
        return self._store.load(run.ref.id) is None  # it may have been read just before

    def find(self, text: str) -> RunRef:
        """The run of that id, or of the only id that begins with it: open or complete. Raises LocalError."""
        return the_run(text, {*self.results.runs(), *self._open_refs(text)})

    def find_open(self, text: str) -> RunRef:
        """The same, where only open runs can be meant; a complete one is found if no open one begins so."""
        return the_run(text, self._open_refs(text) or self.results.runs())

    def _open_refs(self, text: str) -> set[RunRef]:
        """The open runs whose ids begin with `text`, those in the inbox included."""
        waiting = {dropped.ref for dropped in self.inbox.waiting() if dropped.ref.id.startswith(text)}
        loaded = (self._store.load(listed.id) for listed in self.open() if listed.id.startswith(text))
        return waiting | {RunRef(run.id, run.results) for run in loaded if run}


class WatchedRun:
    """One run while somebody looks at it; what cannot change any more is not read again."""

    def __init__(self, runs: StackRuns, ref: RunRef) -> None:
        self.ref = ref
        self._runs = runs
        self._names: tuple[str, ...] | None = None
        self._ended_rounds: dict[int, tuple[TaskView, ...]] = {}

    def look(self) -> RunView:
        """How the run is now; Batch is asked only once it has a job of it."""
        run = self._runs.open_run(self.ref.id)
        if run is None:
            return RunView(None)
        if self._names is None:
            self._names = _task_names(run)
        tasks = {task.name: task for number in range(1, run.progress.round + 1) for task in self._of_round(run, number)}
        status = self._runs.results.status(self.ref) if run.progress.waiting else None
        return RunView(run.progress.state, tuple(tasks.values()), self._names, status)

    def _of_round(self, run: Run, number: int) -> tuple[TaskView, ...]:
        """A later round repeats tasks of an earlier one; what counts is how they are there."""
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
    """The tasks of a manifest; none if it is wrong, which the record will say."""
    try:
        manifest = manifest_of(run)
    except ManifestError:
        return ()
    return tuple(task.id for task in manifest.flow.tasks if task.id in manifest.dependencies)
