"""What follows a failure or the end: `errors`, `finally`, `afterExecution`, groups that may fail, and early ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.documents.early_end import EarlyEnd, Rejection
from shared.documents.record import JobRecord, RunProblem
from shared.documents.run import Run
from shared.documents.states import FailureCategory, JobReason, Phase, SkippedBy, State
from shared.documents.task_result import Failure, TaskRecord
from shared.plan.phases import PHASE_LIMIT, time_limit, with_later_phases
from shared.plan.plan_round import has_next_round, plan_round
from shared.plan.round_plan import EndedInPlanning, RoundPlan
from shared.plan.run_manifest import manifest_of
from shared.plan.run_state import run_state

ALLOW = "type: io.kestra.plugin.core.flow.AllowFailure"
GROUP = "type: io.kestra.plugin.core.flow.Sequential"
PARALLEL = "type: io.kestra.plugin.core.flow.Parallel"
FLOW = """
tasks: [{id: a, commands: [x]}, {id: b, commands: [x]}]
errors: [{id: e, commands: [x]}, {id: e2, commands: [x]}]
finally: [{id: f, commands: [x]}]
afterExecution: [{id: after, commands: ['echo {{ execution.state }}']}]
"""
States = dict[str, str]


def ended(states: States) -> dict[str, TaskRecord]:
    """The records of tasks by their state; `OUT` is one that a condition left out."""
    return {
        name: TaskRecord(id=name, state=State.SKIPPED, skipped=SkippedBy.CONDITION)
        if state == "OUT"
        else TaskRecord(
            id=name,
            state=State(state),
            failure=Failure(category=FailureCategory.USER, code="x", message="x") if state == "FAILED" else None,
        )
        for name, state in states.items()
    }


@pytest.fixture
def plan(run_of, settings) -> Callable[..., tuple[list[str], list[str]]]:
    """The tasks that run, and those with nothing to run, after tasks that have ended."""

    def build(text: str, early: EarlyEnd | None = None, **states: str) -> tuple[list[str], list[str]]:
        run = run_of(text, finished=ended(states), early_end=early)
        planned = plan_round(manifest_of(run), run, settings)
        if isinstance(planned, EndedInPlanning):
            return [], [task.name for task in planned.tasks]
        assert isinstance(planned, RoundPlan)
        return [task.name for task in planned.tasks], [each.name for each in planned.empty]

    return build


def test_what_follows_waits_for_the_end_of_what_is_before(plan) -> None:
    assert plan(FLOW) == (["a", "b"], [])


@pytest.mark.parametrize(
    ("states", "then"),
    [
        ({"a": "SUCCESS", "b": "SUCCESS"}, ([], ["e"])),
        ({"a": "SUCCESS", "b": "WARNING", "e": "OUT"}, ([], ["e2"])),
        ({"a": "SUCCESS", "b": "WARNING", "e": "OUT", "e2": "OUT"}, (["f"], [])),
        ({"a": "FAILED"}, (["e"], [])),
        ({"a": "SUCCESS", "b": "FAILED"}, (["e"], [])),
        ({"a": "FAILED", "e": "SUCCESS", "e2": "SUCCESS"}, (["f"], [])),
        ({"a": "FAILED", "e": "FAILED"}, (["e2"], [])),
        ({"a": "FAILED", "e": "FAILED", "e2": "SUCCESS"}, (["f"], [])),
        ({"a": "FAILED", "e": "SUCCESS", "e2": "SUCCESS", "f": "FAILED"}, (["after"], [])),
        ({"a": "FAILED", "e": "SUCCESS", "e2": "SUCCESS", "f": "SUCCESS"}, (["after"], [])),
        ({"a": "FAILED", "e": "SUCCESS", "e2": "SUCCESS", "f": "SUCCESS", "after": "FAILED"}, ([], [])),
    ],
)
def test_errors_run_after_a_failure_and_the_rest_however_it_ended(plan, states: States, then: object) -> None:
    assert plan(FLOW, **states) == then


def test_errors_of_a_group_run_and_then_those_of_the_flow(plan) -> None:
    text = f"""
tasks:
- {{id: g, {GROUP}, tasks: [{{id: a, commands: [x]}}, {{id: b, commands: [x]}}],
   errors: [{{id: ge, commands: [x]}}], finally: [{{id: gf, commands: [x]}}]}}
- {{id: c, commands: [x]}}
errors: [{{id: e, commands: [x]}}]
"""
    assert plan(text) == (["a", "b"], [])
    assert plan(text, a="FAILED") == (["ge"], [])
    assert plan(text, a="FAILED", ge="SUCCESS") == (["gf"], [])
    assert plan(text, a="FAILED", ge="SUCCESS", gf="SUCCESS") == (["e"], [])
    assert plan(text, a="SUCCESS", b="SUCCESS", ge="OUT") == (["gf"], [])
    assert plan(text, a="SUCCESS", b="SUCCESS", ge="OUT", gf="FAILED") == (["c"], [])


def test_what_waits_for_a_group_that_may_fail_runs_though_it_failed(plan) -> None:
    text = f"""
tasks:
- {{id: first, commands: [x]}}
- {{id: g, {ALLOW}, tasks: [{{id: a, commands: [x]}}, {{id: b, commands: [x]}}], errors: [{{id: ge, commands: [x]}}]}}
- {{id: c, commands: [x]}}
errors: [{{id: e, commands: [x]}}]
"""
    assert plan(text) == (["first", "a", "b"], [])
    assert plan(text, first="SUCCESS", a="FAILED") == (["ge"], [])
    assert plan(text, first="SUCCESS", a="FAILED", ge="SUCCESS") == (["c"], [])
    assert plan(text, first="SUCCESS", a="SUCCESS", b="SUCCESS", ge="OUT") == (["c"], [])
    assert plan(text, first="SUCCESS", a="FAILED", ge="FAILED", c="SUCCESS") == ([], ["e"])
    assert plan(text, first="FAILED") == (["e"], [])


def test_a_disabled_task_has_not_failed(plan) -> None:
    text = """
tasks:
- {id: a, commands: [x]}
- {id: b, commands: [x], disabled: true}
- {id: g, %s, disabled: true, tasks: [{id: c, commands: [x]}]}
errors: [{id: e, commands: [x]}]
"""
    assert plan(text % PARALLEL, a="SUCCESS") == ([], ["e"])
    assert plan(text % PARALLEL, a="FAILED") == (["e"], [])


@pytest.mark.parametrize("limit", ["", "concurrencyLimit: 0,", "concurrencyLimit: 2,"])
@pytest.mark.parametrize("phase", ["errors", "finally", "afterExecution"])
def test_nothing_of_a_loop_in_a_later_phase_begins_before_it(run_of, settings, phase: str, limit: str) -> None:
    loop = "{id: l, type: io.kestra.plugin.core.flow.ForEach, %s values: [x], tasks: [%s]}"
    inside = "{id: b, commands: [x]}, {id: c, commands: [x]}"
    text = f"tasks: [{{id: a, commands: [x]}}]\n{phase}: [{loop % (limit, inside)}]"
    for states, names in (({}, ["a"]), ({"a": "FAILED"}, ["b", "c"])):
        run = run_of(text, finished=ended(states))
        planned = plan_round(manifest_of(run), run, settings)
        assert isinstance(planned, RoundPlan)
        assert [task.name for task in planned.tasks] == names


@pytest.mark.parametrize("more", ["", "concurrent: 2,"])
@pytest.mark.parametrize(
    ("inside", "failed"),
    [
        ("tasks: [{id: a, commands: [x]}], finally: [{id: b, commands: [x]}]", {"a": "SUCCESS", "b": "FAILED"}),
        ("allowFailure: true, tasks: [{id: a, commands: [x]}, {id: b, commands: [x]}]", {"a": "FAILED"}),
    ],
)
def test_what_is_no_failure_of_its_branch_stops_nothing_of_a_dag(plan, more: str, inside: str, failed: States) -> None:
    text = f"""
tasks:
- id: d
  type: io.kestra.plugin.core.flow.Dag
  {more.removesuffix(",")}
  tasks: [{{task: {{id: g, {GROUP}, {inside}}}}}, {{task: {{id: c, commands: [x]}}, dependsOn: [g]}}]
"""
    assert plan(text, **failed)[0] == ["c"]


@pytest.mark.parametrize("phase", ["errors", "finally"])
def test_a_later_phase_runs_also_if_a_loop_never_began(plan, phase: str) -> None:
    inside = "{id: b, commands: [x]}, {id: c, commands: [x]}"
    each = f"{{id: l, type: io.kestra.plugin.core.flow.ForEach, values: [x], tasks: [{inside}]}}"
    text = f"tasks: [{{id: a, commands: [x]}}, {each}]\n{phase}: [{{id: e, commands: [x]}}]"
    assert plan(text, a="FAILED") == (["e"], [])


def test_a_task_may_use_what_never_ran_if_it_says_what_else(run_of, settings) -> None:
    text = """
tasks: [{id: a, commands: [x]}, {id: b, commands: [x]}]
errors: [{id: e, commands: ["echo {{ outputs.b.vars.x ?? 'none' }} {{ outputs.a.exitCode }}"]}]
"""
    run = run_of(text, finished=ended({"a": "FAILED"}))
    planned = plan_round(manifest_of(run), run, settings)
    assert isinstance(planned, RoundPlan)
    assert [task.commands.text for task in planned.tasks] == ["set -e\necho none "]
    assert planned.phase is Phase.ERRORS


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ({"a": "SUCCESS", "b": "SUCCESS", "e": "OUT", "e2": "OUT", "f": "FAILED"}, State.SUCCESS),
        ({"a": "WARNING", "b": "SUCCESS", "e": "OUT", "e2": "OUT", "f": "SUCCESS"}, State.WARNING),
        ({"a": "FAILED", "e": "SUCCESS", "e2": "SUCCESS", "f": "SUCCESS"}, State.FAILED),
    ],
)
def test_the_tasks_of_the_flow_decide_its_state_as_in_kestra(run_of, settings, states: States, state: State) -> None:
    run = run_of(FLOW, finished=ended(states))
    manifest = manifest_of(run)
    assert run_state(manifest.flow, run.body.finished.values(), cancelled=False) is state
    planned = plan_round(manifest, run, settings)
    assert isinstance(planned, RoundPlan)
    assert [task.commands.text for task in planned.tasks] == [f"set -e\necho {state}"]


def test_a_group_that_may_fail_is_a_warning(run_of) -> None:
    inside = "[{id: a, commands: [x]}, {id: b, commands: [x]}]"
    text = f"tasks: [{{id: g, {PARALLEL}, allowFailure: true, tasks: {inside}}}]"
    flow = manifest_of(run_of(text)).flow
    assert run_state(flow, ended({"a": "FAILED", "b": "SUCCESS"}).values(), cancelled=False) is State.WARNING
    assert run_state(flow, ended({"a": "SUCCESS", "b": "SUCCESS"}).values(), cancelled=False) is State.SUCCESS
    assert run_state(flow, ended({"a": "KILLED", "b": "SUCCESS"}).values(), cancelled=True) is State.KILLED


@pytest.mark.parametrize(("kind", "state"), [("Loop", State.SUCCESS), ("ForEach", State.WARNING)])
def test_a_loop_of_kestra_2_ends_well_whatever_is_a_warning_in_it(run_of, kind: str, state: State) -> None:
    each = f"{{id: l, type: io.kestra.plugin.core.flow.{kind}, values: [x], tasks: [{{id: a, commands: [x]}}]}}"
    flow = manifest_of(run_of(f"tasks: [{each}]")).flow
    assert run_state(flow, ended({"a": "WARNING"}).values(), cancelled=False) is state
    assert run_state(flow, ended({"a": "FAILED"}).values(), cancelled=False) is State.FAILED


# --- early ends

JOB = JobRecord(id="j", pool="p", account="a", reason=JobReason.FIRST)
REJECTION = Rejection(category=FailureCategory.USER, code="FlowTimeout", errors=(RunProblem(message="too late"),))


def cancelled(run: Run) -> Run:
    return replace(run, progress=replace(run.progress, cancelled=True))


def test_a_cancel_of_the_tasks_goes_on_with_finally_and_one_in_finally_ends_the_run(run_of, plan) -> None:
    run = run_of(FLOW, finished=ended({"a": "KILLED"}), jobs=(JOB,))
    later = with_later_phases(manifest_of(run), cancelled(run))
    assert later is not None
    assert later.body.early_end == EarlyEnd(phase=Phase.ERRORS, cancelled=True)
    assert (later.progress.round, later.progress.cancelled, later.phase) == (2, False, Phase.FINALLY)
    assert plan(FLOW, later.body.early_end, a="KILLED") == (["f"], [])
    assert with_later_phases(manifest_of(run), cancelled(later)) is None
    in_finally = replace(run, body=run.body.model_copy(update={"phase": Phase.FINALLY}))
    assert with_later_phases(manifest_of(run), cancelled(in_finally)) is None


def test_a_phase_that_cannot_continue_is_followed_by_the_next(run_of, plan) -> None:
    run = run_of(FLOW, finished=ended({"a": "SUCCESS"}), jobs=(JOB,), rejection=REJECTION)
    manifest = manifest_of(run)
    later = with_later_phases(manifest, run)
    assert later is not None
    assert later.body.early_end == EarlyEnd(phase=Phase.TASKS, cancelled=False, rejection=REJECTION)
    assert later.body.rejection is None
    assert plan(FLOW, later.body.early_end, a="SUCCESS") == (["e"], [])
    again = with_later_phases(manifest, later.with_rejection(REJECTION))
    assert again is not None
    assert again.phase is Phase.FINALLY
    last = with_later_phases(manifest, again.with_rejection(REJECTION))
    assert last is not None
    assert last.phase is Phase.AFTER_EXECUTION
    assert with_later_phases(manifest, last.with_rejection(REJECTION)) is None


def test_a_run_of_which_nothing_ran_has_no_later_phases(run_of) -> None:
    run = run_of(FLOW, rejection=REJECTION)
    assert with_later_phases(manifest_of(run), run) is None
    assert with_later_phases(manifest_of(run), cancelled(run)) is None


def test_a_flow_without_later_phases_ends(run_of) -> None:
    run = run_of("tasks: [{id: a, commands: [x]}]\nerrors: [{id: e, commands: [x]}]", jobs=(JOB,))
    assert with_later_phases(manifest_of(run), cancelled(run)) is None


def test_later_phases_have_a_limit_of_their_own(run_of) -> None:
    flow = manifest_of(run_of(FLOW)).flow
    assert time_limit(Phase.TASKS, flow.timeout) == flow.timeout
    assert {time_limit(phase, -flow.timeout) for phase in Phase if phase is not Phase.TASKS} == {PHASE_LIMIT}


def test_nothing_is_left_once_the_last_phase_has_ended(run_of, settings) -> None:
    states = {"a": "FAILED", "e": "SUCCESS", "e2": "SUCCESS", "f": "SUCCESS"}
    run = run_of(FLOW, finished=ended(states))
    assert has_next_round(manifest_of(run), run, settings)
    run = run_of(FLOW, finished=ended({**states, "after": "FAILED"}))
    assert not has_next_round(manifest_of(run), run, settings)
