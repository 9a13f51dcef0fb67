"""The results container: copies from staging, and the app's own documents.

Secrets are masked here, in everything that the app itself writes. Files and logs of tasks are copied by storage and
never changed.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from pydantic import ValidationError

from shared.documents.document import Document
from shared.documents.manifest_blob import MAX_BYTES, ManifestBlob, manifest_blob
from shared.documents.names import FLOW_FILE, MANIFEST_FILE
from shared.documents.record import ITEMS_BLOB, Items, ManifestRef, Record
from shared.documents.run import Run
from shared.documents.status import Status
from shared.documents.task_result import ItemRecord, OutputFile
from shared.errors import TryLater
from shared.manifest.redaction import redacted
from shared.masking import Masker
from shared.storage._blobs import NO_SUCH_RANGE, beginning_of, create_once, remove
from shared.storage.copies import Copies, CopySource, CopyState

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient
    from pydantic import JsonValue

_JSON = ContentSettings(content_type="application/json")
_HTML = ContentSettings(content_type="text/html; charset=utf-8")
_TEXT = ContentSettings(content_type="text/plain; charset=utf-8")
_YAML = ContentSettings(content_type="text/yaml; charset=utf-8")
COPIED = "success"
_REFUSED = (400, 404, 412)
_NO_RETRY: Mapping[str, Any] = {"retry_total": 0, "connection_timeout": 2, "read_timeout": 2}


class BlobVersion(NamedTuple):
    """The version of a blob, its size, and its MD5 (hex) if storage knows it."""

    etag: str
    bytes: int
    md5: str | None

    def holds(self, file: OutputFile) -> bool:
        """Whether it is the file that a record names, as far as that tells."""
        return self.bytes == file.bytes and (None in (self.md5, file.md5) or self.md5 == file.md5)


class Results:
    """The results container."""

    def __init__(self, container: ContainerClient, masker: Masker, copies: Copies) -> None:
        self._container = container
        self._masker = masker
        self._copies = copies

    def record(self, run: Run) -> Record | None:
        """The record of a run, if it is complete; secrets are masked in it.

        Raises ValidationError where a secret has the value of one of the record's own words.
        """
        return self.record_in(run.results)

    def record_in(self, folder: str) -> Record | None:
        """The same of the run with this folder."""
        try:
            content = self._container.download_blob(f"{folder}/record.json").readall()
        except ResourceNotFoundError:
            return None
        return Record.model_validate_json(content)

    def has_record(self, run: Run) -> bool:
        """Whether a run is recorded."""
        return bool(self._container.get_blob_client(f"{run.results}/record.json").exists())

    def items_in(self, folder: str, record: Record) -> dict[str, tuple[ItemRecord, ...]]:
        """The items of all fan-outs of a run that is recorded, by task; none if they cannot be read any more."""
        if not any(task.items and task.items.blob for task in record.tasks):
            return {task.id: task.items.records or () for task in record.tasks if task.items}
        try:
            content = self._container.download_blob(f"{folder}/{ITEMS_BLOB}").readall()
            return {task.id: task.items for task in Items.model_validate_json(content).tasks}
        except (ResourceNotFoundError, ValidationError):
            return {}

    def flow_of(self, folder: str, record: Record) -> ManifestBlob:
        """The text of the flow of a run that is recorded; without text if it is not there as it was run, and why."""
        name, ref = (FLOW_FILE, record.flow.source) if record.flow.source else (MANIFEST_FILE, record.manifest)
        try:
            content = beginning_of(self._container, f"{folder}/{name}", MAX_BYTES + 1).readall()
        except ResourceNotFoundError:
            return _without_text(ref, f"there is no {name} in {folder!r} of the results")
        found = manifest_blob(ref.name, ref.etag, content, f"{name} in {folder!r}")
        if found.sha256 != ref.sha256:
            return _without_text(
                ref, f"{name} in {folder!r} is not as it was run: secrets are masked in it, or it changed"
            )
        return found

    def address(self, run: Run) -> str:
        """The address of the run's folder, without a slash at its end."""
        return str(self._container.get_blob_client(run.results).url)

    def keep_manifest(self, run: Run, source: CopySource) -> None:
        """Store the manifest as dropped, with literal credentials redacted; storage copies it if it is not text.

        Raises TryLater if the copy takes longer: the inbox blob must not be removed before it is complete.
        """
        blob = self._container.get_blob_client(f"{run.results}/{MANIFEST_FILE}")
        if run.body.manifest.text is not None:
            blob.upload_blob(self._kept(run.body.manifest), overwrite=True, content_settings=_YAML)
            return
        try:
            state = self._copies.copy(source, blob, overwrite=True)
        except (ResourceNotFoundError, ResourceModifiedError):
            return  # removed from the inbox after an earlier copy; or overwritten, and therefore lost
        if state is not CopyState.DONE:
            raise TryLater(f"The copy of {run.body.manifest.name} is not complete yet.")

    def keep_flow(self, run: Run) -> None:
        """Store the flow of a run whose manifest names it, in the same way."""
        if run.body.flow and run.body.flow.text is not None:
            blob = self._container.get_blob_client(f"{run.results}/{FLOW_FILE}")
            blob.upload_blob(self._kept(run.body.flow), overwrite=True, content_settings=_YAML)

    def _kept(self, blob: ManifestBlob) -> bytes:
        mark = codecs.BOM_UTF8 if blob.has_mark else b""
        return mark + self._masker.mask(redacted(blob.text or "")).encode()

    def copy(
        self, source: CopySource, run: Run, destination: str, deadline: float, *, again: bool = False
    ) -> CopyState | None:
        """Copy a blob to a name below the run's folder, until the monotonic time `deadline`.

        None if storage cannot read this version of the source, or does not accept the name. An existing
        blob is left unchanged: another delivery of the event may have recorded it. `again` overwrites it: it is a copy
        that failed.
        """
        blob = self._container.get_blob_client(f"{run.results}/{destination}")
        try:
            return self._copies.copy(source, blob, overwrite=again, deadline=deadline)
        except ResourceExistsError:
            return CopyState.PENDING
        except HttpResponseError as error:
            if error.status_code in _REFUSED:
                return None
            raise

    def versions(self, folder: str) -> dict[str, BlobVersion]:
        """The blobs below the folder of a run, by their names in it."""
        listed = self._container.list_blobs(name_starts_with=f"{folder}/")
        return {blob.name.removeprefix(f"{folder}/"): _version_of(blob) for blob in listed}

    def source(self, folder: str, name: str, etag: str | None = None) -> CopySource:
        """A blob of a run, as the source of a copy."""
        return CopySource(str(self._container.container_name), f"{folder}/{name}", etag)

    def copied(self, run: Run) -> dict[str, str]:
        """The state of every copy below the run's folder: `success`, `pending`, `failed` or `aborted`, by name.

        A blob without the state of a copy was made of blocks, all at once: it is complete.
        """
        prefix = f"{run.results}/"
        listed = self._container.list_blobs(name_starts_with=prefix, include=["copy"])
        return {blob.name.removeprefix(prefix): blob.copy.status or COPIED for blob in listed}

    def read_beginning(self, run: Run, name: str, max_bytes: int) -> tuple[bytes, int]:
        """The first bytes of a blob below the run's folder, and the size of the whole blob: one request.

        It is not retried, so that this ends within seconds: what is read is only for the report, and must not delay the
        recording.
        """
        blob = self._container.get_blob_client(f"{run.results}/{name}")
        try:
            stream = blob.download_blob(offset=0, length=max_bytes, **_NO_RETRY)
        except HttpResponseError as error:
            if error.status_code == NO_SUCH_RANGE:
                return b"", 0  # a range of an empty blob cannot be requested
            raise
        return stream.readall(), int(str(stream.properties.content_range).rpartition("/")[2])

    def read_end(self, run: Run, name: str, max_bytes: int) -> tuple[bytes, int]:
        """The last bytes of a blob below the run's folder, and the size of the whole blob, in the same way.

        Two requests if the blob is longer, because a range from the end cannot be requested.
        """
        content, total = self.read_beginning(run, name, max_bytes)
        if total > max_bytes:
            blob = self._container.get_blob_client(f"{run.results}/{name}")
            content = blob.download_blob(offset=total - max_bytes, length=max_bytes, **_NO_RETRY).readall()
        return content, total

    def write_page(self, run: Run, render: Callable[[Callable[[str], str]], str]) -> None:
        """Write the report, once: if there is one, it stays. `render` makes its HTML, given a function that masks."""
        page = render(self._masker.mask).encode()
        create_once(self._container, f"{run.results}/report.html", page, content_settings=_HTML)

    def write_record(self, run: Run, record: Record) -> Record:
        """Write the record, once: an existing record is left unchanged. Returns the one that is there then."""
        name = f"{run.results}/record.json"
        if create_once(self._container, name, self._json(record), content_settings=_JSON):
            return record
        return self.record(run) or record

    def write_log(self, run: Run, name: str | None, lines: Sequence[str]) -> None:
        """Write the log of a task that ran nowhere, with this name below the run's folder; None if it has none."""
        if name:
            text = self._masker.mask("".join(f"{line}\n" for line in lines))
            blob = self._container.get_blob_client(f"{run.results}/{name}")
            blob.upload_blob(text.encode(), overwrite=True, content_settings=_TEXT)

    def masks(self, value: JsonValue) -> bool:
        """Whether a value cannot be stored as it is, because secrets are masked in it."""
        return self._masker.masks(value)

    def write_items(self, run: Run, items: Items) -> None:
        """Write `tasks.json`, once: an existing blob is left unchanged."""
        create_once(self._container, f"{run.results}/{ITEMS_BLOB}", self._json(items), content_settings=_JSON)

    def write_status(self, run: Run, status: Status) -> None:
        """Write the status of an open run."""
        name = f"{run.results}/status.json"
        self._container.upload_blob(name, self._json(status), overwrite=True, content_settings=_JSON)

    def remove_status(self, run: Run) -> None:
        """Remove the status of a run that is being closed."""
        remove(self._container, f"{run.results}/status.json")

    def _json(self, document: Document) -> bytes:
        masked = self._masker.mask_all(document.model_dump(mode="json", by_alias=True))
        return json.dumps(masked, indent=2, ensure_ascii=False).encode()


def _version_of(blob: BlobProperties) -> BlobVersion:
    md5 = blob.content_settings.content_md5
    return BlobVersion(blob.etag, blob.size, bytes(md5).hex() if md5 else None)


def _without_text(ref: ManifestRef, why: str) -> ManifestBlob:
    return ManifestBlob(name=ref.name, etag=ref.etag, sha256=ref.sha256, text=None, unreadable=why)
