"""Manifest and the run document's stored values → the tasks of the next round.

Pure and repeatable: the same document always gives the same tasks with the same ids, so two submitters never disagree,
and the record is made from the same plan as the job was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import ManifestError, Problem
from shared.limits import too_large
from shared.manifest import read_manifest
from shared.planned import ExpectedRound, RoundPlan
from shared.planner import Planner
from shared.states import JobReason

if TYPE_CHECKING:
    from shared.manifest import Manifest
    from shared.outside import Needs
    from shared.run import Run
    from shared.settings import Settings


def plan_round(manifest: Manifest, run: Run, settings: Settings) -> RoundPlan | Needs:
    """The tasks of the run's current round; none if nothing is left that could run. Or what must be read before.

    Raises ManifestError with everything that rendering shows to be wrong, also in tasks of later rounds.
    """
    planner = Planner(manifest, run, settings)
    tasks = planner.tasks()
    pool_id = planner.pool_id(tasks[0].name) if tasks else ""
    staging = planner.staging()
    planner.check_later()
    if problems := planner.problems():
        raise ManifestError(problems)
    if planner.needs:
        return planner.needs
    if incomplete := planner.incomplete():
        raise RuntimeError(f"{incomplete} are ready, but what their expressions use is not known")
    plan = RoundPlan(
        pool_id=pool_id,
        staging=staging,
        priority=manifest.flow.priority,
        keep_job=not all(task.task_runner.delete for task in manifest.flow.tasks),
        reason=JobReason.INFRASTRUCTURE if run.progress.round in run.body.repeated_rounds else planner.split.reason,
        tasks=tasks,
        empty=planner.split.empty,
    )
    if large := list(too_large(plan, settings)):
        raise ManifestError([problem_of_task(manifest, each.task, each.path, each.message) for each in large])
    return plan


def expected_round(manifest: Manifest, run: Run, settings: Settings) -> ExpectedRound | Needs:
    """What was submitted as the run's current round. Or that the items of fan-outs are needed to tell.

    Nothing is wrong here: if a setting has changed since, that must not keep the results from being recorded.
    """
    planner = Planner(manifest, run, settings)
    tasks = planner.expected_tasks()
    if planner.needs.items_of_fan_outs:
        return planner.needs
    return ExpectedRound(run.body.staging or planner.staging(), tasks, planner.split.empty)


def staging_of(manifest: Manifest, run: Run, settings: Settings) -> str:
    """The container through which the run's files pass."""
    return Planner(manifest, run, settings).staging()


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
