"""The calls to storage and Batch of one run of one task, and nothing else.

They are as many, and of the same kinds, as those of the app: `tests/integration/test_costs.py` compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.batch import models
from azure.core.exceptions import ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from shared.batch.client import API_VERSION
from shared.documents.progress import Progress
from shared.settings import Containers

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.storage.blob import BlobServiceClient, ContainerClient

DOCUMENT = b"x" * 1200  # about as large as a run document, a script or a record
LINE = b"x" * 300 + b"\n"  # about as long as a line of the ledger
LEDGER = "_runs/bare.jsonl"
IMAGE = "ubuntu"
LOGS = ("stdout.txt", "stderr.txt")
MARKER = "ended"
SAS_HOURS = 12


@dataclass(frozen=True)
class Bare:
    """The clients, and where things lie."""

    storage: BlobServiceClient
    batch: BatchClient
    containers: Containers
    pool: str

    def _container(self, name: str) -> ContainerClient:
        return self.storage.get_container_client(name)

    def make_ledger(self) -> None:
        """Make the blob to which every run appends two lines."""
        self._container(self.containers.results).get_blob_client(LEDGER).create_append_blob()

    def submit(self, name: str, manifest: str) -> None:
        """Everything from the drop of `manifest` to RUNNING."""
        inbox, runs = self._container(self.containers.inbox), self._container(self.containers.runs)
        results, staging = self._container(self.containers.results), self._container(self.containers.staging)
        text = inbox.download_blob(manifest, offset=0, length=1 << 20).readall()
        document, metadata = f"{name}.json", Progress().to_metadata()
        runs.upload_blob(document, DOCUMENT, metadata=metadata)
        results.get_blob_client(LEDGER).append_block(LINE)
        with suppress(ResourceNotFoundError):
            results.download_blob(f"{name}/record.json")
        results.upload_blob(f"{name}/manifest.yaml", text, overwrite=True)
        inbox.delete_blob(manifest)
        staging.upload_blob(f"{name}/sys/task/run.sh", DOCUMENT, overwrite=True)
        self.create_job(name)
        runs.download_blob(document).readall()
        self.add_task(name, self._files(name))
        results.upload_blob(f"{name}/status.json", DOCUMENT, overwrite=True)
        runs.upload_blob(document, DOCUMENT, metadata=metadata, overwrite=True)

    def create_job(self, name: str) -> None:
        """Create a job."""
        self.batch.create_job(models.BatchJobCreateOptions(id=name, pool_info=models.BatchPoolInfo(pool_id=self.pool)))

    def add_task(self, name: str, files: Mapping[str, Any] | None = None) -> None:
        """Add its only task, and let the job end with it; `files` is what the node downloads and uploads."""
        root = models.AutoUserSpecification(scope="pool", elevation_level="admin")
        task = models.BatchTaskCreateOptions(
            id="1",
            command_line="/bin/sh -c 'echo hi | tee /dev/stderr'",  # the SDK asks twice for an empty blob
            container_settings=models.BatchTaskContainerSettings(image_name=IMAGE),
            user_identity=models.UserIdentity(auto_user=root),
            **(files or {}),
        )
        self.batch.create_task_collection(name, models.BatchTaskGroup(task_values=[task]))
        mode = models.BatchAllTasksCompleteMode.TERMINATE_JOB
        self.batch.update_job(name, models.BatchJobUpdateOptions(all_tasks_complete_mode=mode))

    def _files(self, name: str) -> dict[str, Any]:
        """What the node of a run of the app does too: its script comes, its logs and a marker go."""
        staging = self._container(self.containers.staging)
        sas = generate_container_sas(
            staging.account_name,
            staging.container_name,
            account_key=staging.credential.account_key,
            permission=ContainerSasPermissions(read=True, list=True, create=True, write=True),
            expiry=datetime.now(UTC) + timedelta(hours=SAS_HOURS),
        )
        url = f"{staging.url}?{sas}"
        script = models.ResourceFile(storage_container_url=url, blob_prefix=f"{name}/sys/")
        uploads = [(f"../{log}", f"{name}/std/{log}") for log in LOGS] + [("../stderr.txt", f"{name}/{MARKER}")]
        return {"resource_files": [script], "output_files": [_upload(url, file, path) for file, path in uploads]}

    def list_and_delete(self, name: str) -> None:
        """Look how the task ended, and delete the job; the SDK's own method would ask until it is gone."""
        assert all(task.state == models.BatchTaskState.COMPLETED for task in self.batch.list_tasks(name))
        request = HttpRequest("DELETE", f"/jobs/{name}", params={"api-version": API_VERSION})
        self.batch.send_request(request).raise_for_status()

    def record(self, name: str) -> None:
        """Everything from the marker of the task's end to the end of the run."""
        runs, staging = self._container(self.containers.runs), self._container(self.containers.staging)
        results = self._container(self.containers.results)
        document = f"{name}.json"
        runs.download_blob(document).readall()
        list(staging.list_blobs(name_starts_with=f"{name}/"))
        runs.get_blob_client(document).set_blob_metadata(Progress().to_metadata())
        list(staging.list_blobs(name_starts_with=f"{name}/"))
        for log in LOGS:
            source = staging.get_blob_client(f"{name}/std/{log}").url
            results.get_blob_client(f"{name}/logs/{log}").start_copy_from_url(source)
        staging.download_blob(f"{name}/std/{LOGS[0]}").readall()
        runs.download_blob(document).readall()
        for log in LOGS:
            results.download_blob(f"{name}/logs/{log}").readall()
        results.upload_blob(f"{name}/report.html", DOCUMENT * 10)
        results.upload_blob(f"{name}/record.json", DOCUMENT)
        results.get_blob_client(LEDGER).append_block(LINE)
        self.list_and_delete(name)
        names = list(staging.list_blob_names(name_starts_with=f"{name}/"))
        list(staging.delete_blobs(*names))
        results.delete_blob(f"{name}/status.json")
        runs.delete_blob(document)


def _upload(container: str, file: str, path: str) -> models.OutputFile:
    destination = models.OutputFileBlobContainerDestination(container_url=container, path=path)
    condition = models.OutputFileUploadCondition.TASK_COMPLETION
    return models.OutputFile(
        file_pattern=file,
        destination=models.OutputFileDestination(container=destination),
        upload_options=models.OutputFileUploadConfiguration(upload_condition=condition),
    )
