"""The process dies at every call of a run that a trigger starts: it is started once, and run once, all the same."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue

import pytest

from shared import poll_runs
from shared.documents.names import follower_run_id, scheduled_run_id
from tests.chaos.lives import MAX_TICKS, Ended, Host, assert_told
from tests.chaos.wire import Fault, Wire
from tests.integration.conftest import World

pytestmark = pytest.mark.slow

AT_ONCE = 4
SAMPLES, SEED = 4, 7


def flow_text(flow: str, trigger: str, ledger: Path) -> str:
    """A flow with this trigger, if any, whose task notes that it ran."""
    command = f"echo {flow} >> {ledger}/{{{{ execution.id }}}}"
    triggers = f"triggers: [{{id: t, type: io.kestra.plugin.core.trigger.{trigger}}}]\n" if trigger else ""
    return f"id: {flow}\nnamespace: company.team\n{triggers}tasks: [{{id: task, commands: ['{command}']}}]\n"


def scheduled(world: World, name: str, ledger: Path, wire: Wire) -> list[Ended]:
    """The run of a schedule, from the first look at its flow on."""
    due = (datetime.now(UTC) + timedelta(hours=1)).replace(second=0, microsecond=0)
    cron = f"{due.minute} {due.hour} {due.day} {due.month} *"
    world.put("flows", f"company.team/{name}.yaml", flow_text(name, f"Schedule, cron: '{cron}'", ledger))
    host = Host(world, wire)
    host.tick()
    host.clock = timedelta(hours=1, minutes=1)
    run = scheduled_run_id(f"company.team/{name}", "t", due)
    _work_until(host, run, name)
    host.clock += timedelta(hours=1)
    host.tick()
    world.remove("flows", f"company.team/{name}.yaml")
    return [_ended(world, run, f"company.team/{name}.yaml", ledger)]


def followed(world: World, name: str, ledger: Path, wire: Wire) -> list[Ended]:
    """A run and the one that follows it, from the drop of the first on; its flow is known before."""
    follower = f"{name}-next"
    after = f"Flow, dependsOn: [{{namespace: company.team, flowId: {name}}}]"
    world.put("flows", f"company.team/{follower}.yaml", flow_text(follower, after, ledger))
    clock = next(_MINUTES)
    poll_runs.poll(world.later(minutes=clock))
    host = Host(world, wire, redelivers=wire.at % 2 == 0, clock=timedelta(minutes=clock))
    run = host.drop(f"{name}.yaml", flow_text(name, "", ledger))
    host.work()
    record = world.record(run, f"{name}.yaml")
    next_run = follower_run_id(f"company.team/{follower}", "t", run, datetime.fromisoformat(record["timings"]["ended"]))
    host.repeat_all(f"{name}.yaml")
    world.remove("flows", f"company.team/{follower}.yaml")
    return [
        _ended(world, run, f"{name}.yaml", ledger),
        _ended(world, next_run, f"company.team/{follower}.yaml", ledger),
    ]


_MINUTES = itertools.count(2, 2)


def _work_until(host: Host, run: str, name: str) -> None:
    for _ in range(MAX_TICKS):
        if f"company.team/{name}/{run}/record.json" in host.world.names("results") and not host.world.names("runs"):
            return
        host.work()
        host.tick()
    raise AssertionError(f"{run} has no record; still open: {host.world.names('runs')}")


def _ended(world: World, run: str, name: str, ledger: Path) -> Ended:
    assert_told(world, run, name)
    ended = Ended.of(world, run, name, ledger)
    assert len(ended.ran) == 1, f"{run} ran {ended.ran}"
    return Ended(ended.shape, [])


@pytest.mark.parametrize("share", ["sample", pytest.param("every call", marks=pytest.mark.chaos)])
@pytest.mark.parametrize("life", [scheduled, followed])
@pytest.mark.timeout(3600)
def test_the_process_may_die_at_any_call_of_a_triggered_run(
    make_world: Callable[..., World], tmp_path: Path, injected: Callable[[int], None], life: Callable, share: str
) -> None:
    """Promise: each due time, and each end of a run that is followed, becomes one run, which is run once."""
    wire = Wire()
    undisturbed = life(make_world(), "undisturbed", tmp_path, wire)
    faults = list(itertools.product(Fault, range(1, len(wire.calls) + 1)))
    if share == "sample":
        faults = random.Random(SEED).sample(faults, SAMPLES)
    injected(len(faults))
    problems = _try_all([make_world() for _ in range(AT_ONCE)], faults, life, tmp_path, undisturbed)
    assert not problems, "\n".join(problems)


def _try_all(
    worlds: Sequence[World],
    faults: Sequence[tuple[Fault, int]],
    life: Callable[[World, str, Path, Wire], list[Ended]],
    ledger: Path,
    undisturbed: list[Ended],
) -> list[str]:
    """What went wrong, each fault in a life of its own."""
    free: SimpleQueue[World] = SimpleQueue()
    for world in worlds:
        free.put(world)

    def attempt(case: tuple[Fault, int]) -> str | None:
        fault, at = case
        wire, world = Wire(fault, at), free.get()
        try:
            ended = life(world, f"{fault.name.lower()}-{at}".replace("_", "-"), ledger, wire)
        except Exception as error:  # noqa: BLE001 - told with the fault that led to it
            return f"{fault.value}, number {at}: {wire.calls[-1:]}: {type(error).__name__}: {error}"
        finally:
            free.put(world)
        return None if ended == undisturbed else f"{fault.value}, number {at}: {ended} is not {undisturbed}"

    with ThreadPoolExecutor(len(worlds)) as threads:
        return [problem for problem in threads.map(attempt, faults) if problem]
