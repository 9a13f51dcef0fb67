"""Plans a round, and reads the data that planning lacks: namespaces, versions of blobs, texts, items of fan-outs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from shared.app import App
from shared.documents.external_data import ExternalData, TextRead
from shared.documents.record import RunProblem
from shared.documents.run import Run
from shared.errors import CannotPlan, ManifestError, Problem, RunnerError
from shared.log import Stage, log_exception
from shared.manifest.read import Manifest
from shared.manifest.task import IfExists
from shared.parallel import in_parallel
from shared.plan.lookups import ChosenFiles, MissingData, Selection
from shared.plan.planner import plan_round, submitted_round
from shared.plan.round_plan import RoundPlan, SubmittedRound
from shared.settings import Settings

Plan = TypeVar("Plan")

MAX_READINGS = 10
MAX_TEXT_BYTES = 128 * 1024
MAX_TEXTS_BYTES = 1024 * 1024


def prepare_round(app: App, run: Run, manifest: Manifest) -> tuple[Run, RoundPlan]:
    """Plan the run's current round. Returns the run as it is stored now, with the data that was read, and the plan.

    Raises ManifestError, RunChanged, or CannotPlan.
    """
    return _plan_with_readings(app, run, manifest, plan_round)


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
    selections = {**missing.namespace_files, **missing.namespace_items}
    namespaces = sorted({namespace for selection in selections.values() for namespace in selection.namespaces})
    listed = dict(zip(namespaces, in_parallel(app.sources.namespace_files, namespaces), strict=True))
    chosen = {task: selection.choose(listed) for task, selection in missing.namespace_files.items()}
    if problems := _duplicates(manifest, missing.namespace_files, chosen, IfExists.FAIL):
        raise ManifestError(problems)
    warnings = [*_duplicates(manifest, missing.namespace_files, chosen, IfExists.WARN), *_unmatched(manifest, chosen)]
    items = {task: selection.choose(listed) for task, selection in missing.namespace_items.items()}
    etags = in_parallel(app.sources.etag, missing.etags.values())
    texts = in_parallel(lambda address: app.sources.text(address, MAX_TEXT_BYTES), missing.texts.values())
    known = run.body.outside
    outside = ExternalData(
        namespace_files={task: choice.files for task, choice in chosen.items()},
        namespace_items={task: tuple(sorted(file.path for file in choice.files)) for task, choice in items.items()},
        etags=dict(zip(missing.etags, etags, strict=True)),
        texts=_bounded(dict(zip(missing.texts, texts, strict=True)), known),
    )
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


def _bounded(texts: dict[str, TextRead], known: ExternalData) -> dict[str, TextRead]:
    """The texts, with a problem in place of those that exceed the size that the run document can hold."""
    size = sum(len(read.text) for read in known.texts.values())
    for name, read in texts.items():
        size += len(read.text)
        if size > MAX_TEXTS_BYTES:
            texts[name] = TextRead(problem=f"a flow can read at most {MAX_TEXTS_BYTES >> 20} MiB in total")
    return texts
