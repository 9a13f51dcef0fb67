"""The results container: copies from staging, and the app's own documents.

This is the door at which secrets are masked: nothing that the app writes itself passes it unmasked. Files and logs of
tasks are copied by storage itself and never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContentSettings

from shared.documents.record import ITEMS_BLOB, Document, Items, Record, Status
from shared.documents.run import Run
from shared.errors import TryLater
from shared.manifest.redaction import redacted
from shared.masking import Masker
from shared.report.page import Report
from shared.storage._blobs import create_once, remove

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

_JSON = ContentSettings(content_type="application/json")
_HTML = ContentSettings(content_type="text/html; charset=utf-8")
_YAML = ContentSettings(content_type="text/yaml; charset=utf-8")
_COPIED = "success"
_REFUSED = (400, 404)
_NO_SUCH_RANGE = 416
_AT_ONCE_OR_NOT_AT_ALL: Mapping[str, Any] = {"retry_total": 0, "connection_timeout": 2, "read_timeout": 2}


class CopyState(Enum):
    """Where a copy is that was asked for."""

    DONE = "done"
    PENDING = "storage is at it, or it was there before"
    REFUSED = "storage cannot read the source, or does not take the name"


class Results:
    """The results container."""

    def __init__(self, container: ContainerClient, masker: Masker) -> None:
        self._container = container
        self._masker = masker

    def has_record(self, run: Run) -> bool:
        """Whether the run is complete."""
        return bool(self._container.get_blob_client(f"{run.results}/record.json").exists())

    def keep_manifest(self, run: Run, source_url: str) -> None:
        """Keep the manifest as dropped, literal credentials redacted; what is no text is copied by storage.

        Raises TryLater if storage needs longer for that: the inbox blob must stay until then.
        """
        blob = self._container.get_blob_client(f"{run.results}/manifest.yaml")
        text = run.body.manifest.text
        if text is not None:
            blob.upload_blob(self._masker.mask(redacted(text)).encode(), overwrite=True, content_settings=_YAML)
            return
        etag, unchanged = run.body.manifest.etag, MatchConditions.IfNotModified
        try:
            copy = blob.start_copy_from_url(source_url, source_etag=etag, source_match_condition=unchanged)
        except (ResourceNotFoundError, ResourceModifiedError):
            return  # removed from the inbox, so it was copied before; or overwritten, so it is lost
        if copy["copy_status"] != _COPIED:
            raise TryLater(f"The copy of {run.body.manifest.name} is not complete yet.")

    def copy(self, source_url: str, run: Run, destination: str, *, again: bool = False) -> CopyState:
        """Let storage copy a blob below the run's folder.

        What is there already is left alone: another delivery may have recorded it. `again`: unless it is a copy that
        failed.
        """
        blob = self._container.get_blob_client(f"{run.results}/{destination}")
        condition = MatchConditions.Unconditionally if again else MatchConditions.IfMissing
        try:
            copy = blob.start_copy_from_url(source_url, match_condition=condition)
        except ResourceExistsError:
            return CopyState.PENDING
        except HttpResponseError as error:
            if error.status_code in _REFUSED:
                return CopyState.REFUSED
            raise
        return CopyState.DONE if copy["copy_status"] == _COPIED else CopyState.PENDING

    def copied(self, run: Run) -> dict[str, str]:
        """The state of every copy below the run's folder: `success`, `pending`, `failed` or `aborted`, by name."""
        prefix = f"{run.results}/"
        listed = self._container.list_blobs(name_starts_with=prefix, include=["copy"])
        return {blob.name.removeprefix(prefix): blob.copy.status for blob in listed if blob.copy.status}

    def read_end(self, run: Run, name: str, max_bytes: int) -> tuple[bytes, int]:
        """The last bytes of a blob below the run's folder, and the size of the whole.

        One request; two if it is longer, for a range from the end cannot be asked for. They are not retried, so that
        this ends within seconds: it is for people to look at, and must not keep a run from being recorded.
        """
        blob = self._container.get_blob_client(f"{run.results}/{name}")
        try:
            stream = blob.download_blob(offset=0, length=max_bytes, **_AT_ONCE_OR_NOT_AT_ALL)
        except HttpResponseError as error:
            if error.status_code == _NO_SUCH_RANGE:
                return b"", 0  # an empty blob has no range that could be asked for
            raise
        total = int(str(stream.properties.content_range).rpartition("/")[2])
        if total > max_bytes:
            stream = blob.download_blob(offset=total - max_bytes, length=max_bytes, **_AT_ONCE_OR_NOT_AT_ALL)
        return stream.readall(), total

    def write_report(self, run: Run, report: Report) -> None:
        """Write the report, once: if there is one, it stays."""
        page = report.html(self._masker.mask).encode()
        create_once(self._container, f"{run.results}/report.html", page, content_settings=_HTML)

    def write_record(self, run: Run, record: Record) -> None:
        """Write the record, once: if there is one, it stays."""
        create_once(self._container, f"{run.results}/record.json", self._json(record), content_settings=_JSON)

    def write_items(self, run: Run, items: Items) -> None:
        """Write `tasks.json`, once."""
        create_once(self._container, f"{run.results}/{ITEMS_BLOB}", self._json(items), content_settings=_JSON)

    def write_status(self, run: Run, status: Status) -> None:
        """Write where the open run is."""
        name = f"{run.results}/status.json"
        self._container.upload_blob(name, self._json(status), overwrite=True, content_settings=_JSON)

    def remove_status(self, run: Run) -> None:
        """Remove the status of a run that is closed."""
        remove(self._container, f"{run.results}/status.json")

    def _json(self, document: Document) -> bytes:
        masked = self._masker.mask_all(document.model_dump(mode="json", by_alias=True))
        return json.dumps(masked, indent=2, ensure_ascii=False).encode()
