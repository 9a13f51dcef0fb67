"""Loads the document of an open run; one that is damaged ends its run, once nothing else can."""

from __future__ import annotations

import logging

from shared.app import App
from shared.documents.manifest_blob import ManifestBlob
from shared.documents.names import dropped_at, slug_of_run
from shared.documents.progress import Progress
from shared.documents.run import Run
from shared.documents.run_body import RunBody
from shared.documents.states import FailureCategory, FailureCode, State
from shared.documents.task_result import Failure
from shared.errors import RunDamaged
from shared.log import Stage, log_event
from shared.steps.close_run import finish, follow_record

_MESSAGE = (
    "the document of the run in the runs container was damaged: what its tasks left is not in the results;"
    " drop the manifest again to repeat the run"
)


def load_open(app: App, run_id: str, *, end_as: State | None = None) -> Run | None:
    """Read a run; None if it is not open. Raises RunUnreadable.

    With `end_as`, a run whose document is damaged is recorded in this state, and closed.
    """
    try:
        return app.runs.load(run_id)
    except RunDamaged as damage:
        if end_as is None:
            raise
        log_event(Stage.RECORD, "damaged-run-ended", level=logging.ERROR, run=run_id, reason=str(damage))
        _end(app, run_id, end_as)
        return None


def _end(app: App, run_id: str, state: State) -> None:
    run = _stand_in(app, run_id)
    if not follow_record(app, run):
        failure = Failure(category=FailureCategory.INTERNAL, code=FailureCode.NOT_RECORDED, message=_MESSAGE)
        finish(app, run, state, failure)


def _stand_in(app: App, run_id: str) -> Run:
    """A run of which is known what others have noted: the ledger its manifest, the listing its progress."""
    accepted = app.ledger.accepted(run_id)
    dropped = accepted.dropped if accepted else dropped_at(run_id)
    progress = next((run.progress for run in app.runs.list() if run.id == run_id), Progress())
    body = RunBody(
        run_id=run_id,
        manifest=ManifestBlob(
            name=accepted.manifest if accepted else slug_of_run(run_id), etag="", sha256=None, text=None
        ),
        dropped=dropped,
        accepted=progress.accepted or dropped,
        default_staging=app.settings.containers.staging,
        has_parts=True,
    )
    return Run(body, progress)
