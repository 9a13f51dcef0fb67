"""A run from the outside: dropped, looked at while it is open, and its record and files once it is complete."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from azure.batch.models import BatchTaskState
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from local.errors import LocalError
from shared.record import Record
from shared.run_id import CANCEL_SUFFIX, results_folder, run_id
from shared.run_store import RunStore
from shared.states import State

if TYPE_CHECKING:
    from pathlib import Path

    from azure.batch import BatchClient
    from azure.batch.models import BatchTask
    from azure.storage.blob import BlobServiceClient

    from shared.settings import Containers

RECORD = "record.json"


@dataclass(frozen=True)
class TaskView:
    """A task as Batch shows it: `state` is Batch's, the exit code is None unless it ended with one."""

    name: str
    state: BatchTaskState
    exit_code: int | None


@dataclass(frozen=True)
class RunView:
    """An open run: None while its manifest still lies in the inbox."""

    state: State | None
    tasks: tuple[TaskView, ...] = ()


@dataclass(frozen=True)
class DroppedRun:
    """One dropped manifest; `blob` is its name in the inbox, `etag` its version."""

    blob: str
    etag: str
    id: str

    @property
    def name(self) -> str:
        """The manifest's name without its extension."""
        return PurePosixPath(self.blob).stem

    @property
    def cancel_blob(self) -> str:
        """The blob that cancels it when it is put into the inbox."""
        return self.id + CANCEL_SUFFIX

    @property
    def folder(self) -> str:
        """Where its results lie in the results container."""
        return results_folder(self.blob, self.id)


class Runs:
    """The runs of one stack, through the same containers and the same Batch account that the app uses."""

    def __init__(self, blobs: BlobServiceClient, batch: BatchClient, containers: Containers) -> None:
        self._inbox = blobs.get_container_client(containers.inbox)
        self._results = blobs.get_container_client(containers.results)
        self._store = RunStore(blobs.get_container_client(containers.runs))
        self._batch = batch

    def drop(self, manifest: Path) -> DroppedRun:
        """Put a manifest into the inbox.

        Raises LocalError if one of this name has not been taken yet: it would be replaced and never run.
        """
        try:
            answer = self._inbox.get_blob_client(manifest.name).upload_blob(manifest.read_bytes())
        except ResourceExistsError:
            raise LocalError(f"A manifest {manifest.name} still lies in the inbox. Wait until it is taken.") from None
        version = run_id(self._inbox.container_name, manifest.name, answer["etag"], answer["last_modified"])
        return DroppedRun(manifest.name, answer["etag"], version)

    def is_waiting(self, run: DroppedRun) -> bool:
        """Whether its manifest still lies in the inbox."""
        try:
            return bool(self._inbox.get_blob_client(run.blob).get_blob_properties().etag == run.etag)
        except ResourceNotFoundError:
            return False

    def withdraw(self, run: DroppedRun) -> bool:
        """Take its manifest out of the inbox again; False if the app has already taken it."""
        if self._store.load(run.id) is not None:
            return False
        try:
            self._inbox.delete_blob(run.blob, etag=run.etag, match_condition=MatchConditions.IfNotModified)
        except (ResourceNotFoundError, ResourceModifiedError):
            return False
        return self._store.load(run.id) is None  # it may have been read just before

    def cancel(self, run: DroppedRun) -> None:
        """Ask the app to cancel it, which it does when it looks at the inbox next."""
        self._inbox.upload_blob(run.cancel_blob, b"", overwrite=True)

    def view(self, run: DroppedRun) -> RunView:
        """How an open run is; Batch is asked only while it runs there."""
        stored = self._store.load(run.id)
        if stored is None:
            return RunView(None)
        state = stored.progress.state
        return RunView(state, self._tasks(stored.job_id) if state is State.RUNNING else ())

    def record(self, run: DroppedRun) -> Record | None:
        """The record of a run that is complete."""
        try:
            text = self._results.download_blob(f"{run.folder}/{RECORD}").readall()
        except ResourceNotFoundError:
            return None
        return Record.model_validate_json(text)

    def download(self, run: DroppedRun, folder: Path) -> list[Path]:
        """Copy everything that a run has left into a local folder; returns the files."""
        files = []
        for blob in self._results.list_blob_names(name_starts_with=f"{run.folder}/"):
            file = (folder / blob.removeprefix(f"{run.folder}/")).resolve()
            if not file.is_relative_to(folder.resolve()):
                raise LocalError(f"The result {blob} would be written outside of {folder}: it is not downloaded.")
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as content:
                self._results.download_blob(blob).readinto(content)
            files.append(file)
        return files

    def _tasks(self, job_id: str) -> tuple[TaskView, ...]:
        try:
            tasks = list(self._batch.list_tasks(job_id, select=["id", "displayName", "state", "executionInfo"]))
        except HttpResponseError:
            return ()  # the job is just being made, or has gone
        return tuple(map(_task_view, tasks))


def _task_view(task: BatchTask) -> TaskView:
    info = task.execution_info
    return TaskView(task.display_name or task.id, BatchTaskState(task.state), info.exit_code if info else None)
