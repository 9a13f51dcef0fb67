"""How a node reaches storage, and how errors of storage read in a task's `failureInfo`."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobClient, ContainerClient, LinearRetry

from local.azurite_account import ACCOUNT_KEY, ACCOUNT_NAME
from local.batch.failures import FailureCode
from local.batch.models.common import FailureInfo
from local.batch.models.node_task import IdentityReference
from local.batch.models.pool import Pool


def _retry() -> LinearRetry:
    """A client's own: a policy is part of one client's pipeline, and knows what comes after it there."""
    return LinearRetry(backoff=1, retry_total=3, random_jitter_range=0)


class IdentityError(Exception):
    """No identity of the node gives it access; the message says why."""


@dataclass(frozen=True)
class StorageAccess:
    """How the nodes of a pool reach storage: by what a URL carries, or by an identity of the pool.

    On this machine an identity has access to the storage emulator and to nothing else. Storage that does not answer is
    an error within seconds.
    """

    pool: Pool

    def container(self, url: str, identity: IdentityReference | None) -> ContainerClient:
        """Return a client for a container; IdentityError if the identity cannot be used."""
        return ContainerClient.from_container_url(url, self._credential(url, identity), retry_policy=_retry())

    def blob(self, url: str, identity: IdentityReference | None) -> BlobClient:
        """Return a client for a blob; IdentityError if the identity cannot be used."""
        return BlobClient.from_blob_url(url, self._credential(url, identity), retry_policy=_retry())

    def _credential(self, url: str, identity: IdentityReference | None) -> AzureNamedKeyCredential | None:
        if identity is None:
            return None
        if not self.pool.has_identity(identity.resource_id):
            raise IdentityError(
                f"HTTP 400 Bad Request: the identity {identity.resource_id} is none of the pool {self.pool.id}."
            )
        if urlsplit(url).path.strip("/").partition("/")[0] != ACCOUNT_NAME:
            raise IdentityError(f"On this machine an identity has access to the account {ACCOUNT_NAME} only: {url}")
        return AzureNamedKeyCredential(ACCOUNT_NAME, ACCOUNT_KEY)


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
