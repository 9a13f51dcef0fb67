"""Plans a round, and reads what the plan lacks: namespaces, versions of blobs, texts, items of fan-outs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from shared.app import App
from shared.documents.record import RunProblem
from shared.documents.run import ExternalData, Run, TextRead
from shared.errors import CannotPlan, ManifestError, Problem, RunnerError
from shared.log import Stage, log_exception
from shared.manifest.read import Manifest
from shared.manifest.task import IfExists
from shared.parallel import in_parallel
from shared.plan.lookups import Chosen, MissingData, Selection
from shared.plan.planner import plan_round, problem_of_task, submitted_round
from shared.plan.round_plan import RoundPlan, SubmittedRound
from shared.settings import Settings

Plan = TypeVar("Plan")


MAX_READINGS = 10
MAX_TEXT_BYTES = 128 * 1024
MAX_TEXTS_BYTES = 1024 * 1024


def prepare_round(app: App, run: Run, manifest: Manifest) -> tuple[Run, RoundPlan]:
    """The plan of the run's current round; and the run with what was read for it, as it is stored now.

    Raises ManifestError, RunChanged, or CannotPlan.
    """
    return _plan_with_readings(app, run, manifest, plan_round)


def load_submitted_round(app: App, run: Run, manifest: Manifest) -> tuple[Run, SubmittedRound]:
    """What was submitted as the run's current round. Raises CannotPlan."""
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
    raise CannotPlan(f"its expressions ask for ever more files, after {MAX_READINGS} readings")


@contextmanager
def planning_errors(run: Run) -> Iterator[None]:
    """A bug in pure code shows again at every attempt: the run ends at once, and the log says where."""
    try:
        yield
    except RunnerError:
        raise
    except Exception as error:
        log_exception(Stage.PLAN, "cannot-be-planned", run=run.id)
        raise CannotPlan(
            f"the manifest cannot be planned because of an error of the app: {type(error).__name__}"
        ) from error


def _read(app: App, run: Run, manifest: Manifest, needs: MissingData) -> Run:
    """Read it, and write it into the run document; but not the items of fan-outs, which are ours and do not change."""
    if needs.items_of_fan_outs:
        return run.with_items(app.parts.items(run.id))
    selections = {**needs.namespace_files, **needs.namespace_items}
    namespaces = sorted({namespace for selection in selections.values() for namespace in selection.namespaces})
    listed = dict(zip(namespaces, in_parallel(app.sources.namespace_files, namespaces), strict=True))
    chosen = {task: selection.choose(listed) for task, selection in needs.namespace_files.items()}
    if problems := _doubles(manifest, needs.namespace_files, chosen, IfExists.FAIL):
        raise ManifestError(problems)
    warnings = _doubles(manifest, needs.namespace_files, chosen, IfExists.WARN)
    items = {task: selection.choose(listed) for task, selection in needs.namespace_items.items()}
    etags = in_parallel(app.sources.etag, needs.etags.values())
    texts = in_parallel(lambda address: app.sources.text(address, MAX_TEXT_BYTES), needs.texts.values())
    known = run.body.outside
    outside = ExternalData(
        namespace_files={task: choice.files for task, choice in chosen.items()},
        namespace_items={task: tuple(sorted(file.path for file in choice.files)) for task, choice in items.items()},
        etags=dict(zip(needs.etags, etags, strict=True)),
        texts=_bounded(dict(zip(needs.texts, texts, strict=True)), known),
    )
    return app.runs.save(
        run.with_external_data(known.joined(outside), [RunProblem.of(warning) for warning in warnings])
    )


def _doubles(
    manifest: Manifest, selections: Mapping[str, Selection], chosen: Mapping[str, Chosen], if_exists: IfExists
) -> list[Problem]:
    """The tasks that say `if_exists` and of whose namespaces more than one has the same file."""
    return [
        problem_of_task(manifest, task, ("namespaceFiles",), f"more than one namespace has {choice.doubles[0]!r}")
        for task, choice in chosen.items()
        if choice.doubles and selections[task].if_exists is if_exists
    ]


def _bounded(texts: dict[str, TextRead], known: ExternalData) -> dict[str, TextRead]:
    """The texts, as far as the run document can hold them."""
    size = sum(len(read.text) for read in known.texts.values())
    for name, read in texts.items():
        size += len(read.text)
        if size > MAX_TEXTS_BYTES:
            texts[name] = TextRead(problem=f"a flow can read {MAX_TEXTS_BYTES >> 20} MiB in all")
    return texts
