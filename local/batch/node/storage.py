"""How a node reaches storage, and how errors of storage read in a task's `failureInfo`."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from azure.storage.blob import ContainerClient, LinearRetry

from local.batch.failures import FailureCode

if TYPE_CHECKING:
    from local.batch.models.common import FailureInfo

RETRY = LinearRetry(backoff=1, retry_total=1, random_jitter_range=0)


@dataclass(frozen=True)
class StorageFailureCodes:
    """The codes for one kind of access: what is not there, what may not be accessed, and anything else."""

    not_found: FailureCode
    denied: FailureCode
    other: FailureCode

    def failure(self, status: int | None, **details: str) -> FailureInfo:
        """Return the `failureInfo` for an HTTP status of storage, None if there was no answer."""
        if status == HTTPStatus.NOT_FOUND:
            return self.not_found.info(**details)
        if status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT):
            return self.denied.info(**details)
        return self.other.info(**details)


BLOB_DOWNLOAD = StorageFailureCodes(
    FailureCode.BLOB_NOT_FOUND, FailureCode.BLOB_ACCESS_DENIED, FailureCode.BLOB_DOWNLOAD_MISC_ERROR
)
CONTAINER_DOWNLOAD = StorageFailureCodes(
    FailureCode.RESOURCE_CONTAINER_NOT_FOUND,
    FailureCode.RESOURCE_CONTAINER_ACCESS_DENIED,
    FailureCode.RESOURCE_CONTAINER_LIST_MISC_ERROR,
)
FILE_UPLOAD = StorageFailureCodes(
    FailureCode.FILE_UPLOAD_CONTAINER_NOT_FOUND,
    FailureCode.FILE_UPLOAD_ACCESS_DENIED,
    FailureCode.FILE_UPLOAD_MISC_ERROR,
)


def container_client(url: str) -> ContainerClient:
    """Return a client for a container URL with its SAS; storage that does not answer is an error within seconds."""
    return ContainerClient.from_container_url(url, retry_policy=RETRY)
