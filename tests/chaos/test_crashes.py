"""The process dies at every call that it makes: a run is run once, and recorded once, all the same.

Every number of a call is tried in a run of its own: right before the call, right after it, and with its answer lost.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.lives import Ended, Host, assert_told, earlier_of, prepare
from tests.chaos.stories import CANCELLED, FAN_OUT, GRAPH, LIMITED, ONE_TASK, REQUEST, RETRY, STOPPED, WHOLE, WRONG
from tests.chaos.wire import Fault, Wire
from tests.integration.conftest import World

pytestmark = pytest.mark.sampled

AT_ONCE = 6
SEED = 5

STORIES = {
    "one task": ONE_TASK,
    "graph": GRAPH,
    "fan-out": FAN_OUT,
    "a failure": STOPPED,
    "limited": LIMITED,
    "rejected": WRONG,
    "request": REQUEST,
    "retry": RETRY,
    "whole": WHOLE,
    "cancelled": CANCELLED,
}
PUSHED = {f"{story}, pushed": story for story in ("one task", "graph", "a failure")}
"""The same, where the markers that tasks leave are delivered before a tick."""
ONCE = ("fan-out", "a failure", "request", "whole")
FAULTS = dict.fromkeys(STORIES, tuple(Fault)) | dict.fromkeys(ONCE, (Fault.DIES_BEFORE,))
"""Of stories whose calls are many and much alike, one fault each: dying before a call is dying after the one before."""
SAMPLES = {
    "one task": 6,
    "graph": 3,
    "fan-out": 1,
    "a failure": 1,
    "limited": 1,
    "rejected": 2,
    "request": 1,
    "retry": 1,
    "whole": 1,
    "cancelled": 1,
}


@pytest.fixture
def worlds(make_world: Callable[..., World]) -> list[World]:
    """A world for each of the runs that go on at the same time."""
    return [make_world() for _ in range(AT_ONCE)]


@pytest.mark.parametrize("share", ["sample", pytest.param("every call", marks=pytest.mark.chaos)])
@pytest.mark.parametrize("story", [*STORIES, *PUSHED])
@pytest.mark.timeout(3600)
def test_the_process_may_die_at_any_call(
    worlds: list[World], tmp_path: Path, injected: Callable[[int], None], story: str, share: str
) -> None:
    """Promise: each task runs once, there is one record, complete, others are told, and nothing is left behind."""
    is_pushed, story = story in PUSHED, PUSHED.get(story, story)
    text = STORIES[story].text(tmp_path)
    for world in worlds:
        prepare(world, STORIES[story], tmp_path)
    (tmp_path / "ok").touch()
    wire = Wire()
    undisturbed = _live(worlds[0], "undisturbed.yaml", text, tmp_path, wire, is_pushed=is_pushed)
    assert undisturbed.ran == sorted(STORIES[story].ran)
    faults = list(itertools.product(FAULTS[story], range(1, len(wire.calls) + 1)))
    if share == "sample":
        faults = random.Random(SEED).sample(faults, SAMPLES[story])
    injected(len(faults))
    problems = _try_all(worlds, faults, text, tmp_path, undisturbed, is_pushed=is_pushed)
    assert not problems, "\n".join(problems)
    _assert_no_jobs(worlds[0])


def _try_all(
    worlds: Sequence[World],
    faults: Sequence[tuple[Fault, int]],
    text: str,
    ledger: Path,
    undisturbed: Ended,
    *,
    is_pushed: bool,
) -> list[str]:
    """Run the manifest once for each fault, several at a time, each in a world of its own; what went wrong."""
    free, own = list(worlds), threading.local()

    def take_world() -> None:
        own.world = free.pop()

    def attempt(case: tuple[Fault, int]) -> str | None:
        fault, at = case
        wire = Wire(fault, at)
        try:
            ended = _live(own.world, f"{fault.name.lower()}-{at}.yaml", text, ledger, wire, is_pushed=is_pushed)
        except Exception as error:  # noqa: BLE001 - told with the fault that led to it
            return f"{fault.value}, number {at}: {wire.calls[-1:]}: {type(error).__name__}: {error}"
        if ended != undisturbed:
            return f"{fault.value}, number {at}: {wire.calls[at - 1]}: {ended} is not {undisturbed}"
        return None

    with ThreadPoolExecutor(len(worlds), initializer=take_world) as threads:
        return [problem for problem in threads.map(attempt, faults) if problem]


def _live(world: World, name: str, text: str, ledger: Path, wire: Wire, *, is_pushed: bool) -> Ended:
    cancels = ledger if text == CANCELLED.text(ledger) else None
    host = Host(world, wire, redelivers=wire.at % 2 == 0, is_pushed=is_pushed, cancels=cancels)
    run = host.drop(name, text.replace("EARLIER", earlier_of(world)))
    host.work()
    ended = Ended.of(world, run, name, ledger)
    assert_told(world, run, name)
    host.repeat_all(name)
    assert Ended.of(world, run, name, ledger) == ended, "what comes late changes nothing"
    return ended


def _assert_no_jobs(world: World) -> None:
    """Deleting takes Batch a moment."""
    client = world.app.batch._client
    left = [job.id for job in client.list_jobs() if job.state != "deleting"]
    assert left == []
