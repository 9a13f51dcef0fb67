"""What a round of a run is: planned for the first time, or again as it was submitted."""

from __future__ import annotations

from shared.documents.run import Run
from shared.documents.states import JobReason
from shared.errors import ManifestError
from shared.manifest.problems import first_problems
from shared.manifest.read import Manifest
from shared.plan._limits import too_large
from shared.plan._taken_files import taken_files
from shared.plan.lookups import MissingData
from shared.plan.planner import Planner
from shared.plan.round_plan import EndedInPlanning, RoundPlan, SubmittedRound
from shared.settings import Settings


def plan_round(manifest: Manifest, run: Run, settings: Settings) -> RoundPlan | EndedInPlanning | MissingData:
    """The plan of the run's current round, without tasks if none can run.

    Before that, the data that must be read, and then the tasks that end without a node; after each of them, plan again.
    Raises ManifestError with all problems that rendering finds, also in tasks of later rounds, as long as no task has
    ended. Later, what is wrong is the failure of its task.
    """
    planner = Planner(manifest, run, settings)
    if planner.missing.items_of_fan_outs:
        return planner.missing
    tasks = planner.tasks()
    pool_id = planner.pool_id(tasks[0].name) if tasks else ""
    staging, turn = planner.staging(), planner.turn()
    if planner.is_first:
        planner.check_later()
    if problems := planner.problems():
        if planner.is_first or not (wrong := planner.wrong()):
            raise ManifestError(first_problems(problems))
        return EndedInPlanning(wrong)
    if planner.missing:
        return planner.missing
    empty = planner.empty()
    if turn or (empty and not tasks):
        alone = [each for each in empty if not each.waits_for and each.name not in planner.split.ready]
        names = {**dict.fromkeys(planner.split.turn), **{each.name: None for each in alone if each.item}}
        return EndedInPlanning((*turn, *alone), planner.loops.open_after_evaluation(tuple(names)))
    if incomplete := planner.incomplete():
        raise RuntimeError(f"{incomplete} are ready, but what their expressions use is not known")
    plan = RoundPlan(
        pool_id=pool_id,
        staging=staging,
        priority=manifest.flow.priority,
        keep_job=not all(task.task_runner.delete for task in manifest.flow.node_tasks),
        reason=JobReason.INFRASTRUCTURE if run.progress.round in run.body.repeated_rounds else planner.split.reason,
        tasks=tasks,
        phase=planner.phase,
        empty=empty,
        taken_files=taken_files(run, (task.uses for task in tasks)),
    )
    if limits := list(too_large(plan, settings)):
        raise ManifestError([manifest.problem_of_task(limit.task, limit.path, limit.message) for limit in limits])
    return plan


def has_next_round(manifest: Manifest, run: Run, settings: Settings) -> bool:
    """Whether any task is left that can run. Its problems and missing data are found when it is submitted."""
    try:
        planner = Planner(manifest, run, settings)
    except ManifestError:
        return True
    return planner.split.is_anything_left or bool(planner.missing)


def submitted_round(manifest: Manifest, run: Run, settings: Settings) -> SubmittedRound | MissingData:
    """The tasks that were submitted as the run's current round; or, as missing data, the items of fan-outs.

    Problems are ignored: a setting that has changed since must not prevent the recording of results.
    """
    planner = Planner(manifest, run, settings)
    tasks = () if planner.missing.items_of_fan_outs else planner.submitted_tasks()
    if planner.missing.items_of_fan_outs:
        return planner.missing
    staging = run.body.staging or planner.staging()
    return SubmittedRound(staging, tasks, planner.empty(), planner.loops.left_for_later(planner.split.ready))


def staging_of(manifest: Manifest, run: Run, settings: Settings) -> str:
    """The run's staging container."""
    return Planner(manifest, run, settings).staging()
