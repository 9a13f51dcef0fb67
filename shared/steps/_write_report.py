"""The report of a run: the ends of some logs are read from the results, and the page is written beside them, once.

The report is for people only: a log that cannot be read in time is left out, and the record is complete also without a
report. This module is imported only when a run is recorded, because the report's templates take time to load.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from azure.core.exceptions import AzureError

from shared.documents.manifest_blob import ManifestBlob
from shared.documents.record import Record
from shared.documents.run import Run
from shared.log import Stage, log_event
from shared.manifest.redaction import redacted
from shared.parallel import in_parallel
from shared.report.listing import KeptText
from shared.report.log_ends import READ_BYTES, LogEnd, LogRef, logs_to_show
from shared.report.page import Report
from shared.storage.results import Results


def write_report(results: Results, run: Run, record: Record) -> None:
    """Write `report.html` of a run whose record is about to be written; if there is one, it stays."""
    report = Report(
        record=record,
        items=run.items or {},
        manifest=_kept(run.body.manifest),
        flow=_kept(run.body.flow) if run.body.flow else None,
        log_ends=_log_ends(results, run, logs_to_show(record, run.items or {})),
    )
    results.write_page(run, report.html)


def _kept(blob: ManifestBlob) -> KeptText:
    return KeptText() if blob.text is None else KeptText(redacted(blob.text), len(blob.text.splitlines()))


def _log_ends(results: Results, run: Run, logs: Sequence[LogRef]) -> list[LogEnd]:
    return [end for end in in_parallel(lambda each: _log_end(results, run, each), logs) if end]


def _log_end(results: Results, run: Run, wanted: LogRef) -> LogEnd | None:
    try:
        content, total = results.read_end(run, wanted.blob, READ_BYTES)
    except AzureError as error:
        reason = str(error).partition("\n")[0]
        log_event(Stage.RECORD, "log-not-in-report", level=logging.WARNING, run=run.id, blob=wanted.blob, reason=reason)
        return None
    return LogEnd(wanted, content, total)
