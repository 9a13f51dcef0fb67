"""What the app would make of a manifest: what it would refuse, and the first round's job. Nothing is contacted.

The same reading and planning as in the app, with the settings that a stack on this machine would have. What only
the running app can know is said, and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.ports import Ports
from local.stack_options import StackOptions
from local.stack_settings import stack_settings
from shared.batch import job as batch_job
from shared.documents.names import run_id
from shared.documents.progress import Progress
from shared.documents.record import RunProblem
from shared.documents.run import ExternalData, Run, RunBody, manifest_blob
from shared.documents.states import JobReason
from shared.errors import ManifestError, Problem
from shared.manifest.read import Manifest
from shared.masking import MASK, Masker
from shared.plan.lookups import MissingData
from shared.plan.planner import Planner, checked_manifest, plan_round
from shared.plan.round_plan import Image, RoundPlan
from shared.settings import Settings
from shared.storage.staging import StagingAccess


@dataclass(frozen=True)
class Later:
    """A task of a later round, and why it is not in the first."""

    task: str
    reason: JobReason


@dataclass(frozen=True)
class Checked:
    """What can be said of one manifest.

    `job` and `tasks` are the bodies of the requests that Batch would get for the first round; None and empty if
    something is refused, or nothing can be planned without what is not known. `not_known` says what that is.
    """

    errors: tuple[RunProblem, ...]
    warnings: tuple[RunProblem, ...] = ()
    job: Mapping[str, Any] | None = None
    tasks: tuple[Mapping[str, Any], ...] = ()
    later: tuple[Later, ...] = ()
    not_known: tuple[str, ...] = ()


def local_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of a stack on the default ports. Raises SettingsError."""
    return Settings.from_environ(stack_settings(Ports.default(), StackOptions(environ=environ)))


def check(file: Path, settings: Settings) -> Checked:
    """Read and plan a manifest. Raises OSError if the file cannot be read."""
    run = _run(file, settings)
    try:
        manifest = checked_manifest(run, settings)
        warnings = _problems(manifest.warnings, settings)
    except ManifestError as error:
        return Checked(_problems(error.problems, settings))
    try:
        return replace(_planned(manifest, run, settings), warnings=warnings)
    except ManifestError as error:
        return Checked(_problems(error.problems, settings), warnings)


def _run(file: Path, settings: Settings) -> Run:
    """The run that dropping the file would make; its id is that of the file as it is now."""
    modified = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
    blob = manifest_blob(file.name, etag="not-dropped", content=file.read_bytes())
    name = run_id(settings.containers.inbox, blob.name, blob.sha256 or "", modified)
    return Run(RunBody(run_id=name, manifest=blob, dropped=modified, accepted=modified), Progress())


def _problems(problems: Iterable[Problem], settings: Settings) -> tuple[RunProblem, ...]:
    masker = Masker.of(settings)
    return tuple(RunProblem.of(replace(problem, message=masker.mask(problem.message))) for problem in problems)


def _planned(manifest: Manifest, run: Run, settings: Settings) -> Checked:
    not_known: list[str] = []
    plan = plan_round(manifest, run, settings)
    if isinstance(plan, MissingData):
        not_known += _lacking(plan)
        if not plan.texts and not plan.namespace_items:
            run = run.with_external_data(_as_if_nothing_were_there(plan))
            plan = plan_round(manifest, run, settings)
    later = tuple(Later(name, reason) for name, reason in Planner(manifest, run, settings).later().items())
    if isinstance(plan, MissingData) or not plan.tasks:
        return Checked((), later=later, not_known=tuple(not_known))
    not_known.append(f"whether there is a pool {plan.pool_id!r}, and whether its nodes have as many task slots")
    masker = Masker.of(settings)
    shown = _without_passwords(plan)
    job = batch_job.job(run, plan, manifest.flow.timeout, settings.origin).as_dict()
    tasks = [task.as_dict() for task in batch_job.Tasks(shown, _access(plan, settings))]
    return Checked(
        (), (), _masked(job, masker), tuple(_masked(task, masker) for task in tasks), later, tuple(not_known)
    )


def _lacking(needs: MissingData) -> Iterator[str]:
    for task in needs.namespace_files:
        yield f"which namespace files the task {task!r} gets"
    for task in needs.namespace_items:
        yield f"the items of the task {task!r}, which are files of a namespace: the job depends on them"
    for address in needs.etags:
        yield f"whether there is a blob {address}"
    for address in needs.texts:
        yield f"the text of {address}: the job depends on it"


def _as_if_nothing_were_there(needs: MissingData) -> ExternalData:
    """Namespaces without files, and blobs of no version: neither is part of what Batch gets."""
    return ExternalData(
        namespace_files=dict.fromkeys(needs.namespace_files, ()), etags=dict.fromkeys(needs.etags, MASK)
    )


def _without_passwords(plan: RoundPlan) -> RoundPlan:
    return replace(plan, tasks=tuple(replace(task, image=_without_password(task.image)) for task in plan.tasks))


def _without_password(image: Image) -> Image:
    return replace(image, password=MASK if image.password else None)


def _access(plan: RoundPlan, settings: Settings) -> StagingAccess:
    url = f"{settings.storage.blob_endpoint}/{plan.staging}" + ("" if settings.node_identity else f"?{MASK}")
    return StagingAccess(url, url, settings.node_identity)


def _masked(body: dict[str, Any], masker: Masker) -> dict[str, Any]:
    masked = masker.mask_all(body)
    assert isinstance(masked, dict)  # noqa: S101 - a map stays one
    return masked
