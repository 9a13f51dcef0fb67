"""The manifest of a run: read from the run document, and checked as a whole before anything of it runs."""

from __future__ import annotations

from shared.documents.run import Run
from shared.errors import ManifestError, Problem
from shared.manifest.problems import each_once, first_problems
from shared.manifest.read import BrokenManifest, Manifest, read_manifest
from shared.plan.planner import Planner
from shared.settings import Settings


def checked_manifest(run: Run, settings: Settings) -> Manifest:
    """The manifest that a run document holds, to be planned for the first time.

    Raises ManifestError if it cannot be read, with everything that is wrong with it: also what planning finds in the
    parts that can be read.
    """
    try:
        return manifest_of(run)
    except BrokenManifest as broken:
        if broken.rest is None:
            raise
        found = each_once([*broken.problems, *_problems_of_plan(broken.rest, run, settings)])
        raise ManifestError(first_problems(found)) from broken


def _problems_of_plan(manifest: Manifest, run: Run, settings: Settings) -> list[Problem]:
    planner = Planner(manifest, run, settings)
    planner.tasks()
    planner.staging()
    planner.check_later()
    return planner.problems()


def manifest_of(run: Run) -> Manifest:
    """The manifest that a run document holds. Raises ManifestError if it cannot be read."""
    text = run.body.manifest.text
    if text is None:
        reason = run.body.manifest.unreadable or "the manifest is larger than 1 MiB, or not text in UTF-8"
        raise ManifestError([Problem(reason)])
    return read_manifest(text, run.body.manifest.name)
