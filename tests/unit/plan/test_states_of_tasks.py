"""`tasks.<id>.state`, `tasksWithState()` and `errorLogs()`: what a task can know of how those before it ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.documents.states import FailureCategory, SkippedBy, State
from shared.documents.task_result import Failure, ItemRecord, ItemsSummary, TaskRecord
from shared.errors import ManifestError
from shared.plan.lookups import MissingData
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import manifest_of

ENDED_AT = datetime(2026, 11, 22, 12, 14, tzinfo=UTC)
TASKS = """\
id: f
namespace: n.s
tasks:
- {id: ok, commands: [x]}
- {id: failed, commands: [x], allowFailure: true}
- {id: left-out, commands: [x], runIf: "false"}
- {id: each, foreach: [p, q, p], commands: [x], allowFailure: true}
"""


def failure(message: str) -> Failure:
    return Failure(category=FailureCategory.USER, code="CommandsFailed", message=message)


ITEMS = (
    ItemRecord(index=0, value="p", state=State.WARNING, failure=failure("p failed"), ended=ENDED_AT),
    ItemRecord(index=1, value="q", state=State.SUCCESS),
    ItemRecord(index=2, value="p", state=State.SUCCESS),
)
ENDED = {
    "ok": TaskRecord(id="ok", state=State.SUCCESS, exit_code=0),
    "failed": TaskRecord(
        id="failed",
        state=State.WARNING,
        failure=failure("exit code 3"),
        retries=1,
        ended=ENDED_AT + timedelta(seconds=1),
    ),
    "left-out": TaskRecord(id="left-out", state=State.SKIPPED, skipped=SkippedBy.CONDITION),
    "each": TaskRecord(
        id="each",
        state=State.WARNING,
        failure=failure("1 of 3"),
        items=ItemsSummary(count=3, states={State.WARNING: 1, State.SUCCESS: 2}),
    ),
}


@pytest.fixture
def rendered(run_of, settings):
    """What an expression renders to in a task after these have ended."""

    def of(expression: str, *, needs_items: bool = False) -> str:
        run = run_of(f'{TASKS}- {{id: last, commands: ["{{{{ {expression} }}}}"]}}', finished=ENDED)
        planned = plan_round(manifest_of(run), run, settings)
        if needs_items:
            assert isinstance(planned, MissingData)
            assert planned.items_of_fan_outs
            planned = plan_round(manifest_of(run), run.with_items({"each": ITEMS}), settings)
        assert isinstance(planned, RoundPlan)
        return planned.tasks[0].commands.text.removeprefix("set -e\n")

    return of


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("tasks.ok.state", "SUCCESS"),
        ("tasks.failed.state", "WARNING"),
        ("tasks['left-out'].state", "SKIPPED"),
        ("tasks.each.state", "WARNING"),
        ("tasks.ok", '{"state":"SUCCESS"}'),
        ("tasks.failed.state == 'WARNING' ? 'yes' : 'no'", "yes"),
        ("tasksWithState('skipped')", '[{"taskId":"left-out","state":"SKIPPED"}]'),
        ("tasksWithState('FAILED') | length", "0"),
        ("tasksWithState()", "[]"),
        ("tasksWithState(state='KILLED')", "[]"),
    ],
)
def test_states_are_those_of_the_tasks_that_have_ended(rendered, expression: str, text: str) -> None:
    assert rendered(expression) == text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("tasks.each.p.state", "WARNING"),
        ("tasks.each['q'].state", "SUCCESS"),
        ("tasksWithState('SUCCESS')[0]", '{"taskId":"ok","state":"SUCCESS"}'),
        ("tasksWithState('WARNING')[1]", '{"taskId":"each","state":"WARNING","value":"p"}'),
        ("tasksWithState('WARNING') | length", "2"),
        ("errorLogs()[0].message ~ errorLogs()[1].message", "p failedexit code 3"),
        ("errorLogs()[1].taskId ~ errorLogs()[1].attemptNumber ~ errorLogs()[1].level", "failed1ERROR"),
        ("errorLogs() | jq('.[] | .timestamp')", '["2026-11-22T12:14:00.000000Z","2026-11-22T12:14:01.000000Z"]'),
        ("{% for each in errorLogs() %}{{ each.flowId }}.{{ each.namespace }} {% endfor %}", ""),
    ],
)  # fmt: skip
def test_a_fan_out_has_a_state_and_an_error_for_each_value(rendered, expression: str, text: str) -> None:
    if "for" in expression:
        expression, text = f"1 }}}}{expression}{{{{ 2", "1f.n.s f.n.s 2"
    assert rendered(expression, needs_items=True) == text


@pytest.mark.parametrize("expression", ["tasks.ok.state", "tasksWithState('FAILED')", "errorLogs()", "tasks"])
def test_a_task_that_asks_for_them_waits_for_what_they_are_about(run_of, settings, expression: str) -> None:
    """In the same round they would not be known."""
    run = run_of(f'tasks:\n- {{id: ok, commands: [x]}}\n- {{id: b, commands: ["{{{{ {expression} }}}}"]}}')
    planned = plan_round(manifest_of(run), run, settings)
    assert [task.name for task in planned.tasks] == ["ok"]


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("tasks.nope.state", "there is no task 'nope'"),
        ("tasks.ok.stat", None),
        ("tasksWithState(stat='x')", "the function 'tasksWithState' has no argument 'stat'"),
        ("errorLogs('x')", "the function 'errorLogs' cannot take these values"),
    ],
)
def test_mistakes_are_told_before_anything_runs(run_of, settings, expression: str, problem: str | None) -> None:
    run = run_of(f'tasks:\n- {{id: ok, commands: [x]}}\n- {{id: b, commands: ["{{{{ {expression} }}}}"]}}')
    if problem is None:
        assert isinstance(plan_round(manifest_of(run), run, settings), RoundPlan)
        return
    with pytest.raises(ManifestError, match=problem.replace("(", r"\(")):
        plan_round(manifest_of(run), run, settings)
