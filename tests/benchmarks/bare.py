"""The calls of one run of one task, as tests/integration/test_costs.py lists them, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.batch import models

from shared.documents.progress import Progress
from shared.settings import Containers

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.storage.blob import BlobServiceClient, ContainerClient

DOCUMENT = b"x" * 1200  # about as large as a run document, a script or a record


@dataclass(frozen=True)
class Bare:
    """The clients, and where things lie."""

    storage: BlobServiceClient
    batch: BatchClient
    containers: Containers
    pool: str

    def _container(self, name: str) -> ContainerClient:
        return self.storage.get_container_client(name)

    def submit(self, name: str, manifest: str) -> None:
        """Everything from the drop of `manifest` to RUNNING."""
        inbox, runs = self._container(self.containers.inbox), self._container(self.containers.runs)
        results, staging = self._container(self.containers.results), self._container(self.containers.staging)
        text = inbox.download_blob(manifest, offset=0, length=1 << 20).readall()
        document, metadata = f"{name}.json", Progress().to_metadata()
        runs.upload_blob(document, DOCUMENT, metadata=metadata)
        results.get_blob_client(f"{name}/record.json").exists()
        results.upload_blob(f"{name}/manifest.yaml", text, overwrite=True)
        inbox.delete_blob(manifest)
        staging.upload_blob(f"{name}/sys/task/run.sh", DOCUMENT, overwrite=True)
        self.create_job(name)
        runs.download_blob(document).readall()
        self.add_task(name)
        results.upload_blob(f"{name}/status.json", DOCUMENT, overwrite=True)
        runs.upload_blob(document, DOCUMENT, metadata=metadata, overwrite=True)

    def create_job(self, name: str) -> None:
        """Create a job."""
        self.batch.create_job(models.BatchJobCreateOptions(id=name, pool_info=models.BatchPoolInfo(pool_id=self.pool)))

    def add_task(self, name: str) -> None:
        """Add its only task, and let the job end with it."""
        task = models.BatchTaskCreateOptions(id="1", command_line="/bin/sh -c 'echo hi'")
        self.batch.create_task_collection(name, models.BatchTaskGroup(task_values=[task]))
        mode = models.BatchAllTasksCompleteMode.TERMINATE_JOB
        self.batch.update_job(name, models.BatchJobUpdateOptions(all_tasks_complete_mode=mode))

    def list_and_delete(self, name: str) -> None:
        """Look how the task ended, and delete the job."""
        assert all(task.state == models.BatchTaskState.COMPLETED for task in self.batch.list_tasks(name))
        self.batch.begin_delete_job(name)

    def record(self, name: str) -> None:
        """Everything from JobEnded to the end of the run; the node's uploads are in the place of its own."""
        runs, staging = self._container(self.containers.runs), self._container(self.containers.staging)
        results = self._container(self.containers.results)
        runs.get_blob_client(f"{name}.json").set_blob_metadata(Progress().to_metadata())
        runs.download_blob(f"{name}.json").readall()
        list(staging.list_blobs(name_starts_with=f"{name}/"))
        script = staging.get_blob_client(f"{name}/sys/task/run.sh")
        for log in ("stdout.txt", "stderr.txt"):
            results.get_blob_client(f"{name}/logs/{log}").start_copy_from_url(script.url)
        script.download_blob().readall()
        runs.download_blob(f"{name}.json").readall()
        for log in ("stdout.txt", "stderr.txt"):
            results.download_blob(f"{name}/logs/{log}").readall()
        results.upload_blob(f"{name}/report.html", DOCUMENT * 10)
        results.upload_blob(f"{name}/record.json", DOCUMENT)
        self.list_and_delete(name)
        names = list(staging.list_blob_names(name_starts_with=f"{name}/"))
        list(staging.delete_blobs(*names))
        results.delete_blob(f"{name}/status.json")
        runs.delete_blob(f"{name}.json")
