"""Saves a run of which parts were stored just before."""

from __future__ import annotations

from shared.app import App
from shared.documents.run import Run
from shared.errors import RunChanged


def save_with_parts(app: App, run: Run) -> Run:
    """The run as it is stored then. Raises RunChanged; if it is closed meanwhile, its parts do not stay behind."""
    try:
        return app.runs.save(run)
    except RunChanged:
        if app.runs.load(run.id) is None:
            app.parts.remove(run.id)
        raise
