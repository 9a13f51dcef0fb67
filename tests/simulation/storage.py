"""Blob storage in memory, as far as the app uses it: create-once, If-Match, metadata, listings, copies.

The methods are those of the SDK's clients, with their names and errors, so that the app's own storage classes run on it
unchanged. Every request is counted by container and kind; `before_request` may fail it, or end the invocation; what was
`written` and `removed` is told.
"""

from __future__ import annotations

import base64
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Never
from urllib.parse import unquote

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

LIST_PAGE = 5000
_ETAGS = itertools.count(1)


@dataclass(frozen=True)
class Copy:
    """How the copy went that made a blob."""

    status: str | None = None


@dataclass(frozen=True)
class Content:
    """What a blob's headers say of its content."""

    content_md5: bytes | None = None


@dataclass(frozen=True)
class Blob:
    """One version of a blob; it looks as a listing shows it."""

    name: str
    content: bytes
    metadata: Mapping[str, str]
    last_modified: datetime
    etag: str
    copy: Copy = Copy()
    content_settings: Content = Content()

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.content)


@dataclass(frozen=True)
class Download:
    """What a download gives."""

    properties: Blob | SimpleNamespace
    content: bytes

    def readall(self) -> bytes:
        """Everything that was asked for."""
        return self.content

    def chunks(self) -> Iterator[bytes]:
        """The same, in one piece."""
        yield self.content


@dataclass
class Storage:
    """An account: the client of the service, and what lies in it."""

    clock: Callable[[], datetime]
    before_request: Callable[[], None] = lambda: None
    written: Callable[[str, Blob], None] = lambda *_: None
    removed: Callable[[str, str], None] = lambda *_: None
    requests: Counter[str] = field(default_factory=Counter)
    containers: dict[str, Container] = field(default_factory=dict)

    url = "https://simulated.blob.core.windows.net"
    credential = SimpleNamespace(account_key=base64.b64encode(b"key").decode())

    def get_container_client(self, name: str) -> Container:
        """A container, made when it is first asked for."""
        return self.containers.setdefault(name, Container(self, name))

    def request(self, kind: str) -> None:
        """Count a request, which may fail."""
        self.before_request()
        self.requests[kind] += 1


class Container:
    """A container, and its client. Blobs are kept by the first part of their names, by which listings find them."""

    def __init__(self, storage: Storage, name: str) -> None:
        self.container_name = name
        self.url = f"{storage.url}/{name}"
        self._storage = storage
        self._folders: dict[str, dict[str, Blob]] = {}

    def find(self, name: str) -> Blob | None:
        """A blob, without a request."""
        return self._folders.get(name.partition("/")[0], {}).get(name)

    def all(self, prefix: str = "") -> list[Blob]:
        """The blobs whose names begin so, without a request."""
        if "/" in prefix:
            folder = self._folders.get(prefix.partition("/")[0], {})
            return sorted((blob for name, blob in folder.items() if name.startswith(prefix)), key=lambda it: it.name)
        return sorted((blob for folder in self._folders.values() for blob in folder.values()), key=lambda it: it.name)

    def put(
        self, name: str, content: bytes, metadata: Mapping[str, str] | None = None, *, silent: bool = False, **how: Any
    ) -> Blob:
        """Write a blob, without a request."""
        blob = Blob(name, content, metadata or {}, self._storage.clock(), f'"0x{next(_ETAGS):X}"', **how)
        self._folders.setdefault(name.partition("/")[0], {})[name] = blob
        if not silent:
            self._storage.written(self.container_name, blob)
        return blob

    def drop(self, name: str) -> None:
        """Remove a blob, without a request."""
        first = name.partition("/")[0]
        folder = self._folders.get(first, {})
        folder.pop(name, None)
        if not folder:
            self._folders.pop(first, None)

    def get_blob_client(self, name: str) -> BlobClient:
        """The client of a blob."""
        return BlobClient(self._storage, self, name)

    def upload_blob(self, name: str, data: bytes, **options: Any) -> dict[str, object]:
        """Put Blob."""
        return self.get_blob_client(name).upload_blob(data, **options)

    def download_blob(self, name: str, **options: Any) -> Download:
        """Get Blob."""
        return self.get_blob_client(name).download_blob(**options)

    def delete_blob(self, name: str, etag: str | None = None, match_condition: MatchConditions | None = None) -> None:
        """Delete Blob."""
        self._storage.request(f"{self.container_name} delete")
        _check(self.find(name), etag, match_condition, must_exist=True)
        self.drop(name)
        self._storage.removed(self.container_name, name)

    def delete_blobs(self, *names: str, raise_on_any_failure: bool) -> list[SimpleNamespace]:
        """Blob Batch of deletes."""
        assert not raise_on_any_failure
        self._storage.request(f"{self.container_name} delete batch")
        answers = [SimpleNamespace(status_code=202 if self.find(name) else 404) for name in names]
        for name in names:
            self.drop(name)
        return answers

    def list_blobs(self, name_starts_with: str = "", include: list[str] | None = None) -> Iterator[Blob]:
        """List Blobs, a page a request."""
        del include
        found = self.all(name_starts_with)
        for start in range(0, max(1, len(found)), LIST_PAGE):
            self._storage.request(f"{self.container_name} list")
            yield from found[start : start + LIST_PAGE]

    def list_blob_names(self, name_starts_with: str = "") -> Iterator[str]:
        """List Blobs, names alone."""
        return (blob.name for blob in self.list_blobs(name_starts_with))

    def walk_blobs(self, include: list[str], delimiter: str) -> Iterator[Blob]:
        """List Blobs with a delimiter: what lies at the top. Folders are left out, as the app does itself."""
        assert (include, delimiter) == (["metadata"], "/")
        top = sorted(name for name, folder in self._folders.items() if name in folder)
        for start in range(0, max(1, len(top)), LIST_PAGE):
            self._storage.request(f"{self.container_name} list")
            yield from (self._folders[name][name] for name in top[start : start + LIST_PAGE] if name in self._folders)


class BlobClient:
    """The client of a blob."""

    def __init__(self, storage: Storage, container: Container, name: str) -> None:
        self.blob_name = name
        self.url = f"{container.url}/{name}"
        self._storage = storage
        self._container = container

    def exists(self) -> bool:
        """Get Blob Properties."""
        self._request("read")
        return self._container.find(self.blob_name) is not None

    def upload_blob(
        self,
        data: bytes,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
        etag: str | None = None,
        match_condition: MatchConditions | None = None,
        content_settings: object = None,
    ) -> dict[str, object]:
        """Put Blob; without `overwrite` only if there is none."""
        del content_settings
        self._request("write")
        found = self._container.find(self.blob_name)
        if found and not overwrite:
            raise ResourceExistsError("BlobAlreadyExists")
        _check(found, etag, match_condition)
        blob = self._container.put(self.blob_name, data, metadata)
        return {"etag": blob.etag, "last_modified": blob.last_modified}

    def create_append_blob(self, match_condition: MatchConditions) -> None:
        """Put Blob, of the kind that is appended to; only if there is none."""
        assert match_condition is MatchConditions.IfMissing
        self._request("write")
        if self._container.find(self.blob_name):
            raise ResourceExistsError("BlobAlreadyExists")
        self._container.put(self.blob_name, b"", None)

    def append_block(self, data: bytes) -> None:
        """Append Block; what is appended is not kept, because nothing here reads it."""
        del data
        self._request("write")
        if self._container.find(self.blob_name) is None:
            raise ResourceNotFoundError("BlobNotFound")

    def download_blob(self, offset: int | None = None, length: int | None = None, **_transport: object) -> Download:
        """Get Blob."""
        self._request("read")
        blob = self._container.find(self.blob_name)
        if blob is None:
            raise ResourceNotFoundError("BlobNotFound")
        if offset is None or length is None:
            return Download(blob, blob.content)
        if not blob.content:
            _fail(416, "InvalidRange")
        part = blob.content[offset : offset + length]
        shown = {"etag": blob.etag, "last_modified": blob.last_modified, "metadata": blob.metadata}
        ends = f"bytes {offset}-{offset + len(part) - 1}/{blob.size}"
        return Download(SimpleNamespace(**shown, content_range=ends), part)

    def set_blob_metadata(
        self, metadata: Mapping[str, str], etag: str, match_condition: MatchConditions
    ) -> dict[str, object]:
        """Set Blob Metadata."""
        self._request("write")
        found = self._container.find(self.blob_name)
        _check(found, etag, match_condition, must_exist=True)
        assert found
        return {"etag": self._container.put(self.blob_name, found.content, metadata).etag}

    def start_copy_from_url(
        self,
        source_url: str,
        match_condition: MatchConditions = MatchConditions.Unconditionally,
        source_etag: str | None = None,
        source_match_condition: MatchConditions | None = None,
    ) -> dict[str, object]:
        """Copy Blob, which completes at once."""
        self._request("write")
        container, _, name = unquote(source_url).removeprefix(f"{self._storage.url}/").partition("/")
        source = self._storage.get_container_client(container).find(name)
        if source is None:
            raise ResourceNotFoundError("BlobNotFound")
        _check(source, source_etag, source_match_condition)
        if match_condition is MatchConditions.IfMissing and self._container.find(self.blob_name):
            raise ResourceExistsError("BlobAlreadyExists")
        self._container.put(self.blob_name, source.content, copy=Copy("success"))
        return {"copy_status": "success"}

    def _request(self, kind: str) -> None:
        self._storage.request(f"{self._container.container_name} {kind}")


def _check(
    found: Blob | None, etag: str | None, condition: MatchConditions | None, *, must_exist: bool = False
) -> None:
    if found is None and must_exist:
        raise ResourceNotFoundError("BlobNotFound")
    if condition is MatchConditions.IfNotModified and (found is None or found.etag.strip('"') != str(etag).strip('"')):
        raise ResourceModifiedError("ConditionNotMet")


def _fail(status: int, code: str) -> Never:
    error = HttpResponseError(code)
    error.status_code = status
    raise error
