"""Manifest and the run document's stored values → the tasks of the next round.

Pure and repeatable: the same document always gives the same tasks with the same ids, so two submitters never disagree,
and the record is made from the same plan as the job was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import ManifestError, Problem
from shared.manifest import read_manifest
from shared.planned import RoundPlan
from shared.planner import Planner

if TYPE_CHECKING:
    from shared.manifest import Manifest
    from shared.namespace_files import Selection
    from shared.run import Run
    from shared.settings import Settings


def namespace_selections(manifest: Manifest, run: Run, settings: Settings) -> dict[str, Selection]:
    """What must be listed before a round can be planned: by task, which files of which namespaces it gets.

    Raises ManifestError if that cannot be rendered, or no namespace is known.
    """
    planner = Planner(manifest, run, settings)
    tasks = [task for task in manifest.flow.tasks if task.id in manifest.dependencies]
    selections = {task.id: planner.selection(task) for task in tasks if task.namespace_files.enabled}
    if problems := planner.problems():
        raise ManifestError(problems)
    return selections


def plan_round(manifest: Manifest, run: Run, settings: Settings, *, was_submitted: bool = False) -> RoundPlan:
    """The tasks of the run's current round; none if nothing is left that could run.

    Raises ManifestError with everything that rendering shows to be wrong, also in tasks of later rounds; but not for a
    round that was submitted: if a setting has changed since, that must not keep its results from being recorded.
    """
    planner = Planner(manifest, run, settings)
    ready = planner.split.ready
    tasks = tuple(planner.task(name, ready) for name in ready)
    pool_id = planner.pool_id(ready[0]) if ready else ""
    staging = planner.staging()
    for name in planner.split.later:
        planner.task(name, ())
    problems = planner.problems()
    if problems and not was_submitted:
        raise ManifestError(problems)
    return RoundPlan(
        pool_id=pool_id,
        staging=staging,
        priority=manifest.flow.priority,
        keep_job=not all(task.task_runner.delete for task in manifest.flow.tasks),
        reason=planner.split.reason,
        tasks=tasks,
    )


def manifest_of(run: Run) -> Manifest:
    """The manifest that a run document holds. Raises ManifestError if it cannot be read."""
    text = run.body.manifest.text
    if text is None:
        raise ManifestError([Problem("the manifest is larger than 1 MiB, or not text in UTF-8")])
    return read_manifest(text, run.body.manifest.name)


def problem_of_task(manifest: Manifest, name: str, path: tuple[str, ...], message: str) -> Problem:
    """A problem with a property of the task of that id."""
    index = next(index for index, task in enumerate(manifest.flow.tasks) if task.id == name)
    return manifest.problem(("tasks", index, *path), message)
