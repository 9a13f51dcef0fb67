"""The beginning of a retry: what ended well in the earlier run becomes part of this run, with all of its files.

Every step can be repeated: copies that exist stay, and the run document is written last.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

from pydantic import ValidationError

from shared.app import App
from shared.documents.earlier_run import EarlierRun
from shared.documents.record import Record
from shared.documents.run import Run
from shared.errors import ManifestError, TryLater
from shared.manifest.read import Manifest
from shared.plan.taken_over import TakenOver, run_again, taken_over
from shared.steps._copier import Copier, FileCopy
from shared.steps._save_with_parts import save_with_parts

COPY_SECONDS = 60.0


def take_over(app: App, run: Run, manifest: Manifest) -> Run:
    """The run with what it takes over, as it is stored then; any run but a new retry stays as it is.

    Raises ManifestError if that is not possible, TryLater if the copies take longer, RunChanged.
    """
    earlier = run.body.earlier
    if earlier is None or run.body.has_taken_over:
        return run
    record = _record(app, manifest, earlier)
    items = app.results.items_in(earlier.results, record)
    taken = taken_over(manifest, record, items, earlier.begin)
    _copy(app, run, manifest, earlier, taken)
    app.parts.keep_taken_over(run, taken.items)
    return save_with_parts(app, run.with_taken_over(taken.tasks, taken.unfinished, taken.item_lists))


def _record(app: App, manifest: Manifest, earlier: EarlierRun) -> Record:
    with suppress(ValidationError):
        if record := app.results.record_in(earlier.results):
            return record
    message = "the record of the earlier run is not there any more, or cannot be read"
    raise ManifestError([manifest.given.problem_at(("retry",), message)])


def _copy(app: App, run: Run, manifest: Manifest, earlier: EarlierRun, taken: TakenOver) -> None:
    versions = app.results.versions(earlier.results)
    copies: list[FileCopy] = []
    lost: list[str] = []
    for name, file in taken.blobs():
        version = versions.get(name)
        if version is None or not (file is None or version.holds(file)):
            lost.append(name)
        else:
            copies.append(FileCopy(app.results.source(earlier.results, name, version.etag), name))
    copier = Copier.of(app.results, run, time.monotonic() + COPY_SECONDS, len(copies))
    refused = set[str]() if lost else copier.copy(copies)
    if refused is None:
        raise TryLater(f"The files of {earlier.run_id} are not all copied yet.")
    if lost := sorted({*lost, *refused}):
        raise ManifestError([manifest.given.problem_at(("retry",), _is_lost(lost, earlier))])


def _is_lost(lost: list[str], earlier: EarlierRun) -> str:
    more = f", and {len(lost) - 1} more," if len(lost) > 1 else ""
    where = f"the results of {earlier.run_id!r}"
    advice = run_again(_tasks_of(lost), earlier.begin)
    return f"{lost[0]!r}{more} is not in {where} any more, or has changed; {advice}"


def _tasks_of(blobs: list[str]) -> Iterator[str]:
    """The tasks to which blobs of a results folder belong: `outputs/<task>/…`, `logs/<task>/…`."""
    return (blob.split("/")[1] for blob in blobs)
