"""Stored flows: blobs `<namespace>/<id>.yaml` in a container of their own, which run requests name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from batchrun.errors import ClientError, UsageError, printable
from shared.documents.manifest_blob import ManifestBlob, manifest_blob
from shared.documents.names import STORED_FLOW_SUFFIX, stored_flow_blob
from shared.errors import did_you_mean

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


class Put(StrEnum):
    """What has become of a flow that was put."""

    STORED = "stored"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class StoredFlow:
    """A stored flow, as it is listed."""

    name: str
    bytes: int
    modified: datetime


class Flows:
    """The container with the stored flows."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def all(self, namespace: str | None = None) -> list[StoredFlow]:
        """The stored flows, or those of a namespace. Raises ClientError if there is no container for them."""
        try:
            return list(self._listed(f"{namespace}/" if namespace else None))
        except ResourceNotFoundError:
            raise ClientError(f"{self._no_container()}.") from None

    def _listed(self, prefix: str | None) -> Iterator[StoredFlow]:
        for blob in self._container.list_blobs(name_starts_with=prefix):
            name = blob.name.removesuffix(STORED_FLOW_SUFFIX)
            if stored_flow_blob(name) == blob.name:
                yield StoredFlow(name, blob.size, blob.last_modified)

    def content(self, name: str) -> bytes:
        """The file of a stored flow. Raises ClientError if there is none."""
        try:
            return self._container.download_blob(checked(name)).readall()
        except ResourceNotFoundError:
            raise ClientError(f"{self._why_not_there(name)}.") from None

    def read(self, name: str) -> ManifestBlob:
        """A stored flow as the app reads it; without text if there is none, which says why."""
        blob = checked(name)
        try:
            stream = self._container.download_blob(blob)
        except ResourceNotFoundError:
            return ManifestBlob(name=blob, etag="", sha256=None, text=None, unreadable=self._why_not_there(name))
        etag = str(stream.properties.etag).strip('"')
        return manifest_blob(blob, etag, stream.readall(), f"the stored flow {name!r}")

    def put(self, name: str, content: bytes) -> Put:
        """Store a flow, as a whole. Raises ClientError if somebody else does so at the same time."""
        blob = self._container.get_blob_client(checked(name))
        try:
            stream = blob.download_blob()
            if stream.readall() == content:
                return Put.UNCHANGED
            seen = stream.properties.etag
            blob.upload_blob(content, overwrite=True, etag=seen, match_condition=MatchConditions.IfNotModified)
        except ResourceModifiedError:
            return self._put_by_whom(name, content, Put.REPLACED)
        except ResourceNotFoundError as error:
            if getattr(error, "error_code", None) == "ContainerNotFound":
                raise ClientError(f"{self._no_container()}.") from None
        else:
            return Put.REPLACED
        try:
            blob.upload_blob(content)
        except ResourceExistsError:
            return self._put_by_whom(name, content, Put.STORED)
        return Put.STORED

    def _put_by_whom(self, name: str, content: bytes, done: Put) -> Put:
        """What is `done` if the flow is what was put: a request without an answer is sent again, and refused then."""
        if self.content(name) != content:
            raise ClientError(f"{name} has been changed by somebody else meanwhile: look at it, and put it again.")
        return done

    def remove(self, name: str) -> None:
        """Remove a stored flow. Raises ClientError if there is none."""
        try:
            self._container.delete_blob(checked(name))
        except ResourceNotFoundError:
            raise ClientError(f"{self._why_not_there(name)}.") from None

    def _why_not_there(self, name: str) -> str:
        missing = f"there is no stored flow {name!r}"
        try:
            known = [flow.name for flow in self._listed(f"{name.partition('/')[0]}/")]
        except ResourceNotFoundError:
            return f"{missing}, because {self._no_container()}"
        if name.removesuffix(STORED_FLOW_SUFFIX) in known:
            return f'{missing}; did you mean "{name.removesuffix(STORED_FLOW_SUFFIX)}"?'
        if (file := Path(name + STORED_FLOW_SUFFIX)).is_file():
            return f"{missing}; there is a file {file} here"
        return missing + did_you_mean(name, known)

    def _no_container(self) -> str:
        return f"the container {self._container.container_name!r} does not exist: create it, or deploy the app again"


def checked(name: str) -> str:
    """The blob of a stored flow. Raises UsageError if no flow can have this name."""
    blob = stored_flow_blob(name)
    if blob is None:
        raise UsageError(
            f"{printable(name)!r} is not the name of a stored flow: <namespace>/<id>, as in company.team/etl."
        )
    return blob
