"""Whatever flow is run, and whatever fails in it: what runs, and how it ends, is what Kestra's source says."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from shared.errors import ManifestError
from tests.support.kestra_flows import Scenario, scenarios
from tests.support.kestra_model import SKIPPED, Result, execute
from tests.support.played_run import Played, play

EXAMPLES = hypothesis_settings(
    deadline=None,
    derandomize=True,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
NOTHING_TO_RUN = "every task is disabled; there is nothing to run"

GROUP = "type: io.kestra.plugin.core.flow."


def differences(played: Played, expected: Result) -> list[str]:
    """What a run did that Kestra would not have done, or the other way round.

    What a condition leaves out has no commands, so that it does not matter whether the run got there.
    """
    found = [] if played.state == expected.state else [f"it is {played.state}, not {expected.state}"]
    for key, ran in expected.runs.items():
        state = played.runs.get(key)
        if state != ran.state and (ran.sure or (state is not None and ran.state != SKIPPED)):
            found.append(f"{key} is {state}, not {ran.state}")
    extra = {key: state for key, state in played.runs.items() if key not in expected.runs and state != SKIPPED}
    return found + [f"{key} is {state}, but does not run" for key, state in extra.items()]


def differences_of(scenario: Scenario, run_of, settings) -> list[str]:
    played = play(run_of(json.dumps(scenario.flow), name="x.json"), settings, scenario.fails, scenario.prints)
    return differences(played, execute(scenario.flow, scenario.fails, scenario.text))


@EXAMPLES
@given(scenario=scenarios())
def test_what_runs_and_how_it_ends_is_what_kestra_does(scenario: Scenario, run_of, settings) -> None:
    try:
        found = differences_of(scenario, run_of, settings)
    except ManifestError as error:
        found = [problem.message for problem in error.problems if problem.message != NOTHING_TO_RUN]
    assert found == []


@pytest.mark.parametrize(
    ("tasks", "state", "runs"),
    [
        ("[{id: a}, {id: b}]", "FAILED", ["a"]),
        (f"[{{id: g, {GROUP}AllowFailure, tasks: [{{id: a}}, {{id: b}}]}}, {{id: c}}]", "WARNING", ["a", "c"]),
        (f"[{{id: g, {GROUP}Switch, value: x, cases: {{y: [{{id: c}}]}}}}, {{id: b}}]", "FAILED", []),
        (f"[{{id: g, {GROUP}Loop, values: [x, y], tasks: [{{id: a, allowFailure: true}}]}}]", "SUCCESS", ["a", "a"]),
        (f"[{{id: g, {GROUP}ForEach, values: [x, y], tasks: [{{id: a, allowFailure: true}}]}}]", "WARNING", ["a", "a"]),
        (f"[{{id: g, {GROUP}Loop, values: [x], tasks: [{{id: a}}], errors: [{{id: b}}]}}]", "FAILED", ["a", "b"]),
    ],
)
def test_the_model_says_what_the_source_says_where_a_fails(tasks: str, state: str, runs: list[str]) -> None:
    found = execute({"tasks": yaml.safe_load(tasks)}, lambda name, _: name == "a", lambda text, *_: text)
    assert found.state == state
    assert [name for name, _ in found.runs] == runs
