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
COMMANDS = "type: io.kestra.plugin.scripts.shell.Commands, commands: [x]"
FAIL = "type: io.kestra.plugin.core.execution.Fail"


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
    "before",
    [
        f"{{id: a, {FAIL}, condition: '{{{{ taskrun.value == \"x\" }}}}'}}",
        f"{{id: a, {COMMANDS}}}",
    ],
)
@pytest.mark.parametrize("values", ["[]", "[y]", "'{{ outputs.a[taskrun.value].vars.list ?? [] }}'"])
def test_nothing_runs_after_a_loop_that_a_failure_in_the_loop_around_it_keeps_from_beginning(
    before: str, values: str, run_of, settings
) -> None:
    inner = f"{{id: g2, {GROUP}ForEach, values: {values}, tasks: [{{id: b, {COMMANDS}}}]}}"
    loop = f"{{id: g, {GROUP}ForEach, values: [x, z], tasks: [{before}, {inner}]}}"
    flow = yaml.safe_load(f"{{id: f, namespace: n, tasks: [{loop}, {{id: c, {COMMANDS}}}]}}")
    scenario = Scenario(flow=flow, failing={"a": "x"}, printing=frozenset({"a"}))
    assert differences_of(scenario, run_of, settings) == []
    assert execute(flow, scenario.fails, scenario.text).state == "FAILED"


IN_ORDER = f"{GROUP}ForEach, values: [x, y]"


@pytest.mark.parametrize(
    "beside",
    [
        f"{{id: g, {IN_ORDER}, tasks: [{{id: a, {COMMANDS}}}, {{id: b, {COMMANDS}, runIf: 'false'}}]}}",
        f"{{id: g, {IN_ORDER}, tasks: [{{id: a, {COMMANDS}, runIf: 'false'}}, {{id: b, {COMMANDS}}}]}}",
    ],
)
def test_what_a_condition_leaves_out_of_a_loop_that_waits_for_its_own_round_is_left_out_with_the_loop(
    beside: str, run_of, settings
) -> None:
    others = "".join(f"{{task: {{id: t{index}, {COMMANDS}}}}}, " for index in range(3))
    flow = yaml.safe_load(
        f"{{id: f, namespace: n, tasks: [{{id: d, {GROUP}Dag, tasks: [{others}{{task: {beside}}}]}}]}}"
    )
    assert differences_of(Scenario(flow=flow, failing={}, printing=frozenset()), run_of, settings) == []


def test_finally_runs_after_a_loop_of_several_tasks_that_a_failure_beside_it_keeps_from_beginning(
    run_of, settings
) -> None:
    loop = f"{{id: g, {IN_ORDER}, tasks: [{{id: a, {COMMANDS}}}, {{id: b, {COMMANDS}}}, {{id: c, {COMMANDS}}}]}}"
    first = f"{{task: {{id: s, {COMMANDS}}}}}, {{task: {{id: t, {COMMANDS}}}}}"
    dag = f"{{id: d, {GROUP}Dag, concurrent: 2, tasks: [{first}, {{task: {{id: u, {FAIL}}}}}, {{task: {loop}}}]}}"
    flow = yaml.safe_load(f"{{id: f, namespace: n, tasks: [{dag}], finally: [{{id: z, {COMMANDS}}}]}}")
    scenario = Scenario(flow=flow, failing={}, printing=frozenset())
    assert differences_of(scenario, run_of, settings) == []
    assert ("z", ()) in execute(flow, scenario.fails, scenario.text).runs


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
