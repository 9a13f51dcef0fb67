"""The report of a run: ends of logs and beginnings of files are read, and the page is written beside them, once.

The report is for people only: what cannot be read in time is left out, and the record is complete also without a
report. This module is imported only when a run is recorded, because the report's templates take time to load.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from azure.core.exceptions import AzureError

from shared.documents.manifest_blob import ManifestBlob
from shared.documents.record import Record
from shared.documents.run import Run
from shared.log import Stage, log_event
from shared.manifest.read import Manifest, Task
from shared.manifest.redaction import redacted
from shared.parallel import in_parallel
from shared.report import log_ends, previews
from shared.report.listing import KeptText
from shared.report.log_ends import LogEnd, LogRef, logs_to_show
from shared.report.page import Report
from shared.report.previews import FileStart, Preview, previews_to_show
from shared.storage.results import Results


def write_report(
    results: Results, run: Run, record: Record, manifest: Manifest | None, followers: Sequence[Run]
) -> None:
    """Write `report.html` of a run whose record is about to be written; if there is one, it stays."""
    items = run.items or {}
    reads: list[Callable[[], LogEnd | FileStart | None]] = [
        *(partial(_log_end, results, run, log) for log in logs_to_show(record, items)),
        *(partial(_start, results, run, preview) for preview in previews_to_show(record, items)),
    ]
    found = in_parallel(lambda read: read(), reads, at_once=max(1, len(reads)))
    report = Report(
        record=record,
        items=items,
        manifest=_kept(run.body.manifest),
        flow=_kept(run.body.flow) if run.body.flow else None,
        description=_description(manifest) if manifest else "",
        log_ends=[each for each in found if isinstance(each, LogEnd)],
        previews=[each for each in found if isinstance(each, FileStart)],
        followers=followers,
    )
    results.write_page(run, report.html)


def _kept(blob: ManifestBlob) -> KeptText:
    return KeptText() if blob.text is None else KeptText(redacted(blob.text), len(blob.text.splitlines()))


def _description(manifest: Manifest) -> str:
    """That of the flow; in the task form it is the task's."""
    flow = manifest.flow
    only = flow.items[0] if len(flow.items) == 1 else None
    return flow.description or (only.description if isinstance(only, Task) else None) or ""


def _log_end(results: Results, run: Run, log: LogRef) -> LogEnd | None:
    found = _read(results.read_end, run, log.blob, log_ends.READ_BYTES, "log-not-in-report")
    return LogEnd(log, *found) if found else None


def _start(results: Results, run: Run, preview: Preview) -> FileStart | None:
    if not preview.is_read:
        return FileStart(preview, b"", preview.file.bytes)
    found = _read(results.read_beginning, run, preview.file.blob, previews.READ_BYTES, "file-not-in-report")
    return FileStart(preview, *found) if found else None


def _read(
    read: Callable[[Run, str, int], tuple[bytes, int]], run: Run, blob: str, max_bytes: int, failed: str
) -> tuple[bytes, int] | None:
    try:
        return read(run, blob, max_bytes)
    except AzureError as error:
        reason = str(error).partition("\n")[0]
        log_event(Stage.RECORD, failed, level=logging.WARNING, run=run.id, blob=blob, reason=reason)
        return None
