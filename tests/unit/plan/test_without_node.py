"""Tasks that need no node: when the app evaluates them, what they give, and what of others waits for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.documents.states import FailureCode, State
from shared.documents.task_result import Outputs, TaskRecord
from shared.errors import ManifestError
from shared.plan.lookups import MissingData
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import EndedInPlanning, NothingToRun, RoundPlan
from shared.plan.run_manifest import checked_manifest, manifest_of

CORE = "io.kestra.plugin.core"
LOG, RETURN, VALUES = f"{CORE}.log.Log", f"{CORE}.debug.Return", f"{CORE}.output.OutputValues"
FAIL, ASSERT = f"{CORE}.execution.Fail", f"{CORE}.execution.Assert"
COUNT = "{id: count, commands: [x]}"

Planning = Callable[..., RoundPlan | EndedInPlanning | MissingData]


@pytest.fixture
def plan(run_of, settings) -> Planning:
    """Plans what comes after tasks that have ended, by what they printed."""

    def build(text: str, **finished: object) -> RoundPlan | EndedInPlanning | MissingData:
        ended = {
            name: values
            if isinstance(values, TaskRecord)
            else TaskRecord(id=name, state=State.SUCCESS, outputs=Outputs(vars=values))
            for name, values in finished.items()
        }
        run = run_of(text, finished=ended)
        return plan_round(checked_manifest(run, settings), run, settings)

    return build


def only(planned: RoundPlan | EndedInPlanning | MissingData) -> NothingToRun:
    """The one task that has ended in planning."""
    assert isinstance(planned, EndedInPlanning)
    [task] = planned.tasks
    return task


def flow(*tasks: str) -> str:
    """A flow of tasks, one after the other."""
    return f"variables: {{a: 1}}\ntasks: [{', '.join(tasks)}]"


@pytest.mark.parametrize(
    ("task", "values"),
    [
        (f"{{id: x, type: {RETURN}, format: '{{{{ vars.a }}}}-{{{{ task.id }}}}'}}", {"value": "1-x"}),
        (f"{{id: x, type: {RETURN}}}", {"value": None}),
        (f"{{id: x, type: {RETURN}, format: ''}}", {"value": ""}),
        (
            f"{{id: x, type: {VALUES}, values: {{n: '{{{{ vars.a }}}}', l: [1, b, {{m: null}}], t: true}}}}",
            {"values": {"n": "1", "l": [1, "b", {"m": None}], "t": True}},
        ),
    ],
)
def test_values_are_outputs_of_the_task(plan: Planning, task: str, values: object) -> None:
    ended = only(plan(flow(task)))
    assert (ended.record.state, ended.record.outputs.vars, ended.log) == (State.SUCCESS, values, ())


@pytest.mark.parametrize(
    ("properties", "lines"),
    [
        ("message: 'a {{ vars.a }}'", ("INFO a 1",)),
        ("message: [a, '{{ vars.a }}'], level: WARN", ("WARN a", "WARN 1")),
        ("message: 3", ("INFO 3",)),
        ("message: [], level: ERROR", ()),
    ],
)
def test_messages_are_the_log_of_the_task(plan: Planning, properties: str, lines: tuple[str, ...]) -> None:
    ended = only(plan(flow(f"{{id: x, type: {LOG}, {properties}}}")))
    assert (ended.record.state, ended.log) == (State.SUCCESS, lines)
    assert ended.record.logs.stdout == ("logs/x/stdout.txt" if lines else None)


@pytest.mark.parametrize(
    ("task", "code", "message"),
    [
        (f"{{id: x, type: {FAIL}}}", FailureCode.FAIL_TASK, "Task failure"),
        (f"{{id: x, type: {FAIL}, errorMessage: 'no {{{{ vars.a }}}}'}}", FailureCode.FAIL_TASK, "no 1"),
        (f"{{id: x, type: {FAIL}, condition: '{{{{ vars.a == 1 }}}}'}}", FailureCode.FAIL_TASK, "Task failure"),
        (f"{{id: x, type: {FAIL}, condition: '{{{{ vars.a == 2 }}}}'}}", None, None),
        (f"{{id: x, type: {FAIL}, condition: ''}}", None, None),
        (f"{{id: x, type: {ASSERT}, conditions: ['true', '{{{{ vars.a }}}}']}}", None, None),
        (
            f"{{id: x, type: {ASSERT}, conditions: ['true', '{{{{ vars.a > 1 }}}}']}}",
            FailureCode.ASSERTION_FAILED,
            "1 assertion failed: {{ vars.a > 1 }}",
        ),
        (
            f"{{id: x, type: {ASSERT}, conditions: ['0', 'false'], errorMessage: 'a {{{{ vars.a }}}}'}}",
            FailureCode.ASSERTION_FAILED,
            "2 assertions failed: a 1",
        ),
    ],
)
@pytest.mark.parametrize("allowed", [False, True])
def test_fail_and_assert_fail_as_in_kestra(
    plan: Planning, task: str, code: FailureCode | None, message: str | None, *, allowed: bool
) -> None:
    record = only(plan(flow(task[:-1] + ", allowFailure: true}" if allowed else task))).record
    if code is None:
        assert (record.state, record.failure) == (State.SUCCESS, None)
    else:
        assert record.failure is not None
        assert (record.failure.code, record.failure.message) == (code, message)
        assert record.state is (State.WARNING if allowed else State.FAILED)


def test_a_task_that_no_later_one_needs_begins_no_round(plan: Planning) -> None:
    text = flow(
        COUNT, f"{{id: said, type: {LOG}, message: '{{{{ outputs.count.vars.n }}}}'}}", "{id: b, commands: [x]}"
    )
    planned = plan(text)
    assert isinstance(planned, RoundPlan)
    assert [(task.name, task.depends_on) for task in planned.tasks] == [("count", ()), ("b", (1,))]
    assert only(plan(text, count={"n": 3}, b={})).log == ("INFO 3",)


def test_a_task_whose_value_is_used_is_evaluated_between_rounds(plan: Planning) -> None:
    made = f"{{id: made, type: {RETURN}, format: 'v{{{{ outputs.count.vars.n }}}}'}}"
    text = flow(COUNT, made, "{id: b, commands: ['echo {{ outputs.made.value }}']}")
    planned = plan(text)
    assert isinstance(planned, RoundPlan)
    assert [task.name for task in planned.tasks] == ["count"]
    ended = only(plan(text, count={"n": 3}))
    planned = plan(text, count={"n": 3}, made=ended.record)
    assert isinstance(planned, RoundPlan)
    assert [task.commands.text for task in planned.tasks] == ["set -e\necho v3"]


@pytest.mark.parametrize("kind", [f"{FAIL}, condition: 'false'", f"{ASSERT}, conditions: ['true']"])
def test_nothing_begins_before_a_task_that_may_stop_the_flow(plan: Planning, kind: str) -> None:
    text = flow(COUNT, f"{{id: stop, type: {kind}}}", "{id: b, commands: [x]}")
    planned = plan(text)
    assert isinstance(planned, RoundPlan)
    assert [task.name for task in planned.tasks] == ["count"]
    planned = plan(text, count={}, stop=only(plan(text, count={})).record)
    assert isinstance(planned, RoundPlan)
    assert [task.name for task in planned.tasks] == ["b"]


def test_one_that_fails_keeps_what_waits_for_it_from_running(plan: Planning) -> None:
    text = flow(f"{{id: stop, type: {FAIL}}}", "{id: b, commands: [x]}")
    planned = plan(text, stop=only(plan(text)).record)
    assert isinstance(planned, RoundPlan)
    assert not planned.tasks


def test_what_is_wrong_in_the_first_round_refuses_the_flow(plan: Planning) -> None:
    text = flow(COUNT, f"{{id: said, type: {LOG}, message: '{{{{ vars.b }}}} {{{{ outputs.none.x }}}}'}}")
    with pytest.raises(ManifestError) as caught:
        plan(text)
    assert {problem.path for problem in caught.value.problems} == {"tasks[1].message"}
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "task",
    [
        f"{{id: x, type: {LOG}, message: '{{{{ outputs.count.vars.none }}}}'}}",
        "{id: x, commands: ['echo {{ outputs.count.vars.none }}']}",
        "{id: x, commands: [x], env: {A: '{{ outputs.count.vars.none }}'}}",
        "{id: x, commands: [x], runIf: '{{ outputs.count.vars.none }}'}",
        "{id: x, commands: [x], foreach: '{{ outputs.count.vars.none }}'}",
        "{id: x, commands: ['{{ item.none }}'], foreach: '{{ outputs.count.vars.list }}'}",
    ],
)
@pytest.mark.parametrize("allowed", [False, True])
def test_what_turns_out_wrong_later_is_the_failure_of_its_task(plan: Planning, task: str, *, allowed: bool) -> None:
    text = flow(
        COUNT, task[:-1] + ", allowFailure: true}" if allowed else task, "{id: b, dependsOn: [count], commands: [x]}"
    )
    ended = only(plan(text, count={"list": [{}, {}]}, b={}))
    assert ended.name == "x"
    assert ended.record.failure is not None
    assert ended.record.failure.code == FailureCode.INVALID_EXPRESSION
    assert "none" in ended.record.failure.message
    assert "line" in ended.record.failure.message
    assert ended.record.state is (State.WARNING if allowed else State.FAILED)


def test_others_of_the_round_run_though_one_is_wrong(plan: Planning) -> None:
    wrong = "{id: x, dependsOn: [count], commands: ['{{ outputs.count.vars.none }}']}"
    right = "{id: y, dependsOn: [count], commands: ['{{ outputs.count.vars.n }}']}"
    text = flow(COUNT, wrong, right, "{id: after, dependsOn: [x], commands: [x]}")
    record = only(plan(text, count={"n": 1})).record
    planned = plan(text, count={"n": 1}, x=record)
    assert isinstance(planned, RoundPlan)
    assert [task.name for task in planned.tasks] == ["y"]


def test_a_task_that_is_left_out_gives_nothing_and_says_nothing(plan: Planning) -> None:
    text = flow(
        f"{{id: x, type: {RETURN}, format: '{{{{ vars.none }}}}', runIf: 'false'}}",
        "{id: b, commands: [\"echo {{ outputs.x.value ?? 'n' }}\"]}",
    )
    planned = plan(text)
    assert isinstance(planned, RoundPlan)
    assert [task.commands.text for task in planned.tasks] == ["set -e\necho n"]
    assert [each.record.is_left_out for each in planned.empty] == [True]


def test_the_outputs_of_a_task_are_checked_by_name(run_of, settings) -> None:
    text = flow(f"{{id: x, type: {RETURN}, format: a}}", "{id: b, commands: ['{{ outputs.x.vars.a }}']}")
    run = run_of(text)
    with pytest.raises(ManifestError, match=r"tasks\[1\].commands\[0\]: 'vars' does not exist"):
        plan_round(manifest_of(run), run, settings)
