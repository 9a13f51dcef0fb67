"""`runIf` and `when`: which tasks run, in which round, and what is wrong with a condition."""

from __future__ import annotations

import pytest

from shared.documents.states import JobReason, SkippedBy, State
from shared.documents.task_result import Outputs, TaskRecord
from shared.errors import ManifestError
from shared.plan.plan_round import has_next_round, plan_round
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import checked_manifest, manifest_of

CORE = "io.kestra.plugin.core.flow"
SEQUENTIAL, PARALLEL, FOR_EACH = f"{CORE}.Sequential", f"{CORE}.Parallel", f"{CORE}.ForEach"


@pytest.fixture
def plan(run_of, settings):
    def build(text: str, **finished: object) -> RoundPlan:
        ended = {
            name: TaskRecord(id=name, state=State.SUCCESS, outputs=Outputs(vars=values))
            for name, values in finished.items()
        }
        run = run_of(text, finished=ended)
        planned = plan_round(manifest_of(run), run, settings)
        assert isinstance(planned, RoundPlan)
        return planned

    return build


def names(planned: RoundPlan) -> tuple[list[str], list[str]]:
    """The tasks of a round, and those that have nothing to run."""
    return [task.display_name for task in planned.tasks], [each.name for each in planned.empty]


@pytest.mark.parametrize("name", ["runIf", "when"])
@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("true", True),
        ("'true'", True),
        ("false", False),
        ("'false'", False),
        ("'False'", True),
        ("''", False),
        ("'  '", False),
        ("' false '", False),
        ("0", False),
        ("'-0'", False),
        ("0.0", True),
        ("1", True),
        ("no", True),
        ("'{{ vars.n > 1 }}'", True),
        ("'{{ vars.n > 2 }}'", False),
        ("'{{ vars.empty }}'", False),
        ("'{{ vars.none ?? false }}'", False),
        ("'{{ inputs.day }}'", True),
    ],
)
def test_what_is_true_is_what_is_true_in_kestra(plan, name: str, condition: str, *, holds: bool) -> None:
    """https://github.com/kestra-io/kestra/blob/develop/core/src/main/java/io/kestra/core/utils/TruthUtils.java."""
    text = (
        "variables: {n: 2, empty: ''}\ninputs: [{id: day, defaults: monday}]\n"
        f"tasks: [{{id: a, commands: [x], {name}: {condition}}}, {{id: b, commands: [x]}}]"
    )
    assert names(plan(text)) == ((["a", "b"], []) if holds else (["b"], ["a"]))


def test_what_waits_for_a_task_that_is_left_out_waits_for_what_that_waits_for(plan) -> None:
    text = "tasks: [{id: a, commands: [x]}, {id: b, runIf: false, commands: [x]}, {id: c, commands: [x]}]"
    planned = plan(text)
    assert [(task.name, task.depends_on) for task in planned.tasks] == [("a", ()), ("c", (1,))]
    assert [(each.name, each.waits_for, each.record.is_left_out) for each in planned.empty] == [("b", (1,), True)]


def test_a_condition_over_a_printed_value_begins_a_round_and_any_other_none(plan, run_of, settings) -> None:
    text = (
        "tasks: [{id: a, commands: [x]}, {id: b, runIf: '{{ outputs.a.vars.n > 1 }}', commands: [x]},"
        " {id: c, dependsOn: [a], runIf: '{{ flow.id != null }}', commands: [x]},"
        " {id: d, dependsOn: [a], commands: [x]}]"
    )
    assert names(plan(text)) == (["a", "d"], ["c"])
    assert names(plan(text, a={"n": 2})) == (["b", "d"], ["c"])
    assert names(plan(text, a={"n": 1})) == (["d"], ["b", "c"])
    left_out = TaskRecord(id="b", state=State.SKIPPED, skipped=SkippedBy.CONDITION)
    ended = {name: TaskRecord(id=name, state=State.SUCCESS) for name in "acd"} | {"b": left_out}
    run = run_of(text, finished=ended)
    assert not has_next_round(manifest_of(run), run, settings)


def test_the_condition_of_a_group_is_that_of_all_in_it_and_hides_theirs(plan) -> None:
    """Where it does not hold, conditions inside are not rendered: what they use need not exist."""
    text = f"""
variables: {{on: false}}
tasks:
- id: outer
  type: {SEQUENTIAL}
  runIf: "{{{{ vars.on }}}}"
  tasks:
  - {{id: a, commands: [x]}}
  - id: inner
    type: {PARALLEL}
    tasks:
    - {{id: b, runIf: "{{{{ fromJson('no json') }}}}", commands: [x]}}
    - {{id: each, type: {FOR_EACH}, values: [1, 2], tasks: [{{id: c, commands: [x]}}]}}
- {{id: d, commands: [x]}}
"""
    assert names(plan(text)) == (["d"], ["a", "b", "c"])
    with pytest.raises(ManifestError, match=r"tasks\[0\].tasks\[1\].tasks\[0\].runIf: .*at line 12"):
        plan(text.replace("on: false", "on: true"))


def test_what_a_known_condition_leaves_out_begins_no_round_whatever_it_uses(plan) -> None:
    """And its expressions, which the condition may protect, are not rendered."""
    text = (
        "inputs: [{id: file, required: false}]\ntasks: [{id: a, commands: [x]},"
        " {id: b, runIf: '{{ inputs.file }}', commands: ['{{ outputs.a.vars.n }} {{ fromJson(inputs.file) }}']},"
        " {id: c, commands: [x]}]"
    )
    assert names(plan(text)) == (["a", "c"], ["b"])


def test_both_names_at_once_are_two_conditions(plan) -> None:
    assert names(plan("tasks: [{id: a, runIf: true, when: false, commands: [x]}, {id: b, commands: [x]}]"))[1] == ["a"]


def test_a_fan_out_that_is_left_out_has_no_items_and_no_outputs(plan) -> None:
    """Its list is not rendered."""
    text = (
        "tasks: [{id: each, runIf: false, foreach: '{{ fromJson(\"no json\") }}', commands: [x]},"
        " {id: after, commands: [\"{{ outputs.each[0].vars.x ?? 'nothing' }}{{ outputs.each ?? '' }}\"]}]"
    )
    planned = plan(text)
    assert names(planned) == (["after"], ["each"])
    assert planned.tasks[0].commands.text == "set -e\nnothing{}"


@pytest.mark.parametrize(
    ("tasks", "problem"),
    [
        ("{id: a, runIf: '{{ vars.x }}', commands: [x]}", "tasks[0].runIf: 'x' does not exist"),
        ("{id: a, when: '{{ 1 + }}', commands: [x]}", "tasks[0].when: "),
        ("{id: a, runIf: [1], commands: [x]}", "tasks[0].runIf: expected text, found a list"),
        (
            "{id: a, runIf: '{{ outputs.b.vars.x }}', commands: [x]}, {id: b, commands: [x]}",
            "tasks[0].runIf: uses the outputs of 'b', which does not run before it",
        ),
        (
            "{id: a, commands: [x]}, {id: b, runIf: '{{ outputs.a.vars.n | uper }}', commands: [x]}",
            "tasks[1].runIf: there is no filter 'uper'",
        ),
        (
            (
                f"{{id: e, type: {FOR_EACH}, values: [1],"
                " tasks: [{id: a, runIf: '{{ taskrun.valu }}', commands: [x]}]}"
            ),
            "tasks[0].tasks[0].runIf: 'valu' does not exist",
        ),
        ("{id: a, runIff: 'x', commands: [x]}", 'tasks[0].runIff: unknown property; did you mean "runIf"?'),
    ],
)
def test_what_is_wrong_with_a_condition_is_told_at_once(run_of, settings, tasks: str, problem: str) -> None:
    run = run_of(f"id: f\ntasks: [{tasks}]")
    with pytest.raises(ManifestError) as raised:
        plan_round(checked_manifest(run, settings), run, settings)
    assert str(raised.value).startswith(problem)


def test_a_round_after_a_fan_out_is_one_also_if_a_condition_leaves_out_what_is_between(run_of, settings) -> None:
    text = (
        "tasks: [{id: each, foreach: 2, commands: [x]}, {id: no, runIf: false, commands: [x]}, {id: z, commands: [x]}]"
    )
    ended = {"each": TaskRecord(id="each", state=State.SUCCESS)}
    run = run_of(text, finished=ended).next_round()
    planned = plan_round(manifest_of(run), run, settings)
    assert isinstance(planned, RoundPlan)
    assert (planned.reason, names(planned)) == (JobReason.FAN_OUT, (["z"], ["no"]))


def test_many_paths_through_what_is_left_out_cost_no_more_than_its_tasks(run_of, settings) -> None:
    """Each of 40 layers has two tasks that wait for both of the layer before: 2^40 paths."""
    layers = [
        f"{{id: {side}{layer}, runIf: false, commands: [x], dependsOn: {_before(layer)}}}"
        for layer in range(40)
        for side in "ab"
    ]
    last = "{id: z, dependsOn: [a39, b39], commands: [x]}"
    text = f"tasks: [{{id: each, foreach: 2, commands: [x]}}, {', '.join(layers)}, {last}]"
    run = run_of(text, finished={"each": TaskRecord(id="each", state=State.SUCCESS)}).next_round()
    planned = plan_round(manifest_of(run), run, settings)
    assert isinstance(planned, RoundPlan)
    assert (planned.reason, names(planned)[0]) == (JobReason.FAN_OUT, ["z"])


def _before(layer: int) -> str:
    return f"[a{layer - 1}, b{layer - 1}]" if layer else "[each]"
