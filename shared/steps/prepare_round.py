"""Plans a round, and reads the data that planning lacks: namespaces, versions of blobs, texts, items of fan-outs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from shared.app import App
from shared.documents.external_data import ExternalData
from shared.documents.part import Part
from shared.documents.record import RunProblem
from shared.documents.run import Run
from shared.errors import CannotPlan, ManifestError, Problem, RunnerError
from shared.log import Stage, log_exception
from shared.manifest.read import Manifest
from shared.manifest.task import IfExists
from shared.outputs.ended_in_planning import ended_items, with_ended
from shared.parallel import in_parallel
from shared.plan.lookups import ChosenFiles, MissingData, Selection
from shared.plan.plan_round import plan_round, submitted_round
from shared.plan.round_plan import EndedInPlanning, RoundPlan, SubmittedRound
from shared.settings import Settings
from shared.steps._external_data import MAX_READINGS, read_blobs
from shared.steps._save_with_parts import save_with_parts

Plan = TypeVar("Plan")


def prepare_round(app: App, run: Run, manifest: Manifest) -> tuple[Run, RoundPlan]:
    """Plan the run's current round. Returns the run as it is stored now, with the data that was read, and the plan.

    Tasks that need no node end meanwhile, so that others can be planned; at every turn at least one.
    Raises ManifestError, RunChanged, or CannotPlan.
    """
    plan: RoundPlan | EndedInPlanning
    while True:
        run, plan = _plan_with_readings(app, run, manifest, plan_round)
        if isinstance(plan, RoundPlan):
            return run, plan
        run = _save_ended(app, run, plan)


def _save_ended(app: App, run: Run, ended: EndedInPlanning) -> Run:
    """The run with the records of tasks, and of items of tasks in loops, that need no node, as it is stored then.

    Their logs are written, and the items are a part of their own: the same one if this is repeated.
    """
    logs = [task for task in ended.tasks if task.log]
    in_parallel(lambda task: app.results.write_log(run, task.record.logs.stdout, task.log), logs)
    items = ended_items(ended)
    if items and not run.body.may_have_parts:
        run = app.runs.save(run.with_parts())  # so that they are removed with it, whatever happens meanwhile
    if items:
        app.parts.keep_of_planning(run, Part(items=items))
        run = run.with_part_of_planning()
    stored = app.parts.items(run.id) if items or run.body.unfinished else {}
    run = with_ended(run, ended, stored)
    return save_with_parts(app, run.with_items(stored) if items else run)


def load_submitted_round(app: App, run: Run, manifest: Manifest) -> tuple[Run, SubmittedRound]:
    """The tasks that were submitted as the run's current round, and the run with its items. Raises CannotPlan."""
    return _plan_with_readings(app, run, manifest, submitted_round)


def _plan_with_readings(
    app: App, run: Run, manifest: Manifest, plan: Callable[[Manifest, Run, Settings], Plan | MissingData]
) -> tuple[Run, Plan]:
    for _ in range(MAX_READINGS):
        with planning_errors(run):
            found = plan(manifest, run, app.settings)
        if not isinstance(found, MissingData):
            return run, found
        run = _read(app, run, manifest, found)
    raise CannotPlan(f"its expressions still ask for more files after {MAX_READINGS} readings")


@contextmanager
def planning_errors(run: Run) -> Iterator[None]:
    """Turn an unexpected exception into CannotPlan: planning would fail again at every attempt. Logs the traceback."""
    try:
        yield
    except RunnerError:
        raise
    except Exception as error:
        log_exception(Stage.PLAN, "cannot-be-planned", run=run.id)
        raise CannotPlan(
            f"the manifest cannot be planned because of an error of the app: {type(error).__name__}"
        ) from error


def _read(app: App, run: Run, manifest: Manifest, missing: MissingData) -> Run:
    """Read the missing data and write it into the run document; not the items of fan-outs, which never change."""
    if missing.items_of_fan_outs:
        return run.with_items(app.parts.items(run.id, before=run.progress.round))
    selections = (*missing.namespace_files.values(), *missing.namespace_items.values())  # a task may have both
    namespaces = sorted({namespace for selection in selections for namespace in selection.namespaces})
    listed = dict(zip(namespaces, in_parallel(app.sources.namespace_files, namespaces), strict=True))
    chosen = {task: selection.choose(listed) for task, selection in missing.namespace_files.items()}
    if problems := _duplicates(manifest, missing.namespace_files, chosen, IfExists.FAIL):
        raise ManifestError(problems)
    warnings = [*_duplicates(manifest, missing.namespace_files, chosen, IfExists.WARN), *_unmatched(manifest, chosen)]
    items = {task: selection.choose(listed) for task, selection in missing.namespace_items.items()}
    known = run.body.outside
    of_namespaces = ExternalData(
        namespace_files={task: choice.files for task, choice in chosen.items()},
        namespace_items={task: tuple(sorted(file.path for file in choice.files)) for task, choice in items.items()},
    )
    outside = of_namespaces.joined(read_blobs(app, missing, known))
    return app.runs.save(
        run.with_external_data(known.joined(outside), [RunProblem.of(warning) for warning in warnings])
    )


def _duplicates(
    manifest: Manifest, selections: Mapping[str, Selection], chosen: Mapping[str, ChosenFiles], if_exists: IfExists
) -> list[Problem]:
    """Problems of the tasks with this `if_exists` for which more than one namespace has the same file."""
    return [
        manifest.problem_of_task(task, ("namespaceFiles",), f"more than one namespace has {choice.duplicates[0]!r}")
        for task, choice in chosen.items()
        if choice.duplicates and selections[task].if_exists is if_exists
    ]


def _unmatched(manifest: Manifest, chosen: Mapping[str, ChosenFiles]) -> Iterator[Problem]:
    """Problems of the patterns that no file matches."""
    for task, choice in chosen.items():
        for place, pattern in choice.unmatched.items():
            message = f"no file of the namespace matches {pattern!r}"
            yield manifest.problem_of_task(task, ("namespaceFiles", *place), message)
