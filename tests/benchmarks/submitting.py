"""submit_run beside the bare calls that it is made of."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from unittest.mock import patch

from azure.batch import models

from shared import batch_job, submit_run
from shared.batch import Batch
from shared.parallel import AT_ONCE, in_parallel
from shared.plan import manifest_of, plan_round
from shared.planned import RoundPlan
from shared.pool_health import Pool
from shared.run import ManifestBlob, Progress, Run, RunBody
from tests.benchmarks.bare import Bare
from tests.benchmarks.target import Measured, medians, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tests.integration.conftest import World

SMALL = "commands: [echo hi > a.txt]\noutputFiles: [a.txt]"
NO_POOL = "none"  # a pool that does not exist: Batch takes its jobs and runs none of them


def small_manifest(world: World, quick: bool) -> Iterator[Measured]:
    """One small manifest, warm, beside its twelve remote calls, one after the other."""
    text = f"{SMALL}\ntaskRunner: {{poolId: {NO_POOL}}}"
    repeats = 10 if quick else 60
    for number in range(repeats + 1):
        world.drop(f"own-{number}.yaml", text)
        world.drop(f"bare-{number}.yaml", text)
    bare_calls = Bare(world._storage, world.app.batch._client, world.settings.containers, NO_POOL)
    with _a_pool_without_nodes():
        submit_run.take(world.app, f"own-{repeats}.yaml")
        bare_calls.submit("bare", f"bare-{repeats}.yaml")
        own, bare = medians(
            repeats,
            lambda number: submit_run.take(world.app, f"own-{number}.yaml"),
            lambda number: bare_calls.submit(f"bare-{number}", f"bare-{number}.yaml"),
        )
    for job in world.app.batch.live_jobs().ids:
        world.app.batch.delete(job)
    yield ratio("submit of a small manifest / its calls bare", own, bare, 1.5)


def fan_out(world: World, quick: bool) -> Iterator[Measured]:
    """Many items, beside the same scripts, and the SDK's own `create_tasks` of the same tasks, with as many threads."""
    items = 1000 if quick else 10_000
    for name, command in (("the same script", "echo $ITEM_INDEX"), ("scripts of their own", "echo {{ item }}")):
        text = (
            f"id: t\nforeach: {items}\ncommands: ['{command}']\noutputFiles: [a.txt]\ntaskRunner: {{poolId: {NO_POOL}}}"
        )
        plan = _plan(world, text)
        with _a_pool_without_nodes():
            own, bare = medians(3, partial(_own_fan_out, world, text), partial(_bare_fan_out, world, plan))
        yield ratio(f"submit of {items:,} items, {name} / bare calls", own, bare, 1.3)


def _own_fan_out(world: World, text: str, number: int) -> None:
    run = world.take(f"{number}.yaml", text)
    world.app.runs.remove(run)
    world.app.batch.delete(f"{run}-1")


def _bare_fan_out(world: World, plan: RoundPlan, number: int) -> None:
    job, client = f"bare-{number}", world.app.batch._client
    client.create_job(models.BatchJobCreateOptions(id=job, pool_info=models.BatchPoolInfo(pool_id=NO_POOL)))
    staging, scripts = world._storage.get_container_client(plan.staging), plan.scripts()
    in_parallel(lambda name: staging.upload_blob(name, scripts[name].encode(), overwrite=True), scripts)
    access = world.app.staging.access(plan.staging, batch_job.RETENTION, now=world.app.now())
    client.create_tasks(job, list(batch_job.Tasks(plan, access)), max_concurrency=AT_ONCE)
    world.app.batch.delete(job)


def _plan(world: World, text: str) -> RoundPlan:
    manifest = ManifestBlob(name="m.yaml", etag="0x1", sha256=None, text=text)
    now = world.app.now()
    run = Run(RunBody(run_id="m-20261122t121314-3f9a1c2b", manifest=manifest, dropped=now, accepted=now), Progress())
    plan = plan_round(manifest_of(run), run, world.settings)
    assert isinstance(plan, RoundPlan)
    return plan


def _a_pool_without_nodes() -> AbstractContextManager[object]:
    """The app knows a pool that Batch does not: no task runs beside what is measured."""
    return patch.object(Batch, "pools", lambda *_, **__: {NO_POOL: Pool(NO_POOL, 1)})
