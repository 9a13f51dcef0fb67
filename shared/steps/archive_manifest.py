"""Copies the manifest of a run to its results, and removes it from the inbox, if it was dropped there."""

from __future__ import annotations

from shared.app import App
from shared.documents.run import Run


def archive_manifest(app: App, run: Run) -> None:
    """Copy the manifest of an accepted or rejected run to the results, with its flow, and remove it from the inbox."""
    app.results.keep_manifest(run, app.inbox.source(run.body.manifest))
    app.results.keep_flow(run)
    remove_from_inbox(app, run)


def remove_from_inbox(app: App, run: Run) -> None:
    """Remove the manifest of a run from the inbox; a blob there that has the name of a stored flow is another one."""
    if run.body.was_dropped:
        app.inbox.remove(run.body.manifest.name, run.body.manifest.etag)
