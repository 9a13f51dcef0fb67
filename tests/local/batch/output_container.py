"""A container for the output files of tasks."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from azure.batch import models
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas


class Container:
    """A container with a SAS."""

    def __init__(self, storage: BlobServiceClient) -> None:
        self.client = storage.create_container(f"c{uuid.uuid4().hex[:12]}")
        self.sas = generate_container_sas(
            storage.account_name,
            self.client.container_name,
            account_key=storage.credential.account_key,
            permission=ContainerSasPermissions(read=True, write=True, list=True, create=True),
            start=datetime.now(UTC) - timedelta(minutes=15),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )

    @property
    def url(self) -> str:
        """The URL that nodes get."""
        return f"{self.client.url}?{self.sas}"

    def blob_url(self, name: str) -> str:
        """The URL of one blob."""
        return f"{self.client.url}/{name}?{self.sas}"

    def blobs(self) -> dict[str, bytes]:
        """What lies in the container."""
        names = list(self.client.list_blob_names())
        return {name: self.client.download_blob(name).readall() for name in names}


def output(url: str, pattern: str, path: str | None = None, condition: str = "taskcompletion") -> models.OutputFile:
    destination = models.OutputFileBlobContainerDestination(container_url=url, path=path)
    return models.OutputFile(
        file_pattern=pattern,
        destination=models.OutputFileDestination(container=destination),
        upload_options=models.OutputFileUploadConfiguration(upload_condition=condition),
    )
