"""Whatever is dropped: it ends as a record that its schema describes, and a rejected one tells where the mistakes are.

MANIFEST_EXAMPLES sets how many manifests are made up.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shared.documents.states import FailureCategory, State
from tests.support.generated_manifests import NAMESPACE, NAMESPACE_FILES, mangled, runnable_flows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RECORD_SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "record.schema.json").read_text()))
SIDE_BY_SIDE = 5
ENDED = {State.SUCCESS, State.WARNING, State.FAILED, State.REJECTED}

# Nothing that is run as a command does harm, and nothing takes long.
values = st.sampled_from(
    [None, True, -1, 0, 2, 1.5, "", "x", "true", "PT1M", "..", "{{ vars.x }}", "{{ item }}", [], ["x"], {}, {"a": "b"}]
)
flows = runnable_flows() | mangled(runnable_flows(), values)
numbers = itertools.count(1)


@pytest.fixture
def world(world):
    """With the namespace that the flows use."""
    for path, text in NAMESPACE_FILES.items():
        world.put("namespaces", f"{NAMESPACE}/{path}", text)
    return world


@settings(
    deadline=None,
    max_examples=max(1, int(os.environ.get("MANIFEST_EXAMPLES", "20")) // SIDE_BY_SIDE),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # what a run shows is not worth minutes of making it smaller
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(dropped=st.lists(flows, min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE))
def test_a_dropped_manifest_ends_as_a_record(world, caplog: pytest.LogCaptureFixture, dropped: list[object]) -> None:
    texts = {f"{next(numbers)}.json": json.dumps(flow) for flow in dropped}
    runs = {name: world.accept(name, text) for name, text in texts.items()}
    world.finish()
    for name, run in runs.items():
        wrong = what_is_wrong(world.record(run, name))
        assert not wrong, f"{wrong} with {texts[name]}"
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR] == []
    assert world.names("inbox") == world.names("runs") == world.names("staging") == []


def what_is_wrong(record: dict) -> list[str]:
    """What no record may be, whatever the manifest was."""
    failures = [record["failure"], *(task["failure"] for task in record["tasks"])]
    wrong = [error.message for error in RECORD_SCHEMA.iter_errors(record)]
    wrong += [str(failure) for failure in failures if failure and failure["category"] != FailureCategory.USER]
    wrong += [f"no place: {error}" for error in record["errors"] if not (error["line"] and error["column"])]
    if record["state"] not in ENDED or (record["state"] == State.REJECTED) != (not record["tasks"]):
        wrong.append(f"{record['state']} with {len(record['tasks'])} tasks")
    if record["state"] == State.REJECTED and not record["errors"]:
        wrong.append("rejected without errors")
    return wrong
