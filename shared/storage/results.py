"""The results container: copies from staging, and the app's own documents.

Secrets are masked here, in everything that the app itself writes. Files and logs of tasks are copied by storage and
never changed.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContentSettings

from shared.documents.record import ITEMS_BLOB, Document, Items, Record, Status
from shared.documents.run import Run
from shared.errors import TryLater
from shared.manifest.redaction import redacted
from shared.masking import Masker
from shared.storage._blobs import create_once, remove
from shared.storage.copies import Copies, CopySource, CopyState

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

_JSON = ContentSettings(content_type="application/json")
_HTML = ContentSettings(content_type="text/html; charset=utf-8")
_YAML = ContentSettings(content_type="text/yaml; charset=utf-8")
COPIED = "success"
_REFUSED = (400, 404)
_NO_SUCH_RANGE = 416
_NO_RETRY: Mapping[str, Any] = {"retry_total": 0, "connection_timeout": 2, "read_timeout": 2}


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
        try:
            content = self._container.download_blob(f"{run.results}/record.json").readall()
        except ResourceNotFoundError:
            return None
        return Record.model_validate_json(content)

    def address(self, run: Run) -> str:
        """The address of the run's folder, without a slash at its end."""
        return str(self._container.get_blob_client(run.results).url)

    def keep_manifest(self, run: Run, source: CopySource) -> None:
        """Store the manifest as dropped, with literal credentials redacted; storage copies it if it is not text.

        Raises TryLater if the copy takes longer: the inbox blob must not be removed before it is complete.
        """
        blob = self._container.get_blob_client(f"{run.results}/manifest.yaml")
        text = run.body.manifest.text
        if text is not None:
            mark = codecs.BOM_UTF8 if run.body.manifest.has_mark else b""
            copy_of_text = mark + self._masker.mask(redacted(text)).encode()
            blob.upload_blob(copy_of_text, overwrite=True, content_settings=_YAML)
            return
        try:
            state = self._copies.copy(source, blob, overwrite=True)
        except (ResourceNotFoundError, ResourceModifiedError):
            return  # removed from the inbox after an earlier copy; or overwritten, and therefore lost
        if state is not CopyState.DONE:
            raise TryLater(f"The copy of {run.body.manifest.name} is not complete yet.")

    def copy(
        self, source: CopySource, run: Run, destination: str, deadline: float, *, again: bool = False
    ) -> CopyState | None:
        """Copy a blob to a name below the run's folder, until the monotonic time `deadline`.

        None if storage cannot read the source or does not accept the name. An existing blob is left unchanged: another
        delivery of the event may have recorded it. `again` overwrites it: it is a copy that failed.
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

    def copied(self, run: Run) -> dict[str, str]:
        """The state of every copy below the run's folder: `success`, `pending`, `failed` or `aborted`, by name.

        A blob without the state of a copy was made of blocks, all at once: it is complete.
        """
        prefix = f"{run.results}/"
        listed = self._container.list_blobs(name_starts_with=prefix, include=["copy"])
        return {blob.name.removeprefix(prefix): blob.copy.status or COPIED for blob in listed}

    def read_end(self, run: Run, name: str, max_bytes: int) -> tuple[bytes, int]:
        """The last bytes of a blob below the run's folder, and the size of the whole blob.

        One request; two if the blob is longer, because a range from the end cannot be requested. Requests are not
        retried, so that this ends within seconds: the text is only for the report and must not delay the recording.
        """
        blob = self._container.get_blob_client(f"{run.results}/{name}")
        try:
            stream = blob.download_blob(offset=0, length=max_bytes, **_NO_RETRY)
        except HttpResponseError as error:
            if error.status_code == _NO_SUCH_RANGE:
                return b"", 0  # a range of an empty blob cannot be requested
            raise
        total = int(str(stream.properties.content_range).rpartition("/")[2])
        if total > max_bytes:
            stream = blob.download_blob(offset=total - max_bytes, length=max_bytes, **_NO_RETRY)
        return stream.readall(), total

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
