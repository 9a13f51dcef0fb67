"""Tasks that need no node in loops: evaluated item by item, between the jobs, and never a round for themselves."""

from __future__ import annotations

from typing import Any

import pytest

from shared.documents.run import Run
from shared.documents.states import FailureCode, State
from shared.documents.task_result import ItemRecord, Outputs
from shared.errors import ManifestError
from shared.outputs.ended_in_planning import plan_with_ended
from shared.outputs.fan_outs import fan_out_record
from shared.plan.plan_round import has_next_round, plan_round, submitted_round
from shared.plan.round_plan import EndedInPlanning, RoundPlan
from shared.plan.run_manifest import checked_manifest

CORE = "io.kestra.plugin.core"
LOG, RETURN, VALUES = f"{CORE}.log.Log", f"{CORE}.debug.Return", f"{CORE}.output.OutputValues"
FAIL, ASSERT = f"{CORE}.execution.Fail", f"{CORE}.execution.Assert"
RUN = "{id: run, commands: ['echo {{ item }}']}"
SAID = "{{ outputs.run[taskrun.value].vars.n }}"


def loop(*tasks: str, values: str = "[a, b, c]", more: str = "", kind: str = "ForEach", after: str = "") -> str:
    """A flow of a loop, and what comes after it."""
    inside = ", ".join(tasks)
    each = f"{{id: l, type: {CORE}.flow.{kind}, values: {values}, {more} tasks: [{inside}]}}"
    return f"tasks: [{each}{', ' + after if after else ''}]"


def units(plan: object) -> list[str]:
    """The tasks of a round with the values of their items, and what they wait for."""
    assert isinstance(plan, RoundPlan)
    names = {task.number: f"{task.name}-{task.item.value}" if task.item else task.name for task in plan.tasks}
    return [
        f"{names[task.number]} < {' '.join(names[number] for number in task.depends_on)}".removesuffix(" < ")
        for task in plan.tasks
    ]


def items(run: Run, name: str) -> list[ItemRecord]:
    return list((run.items or {}).get(name, ()))


def states(run: Run, name: str) -> list[State]:
    return [item.state for item in items(run, name)]


class Planned:
    """A run whose rounds are planned one after the other."""

    def __init__(self, run: Run, settings: Any) -> None:
        self.run, self.settings = run, settings
        self.manifest = checked_manifest(run, settings)
        self.plan: object = None

    def next(self) -> list[str]:
        """Plan a round, after what ends without a task."""
        self.run, self.plan = plan_with_ended(self.manifest, self.run, self.settings)
        return units(self.plan)

    def end(self, **printed: dict[str, object]) -> None:
        """End the tasks of the round in loops; those that printed nothing have failed."""
        assert isinstance(self.plan, RoundPlan)
        self.run = self.run.with_items(self.run.items or {})
        submitted = submitted_round(self.manifest, self.run, self.settings)
        found = {name: list(each) for name, each in (self.run.items or {}).items()}
        for task in self.plan.tasks:
            assert task.item is not None
            value = printed.get(task.name, {}).get(str(task.item.value))
            state = State.FAILED if value is None else State.SUCCESS
            record = ItemRecord(**dict(task.item), state=state, outputs=Outputs(vars={"n": value}))
            found.setdefault(task.name, []).append(record)
        later = {name: tuple(item.index for item in left) for name, left in submitted.later.items()}  # type: ignore[union-attr]
        done = [fan_out_record(task, found[task]) for task in {t.name for t in self.plan.tasks} if task not in later]
        ended = {name: tuple(sorted(each, key=lambda one: one.index)) for name, each in found.items()}
        self.run = self.run.with_finished(done, None).with_unfinished(later).with_items(ended)


@pytest.fixture
def planned(run_of, settings):
    return lambda text: Planned(run_of(text), settings)


@pytest.mark.parametrize("limit", ["", "concurrencyLimit: 0,", "concurrencyLimit: 2,"])
def test_a_loop_of_evaluations_alone_needs_no_job(planned, limit: str) -> None:
    ret = f"{{id: ret, type: {RETURN}, format: 'v{{{{ taskrun.value }}}}'}}"
    log = f"{{id: log, type: {LOG}, message: '{{{{ outputs.ret[taskrun.value].value }}}}'}}"
    flow = planned(loop(ret, log, values=str([f"v{n}" for n in range(150)]), more=limit))
    ended = plan_round(flow.manifest, flow.run, flow.settings)
    assert isinstance(ended, EndedInPlanning)
    assert len(ended.tasks) == 300
    assert ended.tasks[-1].log == ("INFO vv149",)
    assert ended.tasks[-1].record.logs.stdout == "logs/log/149/stdout.txt"
    assert flow.next() == []
    assert flow.run.body.finished["log"].state is State.SUCCESS
    assert not has_next_round(flow.manifest, flow.run, flow.settings)


def test_the_chain_of_a_value_goes_through_what_needs_no_node(planned) -> None:
    log = f"{{id: log, type: {LOG}, message: '{SAID}'}}"
    flow = planned(loop(RUN, log, "{id: end, commands: [x]}", values="[a, b]", more="concurrencyLimit: 0,"))
    assert flow.next() == ["run-a", "end-a < run-a", "run-b", "end-b < run-b"]
    flow.end(run={"a": 1}, end={"a": 1})
    assert has_next_round(flow.manifest, flow.run, flow.settings)
    assert flow.next() == []
    assert states(flow.run, "log") == [State.SUCCESS, State.SKIPPED]
    assert flow.run.body.finished["log"].state is State.SKIPPED


def test_values_in_order_stay_in_one_job(planned) -> None:
    flow = planned(loop(f"{{id: log, type: {LOG}, message: x}}", RUN, f"{{id: last, type: {LOG}, message: '{SAID}'}}"))
    assert flow.next() == ["run-a", "run-b < run-a", "run-c < run-b"]
    assert states(flow.run, "log") == [State.SUCCESS]


def test_the_first_of_an_item_that_passes_lets_the_next_begin_it(planned) -> None:
    log = f"{{id: log, type: {LOG}, message: x}}"
    flow = planned(loop(log, RUN, more="concurrencyLimit: 2,"))
    assert flow.next() == ["run-a", "run-b", "run-c < run-a"]
    assert [[branch.index for branch in task.begins] for task in flow.plan.tasks] == [[], [], [2]]


@pytest.mark.parametrize("kind", ["ForEach", "Loop"])
def test_what_uses_a_value_waits_until_it_is_evaluated(planned, kind: str) -> None:
    of = "[taskrun.value]" if kind == "ForEach" else ""
    ret = f"{{id: ret, type: {RETURN}, format: 'v{{{{ outputs.run{of}.vars.n }}}}'}}"
    use = f"{{id: use, commands: ['echo {{{{ outputs.ret{of}.value }}}}']}}"
    run = "{id: run, commands: [x]}"
    flow = planned(loop(run, ret, use, values="[a, b]", more="concurrencyLimit: 0,", kind=kind))
    assert flow.next() == ["run-a", "run-b"]
    flow.end(run={"a": 1, "b": 2})
    assert flow.next() == ["use-a", "use-b"]
    assert [task.commands.text for task in flow.plan.tasks] == ["set -e\necho v1", "set -e\necho v2"]


def test_what_comes_after_a_foreach_uses_its_values(planned) -> None:
    ret = f"{{id: ret, type: {RETURN}, format: 'v{{{{ taskrun.value }}}}'}}"
    flow = planned(loop(ret, after="{id: end, commands: ['echo {{ outputs.ret.b.value }}']}"))
    assert flow.next() == ["end"]
    assert flow.plan.tasks[0].commands.text == "set -e\necho vb"


def test_nothing_of_a_value_begins_before_what_may_stop_it(planned) -> None:
    check = f"{{id: check, type: {ASSERT}, conditions: ['{{{{ outputs.run[taskrun.value].vars.n == 1 }}}}']}}"
    flow = planned(loop(RUN, check, "{id: end, commands: [x]}", values="[a, b]", more="concurrencyLimit: 0,"))
    assert flow.next() == ["run-a", "run-b"]
    flow.end(run={"a": 1, "b": 2})
    assert flow.next() == ["end-a"]
    assert states(flow.run, "check") == [State.SUCCESS, State.FAILED]
    assert items(flow.run, "check")[1].failure.code == FailureCode.ASSERTION_FAILED


def test_a_failure_keeps_later_values_of_a_serial_loop_from_beginning(planned) -> None:
    stop = f"{{id: stop, type: {FAIL}, condition: \"{{{{ taskrun.value == 'b' }}}}\"}}"
    flow = planned(loop(stop, f"{{id: log, type: {LOG}, message: x}}"))
    assert flow.next() == []
    assert states(flow.run, "stop") == [State.SUCCESS, State.FAILED, State.SKIPPED]
    assert states(flow.run, "log") == [State.SUCCESS, State.SKIPPED, State.SKIPPED]


def test_a_wrong_expression_is_the_failure_of_its_item(planned) -> None:
    log = f"{{id: log, type: {LOG}, message: '{{{{ outputs.run[taskrun.value].vars.n.x }}}}'}}"
    flow = planned(loop(RUN, log, values="[a, b]", more="concurrencyLimit: 0,"))
    flow.next()
    flow.end(run={"a": {"x": 1}, "b": {}})
    assert flow.next() == []
    assert states(flow.run, "log") == [State.SUCCESS, State.FAILED]
    assert items(flow.run, "log")[1].failure.code == FailureCode.INVALID_EXPRESSION


@pytest.mark.parametrize("wrong", ["{{ taskrun.valu }}", "{{ nosuch() }}"])
def test_what_is_wrong_at_first_refuses_the_flow(planned, wrong: str) -> None:
    flow = planned(loop(RUN, f"{{id: log, type: {LOG}, message: '{wrong}'}}"))
    with pytest.raises(ManifestError, match=r"tasks\[0\].tasks\[1\].message"):
        flow.next()


@pytest.mark.parametrize("kind", ["ForEach", "Loop"])
@pytest.mark.parametrize("task", [f"type: {RETURN}, format: 'SAID'", "commands: ['SAID']"])
def test_values_may_be_maps(planned, task: str, kind: str) -> None:
    said = task.replace("SAID", "{{ (item.value ?? item) is empty }}")
    flow = planned(loop(f"{{id: x, {said}}}", values="[{k: 1}, [2, {m: 3}], a]", kind=kind))
    flow.next()
    assert len(items(flow.run, "x") or flow.plan.tasks) == 3


def test_what_a_condition_leaves_out_is_not_evaluated(planned) -> None:
    log = f"{{id: log, type: {LOG}, message: x, runIf: \"{{{{ taskrun.value != 'b' }}}}\"}}"
    flow = planned(loop(log))
    assert flow.next() == []
    assert states(flow.run, "log") == [State.SUCCESS, State.SKIPPED, State.SUCCESS]
    assert flow.run.body.finished["log"].state is State.SUCCESS


def test_a_loop_waits_through_what_needs_no_node_outside(planned) -> None:
    text = loop(RUN, values="[a]").removeprefix("tasks: [")
    log = f"{{id: said, type: {LOG}, message: '{{{{ outputs.count.vars.n }}}}'}}"
    flow = planned(f"tasks: [{{id: count, commands: [x]}}, {log}, {text}")
    assert flow.next() == ["count", "run-a < count"]


def test_values_of_loops_in_loops(planned) -> None:
    inner = (
        f"{{id: i, type: {CORE}.flow.ForEach, values: [1, 2], tasks: [{{id: ret, type: {RETURN},"
        " format: '{{ parent.taskrun.value }}{{ taskrun.value }}'},"
        f" {{id: log, type: {LOG}, message: '{{{{ outputs.ret[parent.taskrun.value][taskrun.value].value }}}}'}}]}}"
    )
    out = f"{{id: out, type: {LOG}, message: \"{{{{ outputs.ret[taskrun.value]['2'].value }}}}\"}}"
    flow = planned(loop(inner, out, values="[a, b]"))
    ended = plan_round(flow.manifest, flow.run, flow.settings)
    assert isinstance(ended, EndedInPlanning)
    said = [(task.name, *task.log) for task in ended.tasks if task.log]
    assert sorted(said) == [("log", "INFO a1"), ("log", "INFO a2"), ("log", "INFO b1"), ("log", "INFO b2"),
        ("out", "INFO a2"), ("out", "INFO b2")]  # fmt: skip
    assert flow.next() == []


def test_an_empty_loop_after_a_fan_out_waits_for_it(planned) -> None:
    text = loop(f"{{id: log, type: {LOG}, message: x}}", values="[]", after="{id: end, commands: [x]}")
    for inside in (text, text.replace(f"type: {LOG}, message: x", "commands: [x]")):
        flow = planned(inside.replace("tasks: [", "tasks: [{id: f, foreach: 2, commands: [x]}, ", 1))
        assert flow.next() == ["f-0", "f-1"]


@pytest.mark.parametrize("kind", ["ForEach", "Loop"])
def test_what_a_condition_has_left_out_is_known_to_have_no_outputs(planned, kind: str) -> None:
    said = f"outputs.run{'[taskrun.value]' if kind == 'ForEach' else ''}.vars.n ??"
    left_out = "{id: run, commands: [x], runIf: 'false'}"
    too = f"{{id: too, commands: [x], runIf: '{{{{ {said} false }}}}'}}"
    use = f"{{id: use, commands: [\"echo {{{{ {said} 'none' }}}}\"]}}"
    flow = planned(loop(left_out, too, use, values="[a, b]", more="concurrencyLimit: 0,", kind=kind))
    assert flow.next() == ["use-a", "use-b"]
    assert [task.commands.text for task in flow.plan.tasks] == ["set -e\necho none"] * 2


def test_what_a_condition_leaves_out_is_told_of_each_value(planned) -> None:
    left_out = f"{{id: left, type: {FAIL}, runIf: 'false'}}"
    first = f"{{id: first, type: {LOG}, message: x}}"
    flow = planned(loop(left_out, RUN, values="[a, b]").replace("tasks: [", f"tasks: [{first}, ", 1))
    assert flow.next() == ["run-a", "run-b < run-a"]
    flow.end(run={"a": 1, "b": 2})
    assert "left" not in flow.run.body.finished
    assert flow.next() == []
    assert [item.is_left_out for item in items(flow.run, "left")] == [True, True]
