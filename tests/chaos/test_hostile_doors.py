"""What comes in by any door is refused in words, or planned as anything else: no exception, no end without an end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from batchrun.cli.check import Checked, check, findings
from batchrun.client.given import what_is_readable
from batchrun.client.pools import Pools
from batchrun.client.requests import Drop, of_file
from shared.documents.manifest_blob import manifest_blob
from shared.documents.states import State
from shared.documents.trigger import DueTime, EndedRun, StartedBy
from shared.errors import LONGEST_PROBLEM, ManifestError
from shared.manifest.read import Manifest
from shared.manifest.request import find_request, read_request, request_text
from shared.plan.run_manifest import stored_manifest
from shared.plan.triggers import AnyTrigger, TriggerRefused, given_by, kinds_of_start, starts
from shared.schedules import Schedule
from shared.settings import Settings
from tests.chaos.doors import texts
from tests.support.pure import ENVIRON, MOMENT

pytestmark = pytest.mark.slow

NAME = "company.team/stored"
ENDED = EndedRun(
    run_id="other-20261128t120000-0123abcd",
    results="other/other-20261128t120000-0123abcd",
    namespace="company.team",
    flow_id="other",
    state=State.SUCCESS,
    started=MOMENT,
    ended=MOMENT,
    labels={"a": "{{ secret('HOSTILE') }}"},
    outputs={"o": "{{ secret('HOSTILE') }}"},
)
BATCH = 25
BATCHES = 20
SAMPLES = 1
SECRET = "the-value-of-a-hostile-secret"
SETTINGS = Settings.from_environ({**ENVIRON, "SECRET_HOSTILE": SECRET})
LONGEST = 2 * LONGEST_PROBLEM + 100
STORED = manifest_blob(
    f"{NAME}.yaml",
    "0x1",
    b"""
id: stored
namespace: company.team
inputs: [{id: i, type: STRING}]
tasks: [{id: t, commands: [x]}]
""",
)


seeds = pytest.mark.parametrize(
    "seed", [*range(SAMPLES), *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(SAMPLES, BATCHES))]
)


def as_dropped(text: str) -> Checked:
    """What the app makes of a text in the inbox."""
    content = text.encode("utf-8", "surrogatepass")
    blob = manifest_blob("m.yaml", "0x1", content)
    request = find_request(blob.text, as_json=False) if blob.text else None
    stored = request.stored_flow if request else None
    drop = Drop("m.yaml", "m.yaml", content, MOMENT, stored=stored, flow=STORED if stored else None)
    return check(replace(drop, is_retry=bool(request and request.retry)), SETTINGS, Pools({"pool1": 4, "local": 4}))


def as_stored(text: str) -> Checked:
    """What the app makes of a text among the stored flows: when it starts, after what, and with what."""
    drop = of_file(Path("stored.yaml"), NAME, text.encode("utf-8", "surrogatepass"), MOMENT)
    assert drop.flow
    with suppress(ManifestError):
        manifest = stored_manifest(drop.flow, NAME)
        for trigger in manifest.flow.placed_triggers.schedules:
            _start(trigger, manifest, due=_due(Schedule(trigger.normal_cron, trigger.timezone)))
        for trigger in manifest.flow.placed_triggers.flows:
            _start(trigger, manifest, ended=ENDED)
    readable = what_is_readable(drop.flow.text, drop.flow.name, stored=True)
    kinds = kinds_of_start(readable.flow) if readable else ()
    return next(check(drop, SETTINGS, Pools(), by) for by in kinds or (None,))


def _due(schedule: Schedule) -> DueTime:
    assert len(list(schedule.between(MOMENT, MOMENT + timedelta(days=1)))) <= 24 * 60
    following = schedule.next_after(MOMENT)
    return DueTime(date=following or MOMENT, next=following, previous=schedule.last_before(MOMENT))


def _start(trigger: AnyTrigger, manifest: Manifest, **cause: Any) -> None:
    by = StartedBy(id=trigger.id, type=trigger.type, flow=NAME, **cause)
    with suppress(TriggerRefused):
        if starts(trigger, manifest.flow, by, SETTINGS):
            given = given_by(trigger, manifest.flow, by, SETTINGS)
            read_request(request_text(NAME, given.inputs, given.labels), as_json=False)


ENTERED = {"requests": as_dropped, "inputs": as_dropped, "groups": as_dropped, "stored flows": as_stored}


@seeds
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("door", ENTERED)
def test_a_hostile_text_is_refused_in_words_or_planned(injected: Callable[[int], None], door: str, seed: int) -> None:
    """Promise: whoever wrote it is told what is wrong, in words of a length to read; no secret is in that."""
    for text in texts(door, seed, BATCH):
        checked = ENTERED[door](text)
        told = list(findings("m.yaml", checked))
        assert told, text[:1000]
        assert all(len(line) < LONGEST for line in told), max(told, key=len)[:5000]
        assert SECRET not in f"{told} {checked}"
    injected(BATCH)
