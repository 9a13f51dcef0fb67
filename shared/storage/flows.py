"""The flows container: stored flows, which run requests name. The app only reads it; operators write it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError

from shared.documents.manifest_blob import MAX_BYTES, ManifestBlob, manifest_blob
from shared.documents.names import STORED_FLOW_SUFFIX, stored_flow_blob
from shared.errors import did_you_mean
from shared.storage._blobs import beginning_of

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


@dataclass(frozen=True)
class FlowVersion:
    """A version of a stored flow, as a listing returns it."""

    etag: str
    last_modified: datetime


class StoredFlows:
    """The flows container."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def read(self, name: str) -> ManifestBlob:
        """The current version of the stored flow `<namespace>/<id>`; without text if there is none, which says why."""
        blob = stored_flow_blob(name) or name
        try:
            stream = beginning_of(self._container, blob, MAX_BYTES + 1)
        except ResourceNotFoundError:
            return ManifestBlob(name=blob, etag="", sha256=None, text=None, unreadable=self._why_not_found(name))
        return manifest_blob(blob, stream.properties.etag.strip('"'), stream.readall(), f"the stored flow {name!r}")

    def list(self) -> dict[str, FlowVersion]:
        """The current versions of all stored flows by their names; other blobs are ignored."""
        try:
            blobs = list(self._container.list_blobs())
        except ResourceNotFoundError:  # the container of an app that was deployed before there were stored flows
            return {}
        return {
            name: FlowVersion(blob.etag.strip('"'), blob.last_modified)
            for blob in blobs
            if stored_flow_blob(name := blob.name.removesuffix(STORED_FLOW_SUFFIX)) == blob.name
        }

    def _why_not_found(self, name: str) -> str:
        namespace = name.partition("/")[0]
        where = f"the container {self._container.container_name!r}"
        try:
            listed = list(self._container.list_blob_names(name_starts_with=f"{namespace}/"))
        except ResourceNotFoundError:
            return (
                f"there is no stored flow {name!r}, because {where} does not exist: create it, or deploy the app again"
            )
        known = [each.removesuffix(STORED_FLOW_SUFFIX) for each in listed if each.endswith(STORED_FLOW_SUFFIX)]
        hint = did_you_mean(name, known) or f"; `batchrun flows put FILE` stores one in {where}"
        return f"there is no stored flow {name!r}{hint}"
