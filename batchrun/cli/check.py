"""`check`: what the app would make of manifests: their errors, and the Batch job of the first round.

Manifests are read and planned as in the app, with its settings; Batch is asked for its pools. Nothing is run.
What only the running app can know is named, and left out; so are its settings where no app is reached: a manifest can
be checked anywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from batchrun.cli._targets import Targets
from batchrun.cli.options import add_flows, add_values
from batchrun.client.apps import App
from batchrun.client.given import what_is_readable
from batchrun.client.pools import Pools, pools_of
from batchrun.client.requests import Drop
from batchrun.errors import ClientError, Unreachable, printable
from shared import batch_job
from shared.documents.external_data import ExternalData
from shared.documents.names import run_id
from shared.documents.progress import Progress
from shared.documents.record import RunProblem
from shared.documents.run import Run
from shared.documents.run_body import RunBody
from shared.documents.states import JobReason
from shared.documents.trigger import StartedBy
from shared.errors import ManifestError, Problem
from shared.manifest.kestra_2 import refused_by_2
from shared.manifest.read import BrokenManifest, Manifest
from shared.masking import MASK, Masker
from shared.outputs.ended_in_planning import plan_with_ended
from shared.plan.lookups import MissingData
from shared.plan.planner import Planner
from shared.plan.pool_check import check_pool
from shared.plan.round_plan import Image, RoundPlan, StagingAccess
from shared.plan.run_manifest import checked_manifest, manifest_of
from shared.plan.triggers import kinds_of_start
from shared.settings import Settings
from shared.version import VERSION

ONLY_THE_APP = "its flow, which only the app can read: only the app checks it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    parser.epilog = (
        "Nothing is run, and no app is needed; if one is reached, its settings and its pools are those that count. The"
        " findings go to stderr, the jobs and tasks of the first round to stdout, as a"
        " JSON list with an object for each manifest. Exit code: 0 if no manifest has errors, 1 if one has, 2 for"
        " wrong usage."
    )
    add_flows(parser)
    add_values(parser)
    parser.add_argument(
        "--kestra",
        type=int,
        choices=[2],
        help="also tell, as errors, what this major version of Kestra refuses: for flows that are written for Kestra 1",
    )


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Check all manifests. Raises UsageError if a file or a setting is not as it should be."""
    targets = Targets.of(arguments)
    with contextlib.ExitStack() as stack:
        try:
            app = stack.enter_context(opening)
        except Unreachable as error:
            if targets.are_stored:
                raise
            why = str(error).partition("\n")[0]
            print(f"No app is reached, so that nothing of its settings is known. ({why})", file=sys.stderr)
            app = App.unknown()
        settings, pools = app.checked_settings(), pools_of(app)
        drops = targets.drops(app)
        found = [(drop.name, check(drop, settings, pools)) for drop in drops]
        if arguments.kestra:
            found = [(name, _also_by_2(each, drop, settings)) for (name, each), drop in zip(found, drops, strict=True)]
    for name, checked in found:
        for line in findings(name, checked):
            print(printable(line), file=sys.stderr)
    print(json.dumps([_as_json(name, checked) for name, checked in found], indent=2))
    return 1 if any(checked.errors for _, checked in found) else 0


@dataclass(frozen=True)
class Later:
    """A task of a later round, and why it is not in the first."""

    task: str
    reason: JobReason


@dataclass(frozen=True)
class Checked:
    """What is known of one manifest before it runs.

    `job` and `tasks` are the bodies of the requests that Batch would get for the first round; None and empty if the
    manifest has errors, or if planning needs something that is not known. `not_known` says what that is.
    """

    errors: tuple[RunProblem, ...]
    warnings: tuple[RunProblem, ...] = ()
    job: Mapping[str, Any] | None = None
    tasks: tuple[Mapping[str, Any], ...] = ()
    later: tuple[Later, ...] = ()
    not_known: tuple[str, ...] = ()


def check(drop: Drop, settings: Settings, pools: Pools, by: StartedBy | None = None) -> Checked:
    """Read and plan what is dropped, or started by a trigger. Problems have their places in the flow's own file."""
    if drop.is_retry or (drop.stored and drop.flow is None):
        return Checked((), not_known=(ONLY_THE_APP,))
    run = _run(drop, settings, by)
    try:
        manifest = checked_manifest(run, settings)
        warnings = _problems(manifest.warnings, drop, settings)
    except ManifestError as error:
        return Checked(_problems(error.problems, drop, settings))
    try:
        return replace(_planned(manifest, run, drop, settings, pools), warnings=warnings)
    except ManifestError as error:
        return Checked(_problems(error.problems, drop, settings), warnings)


def _also_by_2(checked: Checked, drop: Drop, settings: Settings) -> Checked:
    """With what Kestra 2 refuses of the flow, as far as it can be read."""
    if ONLY_THE_APP in checked.not_known:
        return checked
    try:
        manifest = manifest_of(_run(drop, settings))
    except BrokenManifest as broken:
        if broken.rest is None:
            return checked
        manifest = broken.rest
    except ManifestError:
        return checked
    return replace(checked, errors=(*checked.errors, *_problems(refused_by_2(manifest.layout), drop, settings)))


def refuse_errors(drops: Sequence[Drop], app: App, nothing: str, *, to_store: bool = False) -> None:
    """Raise ClientError, which says that `nothing` has been done, if one has errors, which are printed.

    Flows are dropped, or are `to_store`. An app of another version may know better, and is not asked.
    """
    if app.version not in (None, VERSION):
        print(
            f"The app has version {app.version}, this is {VERSION}: only the app checks the manifests.", file=sys.stderr
        )
        return
    settings, pools, has_errors = app.checked_settings(), pools_of(app), False
    for drop in drops:
        checked = _check_stored(drop, settings, pools) if to_store else check(drop, settings, pools)
        has_errors |= bool(checked.errors)
        for line in findings(drop.name, checked) if checked.errors else ():
            print(printable(line), file=sys.stderr)
    if has_errors:
        raise ClientError(nothing)


def _check_stored(drop: Drop, settings: Settings, pools: Pools) -> Checked:
    """Check a flow that is to be stored, as each kind of its triggers starts it; its inputs may get values then."""
    manifest = what_is_readable(drop.flow.text, drop.flow.name, stored=True) if drop.flow else None
    kinds = kinds_of_start(manifest.flow) if manifest else ()
    found = [check(drop, settings, pools, by) for by in kinds or (None,)]
    errors = dict.fromkeys(error for each in found for error in each.errors if not drop.lacks_value(error))
    return replace(found[0], errors=tuple(errors))


def _run(drop: Drop, settings: Settings, by: StartedBy | None = None) -> Run:
    """The run that the app would make of it; its id depends on the content and the time of the file."""
    blob, time = drop.manifest, drop.modified
    name = run_id(settings.containers.inbox, blob.name, blob.sha256 or "", time)
    body = RunBody(run_id=name, manifest=blob, flow=drop.flow, trigger=by, dropped=time, accepted=time)
    return Run(body, Progress())


def _problems(problems: Iterable[Problem], drop: Drop, settings: Settings) -> tuple[RunProblem, ...]:
    masker = Masker.of(settings)
    stored = (RunProblem.of(replace(problem, message=masker.mask(problem.message))) for problem in problems)
    return tuple(map(drop.own_position, stored))


def _planned(manifest: Manifest, run: Run, drop: Drop, settings: Settings, pools: Pools) -> Checked:
    not_known: list[str] = []
    run, plan = plan_with_ended(manifest, run, settings)
    if isinstance(plan, MissingData):
        not_known += _lacking(plan, drop)
        if not plan.texts and not plan.namespace_items:
            run, plan = plan_with_ended(manifest, run.with_external_data(_empty_answers(plan)), settings)
    later = tuple(Later(name, reason) for name, reason in Planner(manifest, run, settings).later().items())
    if isinstance(plan, MissingData) or not plan.tasks:
        return Checked((), later=later, not_known=tuple(not_known))
    if pools.slots_per_node is None or MASK in plan.pool_id:
        not_known.append(_unknown_pool(plan.pool_id, pools.hidden))
    else:
        check_pool(manifest, plan, pools.slots_per_node)
    masker = Masker.of(settings)
    shown = _without_passwords(plan)
    time_left = manifest.flow.timeout
    job = batch_job.job(run, plan, time_left, settings.origin).as_dict()
    tasks = [task.as_dict() for task in batch_job.Tasks(shown, _access(plan, settings), time_left)]
    return Checked(
        (), (), _masked(job, masker), tuple(_masked(task, masker) for task in tasks), later, tuple(not_known)
    )


def _unknown_pool(pool: str, why: str) -> str:
    which = "which pool it is" if MASK in pool else f"whether there is a pool {pool!r}"
    return f"{which}, and whether its nodes have as many task slots" + (f". {why}" if why else "")


def _lacking(missing: MissingData, drop: Drop) -> Iterator[str]:
    for task in missing.namespace_files:
        yield f"which namespace files the task {task!r} gets"
    for task in missing.namespace_items:
        yield f"the items of the task {task!r}, which are files of a namespace: the job depends on them"
    for address in (each for each in missing.etags if each not in drop.uploads):
        yield f"whether there is a blob {address}"
    for address in missing.texts:
        yield f"the text of {address}: the job depends on it"


def _empty_answers(missing: MissingData) -> ExternalData:
    """Namespaces without files, and blobs without a known version: the requests to Batch contain neither."""
    return ExternalData(
        namespace_files=dict.fromkeys(missing.namespace_files, ()), etags=dict.fromkeys(missing.etags, MASK)
    )


def _without_passwords(plan: RoundPlan) -> RoundPlan:
    return replace(plan, tasks=tuple(replace(task, image=_without_password(task.image)) for task in plan.tasks))


def _without_password(image: Image) -> Image:
    return replace(image, password=MASK if image.password else None)


def _access(plan: RoundPlan, settings: Settings) -> StagingAccess:
    url = f"{settings.storage.blob_endpoint}/{plan.staging}" + ("" if settings.staging_identity else f"?{MASK}")
    return StagingAccess(url, url, settings.staging_identity)


def _masked(body: dict[str, Any], masker: Masker) -> dict[str, Any]:
    masked = masker.mask_all(body)
    assert isinstance(masked, dict)  # noqa: S101 - masking a map gives a map
    return masked


def findings(manifest: str, checked: Checked) -> Iterator[str]:
    """What was found, a line each."""
    for problem in checked.errors:
        yield _finding(manifest, "error", problem)
    for problem in checked.warnings:
        yield _finding(manifest, "warning", problem)
    for later in checked.later:
        yield f"{manifest}: later: the task {later.task!r} is in a later job ({later.reason.value})"
    for what in checked.not_known:
        yield f"{manifest}: not known before it runs: {what}"
    if not checked.errors:
        yield f"{manifest}: no errors found"


def _finding(manifest: str, kind: str, problem: RunProblem) -> str:
    """In the format of compilers, so that editors and terminals link to the place."""
    place = f":{problem.line}:{problem.column}" if problem.line else ""
    path = f"{problem.path}: " if problem.path else ""
    return f"{problem.file or manifest}{place}: {kind}: {path}{problem.message}"


def _as_json(manifest: str, checked: Checked) -> dict[str, Any]:
    return {
        "manifest": manifest,
        "errors": [problem.model_dump() for problem in checked.errors],
        "warnings": [problem.model_dump() for problem in checked.warnings],
        "job": checked.job,
        "tasks": checked.tasks,
        "later": [{"task": later.task, "reason": later.reason.value} for later in checked.later],
        "notKnown": checked.not_known,
    }
