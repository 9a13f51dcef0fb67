"""submit_run beside the bare calls that it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from unittest.mock import patch

from azure.batch import models

from shared import batch_job, submit_run
from shared.batch.client import Batch
from shared.batch.pools import Pool
from shared.documents.manifest_blob import ManifestBlob
from shared.documents.progress import Progress
from shared.documents.run import Run
from shared.documents.run_body import RunBody
from shared.parallel import AT_ONCE, in_parallel
from shared.plan.plan_round import plan_round, submitted_round
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import manifest_of
from tests.benchmarks.bare import Bare
from tests.benchmarks.target import Measured, medians, ratio
from tests.integration.conftest import World

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.storage.blob import ContainerClient

    from shared.manifest.read import Manifest
    from shared.settings import Settings

PLANNED = {
    "a foreach": "foreach: {}\ncommands: ['echo {{{{ item }}}}']",
    "a ForEach": (
        "tasks: [{{id: e, type: io.kestra.plugin.core.flow.ForEach, values: {}, concurrencyLimit: 0,"
        " tasks: [{{id: t, commands: ['echo {{{{ taskrun.value }}}}']}}]}}]"
    ),
}
SMALL = "commands: [echo hi > a.txt]\noutputFiles: [a.txt]"
NO_POOL = "none"  # a pool that does not exist: Batch takes its jobs and runs none of them


def small_manifest(world: World, quick: bool) -> Iterator[Measured]:
    """One small manifest, warm, beside its remote calls, one after the other."""
    text = f"{SMALL}\ntaskRunner: {{poolId: {NO_POOL}}}"
    repeats = 10 if quick else 60
    for number in range(repeats + 1):
        world.drop(f"own-{number}.yaml", text)
        world.drop(f"bare-{number}.yaml", text)
    bare_calls = Bare(world._storage, world.app.batch._client, world.settings.containers, NO_POOL)
    bare_calls.make_ledger()
    with _a_pool_without_nodes():
        submit_run.accept(world.app, f"own-{repeats}.yaml")
        bare_calls.submit("bare", f"bare-{repeats}.yaml")
        own, bare = medians(
            repeats,
            lambda number: submit_run.accept(world.app, f"own-{number}.yaml"),
            lambda number: bare_calls.submit(f"bare-{number}", f"bare-{number}.yaml"),
        )
    for job in world.app.batch.live_jobs().ids:
        world.app.batch.delete(job)
    yield ratio("submit of a small manifest / its calls bare", own, bare, 1.5)


def fan_out(world: World, quick: bool) -> Iterator[Measured]:
    """Many items, beside a loop that writes the same scripts and adds the same tasks by the SDK's `create_tasks`."""
    items = 1000 if quick else 10_000
    for name, command in (("the same script", "echo $ITEM_INDEX"), ("scripts of their own", "echo {{ item }}")):
        text = (
            f"id: t\nforeach: {items}\ncommands: ['{command}']\noutputFiles: [a.txt]\ntaskRunner: {{poolId: {NO_POOL}}}"
        )
        bare = BareFanOut.of(world, text)
        with _a_pool_without_nodes():
            own, made_and_sent, sent = medians(3, partial(_own_fan_out, world, text), bare.make_and_send, bare.send)
        more = f"; of that to send {sent:.2f} s, to make the SDK's objects the rest"
        yield ratio(f"submit of {items:,} items, {name} / create_tasks", own, made_and_sent, 1.3, more)
        yield ratio(f"submit of {items:,} items, {name} / sending alone", own, sent, 1.5)


def planned_again(world: World, quick: bool) -> Iterator[Measured]:
    """What is known of many items once more, for their record."""
    items = 1000 if quick else 10_000
    for what, text in PLANNED.items():
        run = _run(text.format(items))
        manifest = manifest_of(run)
        [seconds] = medians(5, partial(_again, manifest, run, world.settings))
        yield Measured(f"{items:,} items of {what}, as they were submitted", seconds, 0.3, "s", "median of 5")


def _again(manifest: Manifest, run: Run, settings: Settings, _: int) -> object:
    return submitted_round(manifest, run, settings)


def _own_fan_out(world: World, text: str, number: int) -> None:
    run = world.accept(f"{number}.yaml", text)
    world.app.runs.remove(run)
    world.app.batch.delete(f"{run}-1")


@dataclass(frozen=True)
class BareFanOut:
    """What the app submits for a fan-out, without the app: scripts, and tasks."""

    batch: BatchClient
    staging: ContainerClient
    scripts: dict[str, str]
    tasks: list[models.BatchTaskCreateOptions]

    @classmethod
    def of(cls, world: World, text: str) -> BareFanOut:
        """What is submitted for a manifest."""
        plan = _plan(world, text)
        access = world.app.staging.access(plan.staging, batch_job.RETENTION, now=world.app.now())
        staging = world._storage.get_container_client(plan.staging)
        tasks = batch_job.Tasks(plan, access, timedelta(days=1))
        return cls(world.app.batch._client, staging, plan.scripts(), list(tasks))

    def make_and_send(self, number: int) -> None:
        """All of it: what one would write by hand."""
        self._submit(f"bare-{number}", [_made_anew(task) for task in self.tasks])

    def send(self, number: int) -> None:
        """The calls alone, with tasks that are there."""
        self._submit(f"sent-{number}", self.tasks)

    def _submit(self, job: str, tasks: list[models.BatchTaskCreateOptions]) -> None:
        pool = models.BatchPoolInfo(pool_id=NO_POOL)
        in_parallel(lambda name: self.staging.upload_blob(name, self.scripts[name], overwrite=True), self.scripts)
        self.batch.create_job(models.BatchJobCreateOptions(id=job, pool_info=pool))
        self.batch.create_tasks(job, tasks, max_concurrency=AT_ONCE)
        self.batch.begin_delete_job(job)


def _made_anew(task: models.BatchTaskCreateOptions) -> models.BatchTaskCreateOptions:
    """The same task; what all tasks have in common is kept."""
    return models.BatchTaskCreateOptions(
        id=task.id,
        display_name=task.display_name,
        command_line=task.command_line,
        container_settings=task.container_settings,
        required_slots=task.required_slots,
        user_identity=task.user_identity,
        resource_files=task.resource_files,
        output_files=[_upload(file) for file in task.output_files or ()],
        constraints=task.constraints,
        exit_conditions=task.exit_conditions,
    )


def _upload(file: models.OutputFile) -> models.OutputFile:
    container = file.destination.container
    assert container
    destination = models.OutputFileBlobContainerDestination(container_url=container.container_url, path=container.path)
    return models.OutputFile(
        file_pattern=file.file_pattern,
        destination=models.OutputFileDestination(container=destination),
        upload_options=file.upload_options,
    )


def _plan(world: World, text: str) -> RoundPlan:
    run = _run(text)
    plan = plan_round(manifest_of(run), run, world.settings)
    assert isinstance(plan, RoundPlan)
    return plan


def _run(text: str) -> Run:
    manifest = ManifestBlob(name="m.yaml", etag="0x1", sha256=None, text=text)
    now = datetime.now(UTC)
    return Run(RunBody(run_id="m-20261122t121314-3f9a1c2b", manifest=manifest, dropped=now, accepted=now), Progress())


def _a_pool_without_nodes() -> AbstractContextManager[object]:
    """The app knows a pool that Batch does not: no task runs beside what is measured."""
    return patch.object(Batch, "pools", lambda *_, **__: {NO_POOL: Pool(NO_POOL, 1)})
