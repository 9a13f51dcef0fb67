"""What the tasks of groups wait for, what they follow, and for whose failure those of `errors` run."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from shared.errors import ManifestError
from shared.manifest.blocks import Condition, PlacedTask
from shared.manifest.order import tasks_before
from shared.manifest.read import Manifest, read_manifest


def read(text: str) -> Manifest:
    """The manifest; `flow.` in a type stands for the package of Kestra's groups."""
    return read_manifest(text.replace("type: flow.", "type: io.kestra.plugin.core.flow."), "x.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        read(text)
    return [str(problem) for problem in caught.value.problems]


class Order(NamedTuple):
    """What must have ended before a task: well, or however."""

    waits_for: set[str]
    follows: set[str]


def order(text: str) -> dict[str, Order]:
    manifest = read(text)
    assert manifest.follows.keys() == manifest.dependencies.keys()
    return {name: Order(set(manifest.dependencies[name]), set(manifest.follows[name])) for name in manifest.follows}


def placed(manifest: Manifest) -> dict[str, PlacedTask]:
    return {each.task.id: each for each in manifest.flow.placed_tasks}


def conditions(manifest: Manifest) -> dict[str, tuple[Condition, ...]]:
    return {name: each.conditions for name, each in placed(manifest).items()}


IF = """
tasks:
- {id: first, commands: [x]}
- id: if
  type: flow.If
  condition: "{{ outputs.first.vars.x }}"
  runIf: "{{ flow.id }}"
  then: [{id: t1, commands: [x]}, {id: t2, commands: [x], when: "1"}]
  else: [{id: e1, commands: [x]}, {id: e2, commands: [x]}]
- {id: last, commands: [x]}
"""


def test_an_if_has_two_lists_side_by_side_of_which_one_is_left_out() -> None:
    assert order(IF) == {
        "first": Order(set(), set()),
        "t1": Order({"first"}, set()),
        "t2": Order({"t1"}, set()),
        "e1": Order({"first"}, set()),
        "e2": Order({"e1"}, set()),
        "last": Order({"t2", "e2"}, set()),
    }
    of_group = Condition(("tasks", 1, "runIf"), "{{ flow.id }}")
    holds = Condition(("tasks", 1, "condition"), "{{ outputs.first.vars.x }}")
    does_not = Condition(holds.path, holds.text, is_negated=True)
    own = Condition(("tasks", 1, "then", 1, "when"), "1")
    found = conditions(read(IF))
    assert found["t1"] == (of_group, holds)
    assert found["t2"] == (of_group, holds, own)
    assert found["e1"] == found["e2"] == (of_group, does_not)
    assert found["last"] == ()


@pytest.mark.parametrize("other", ["", "  else: []\n", "  else:\n"])
def test_an_if_may_have_no_else(other: str) -> None:
    text = f"tasks:\n- id: if\n  type: flow.If\n  condition: true\n  then: [{{id: a, commands: [x]}}]\n{other}"
    manifest = read(f"{text}- {{id: b, commands: [x]}}")
    assert manifest.dependencies == {"a": (), "b": ("a",)}
    assert conditions(manifest)["a"] == (Condition(("tasks", 0, "condition"), "true"),)


SWITCH = """
tasks:
- id: switch
  type: flow.Switch
  value: "{{ flow.id }}"
  cases:
    true: [{id: a1, commands: [x]}, {id: a2, commands: [x]}]
    defaults: [{id: b, commands: [x]}]
    "0x1F": []
  defaults: [{id: c, commands: [x]}]
- {id: last, commands: [x]}
"""


def test_a_switch_has_a_list_for_each_value_and_one_for_all_others() -> None:
    manifest = read(SWITCH)
    assert manifest.dependencies == {"a1": (), "a2": ("a1",), "b": (), "c": (), "last": ("a2", "b", "c")}
    value = Condition(("tasks", 0, "value"), "{{ flow.id }}")
    found = conditions(manifest)
    assert found["a1"] == found["a2"] == (Condition(value.path, value.text, ("true",)),)
    assert found["b"] == (Condition(value.path, value.text, ("defaults",)),)
    assert found["c"] == (Condition(value.path, value.text, ("true", "defaults", "0x1F"), is_negated=True),)


def test_a_switch_with_nothing_but_defaults_always_runs_them() -> None:
    manifest = read("tasks: [{id: s, type: flow.Switch, value: x, defaults: [{id: a, commands: [x]}]}]")
    assert conditions(manifest) == {"a": ()}


def test_what_comes_after_a_group_without_tasks_waits_for_what_is_before_it() -> None:
    group = "{id: s, type: flow.Switch, value: x, cases: {a: []}, defaults: []}"
    text = f"tasks: [{{id: a, commands: [x]}}, {group}, {{id: b, commands: [x]}}]"
    assert read(text).dependencies == {"a": (), "b": ("a",)}


def test_a_switch_without_defaults_fails_for_a_value_without_a_case() -> None:
    group = "{id: s, type: flow.Switch, value: x, cases: {a: [{id: c, commands: [x]}]}}"
    text = f"tasks: [{{id: a, commands: [x]}}, {group}, {{id: b, commands: [x]}}]"
    assert read(text).dependencies == {"a": (), "c": ("a",), "s.defaults": ("a",), "b": ("c", "s.defaults")}


DAG = """
tasks:
- {id: first, commands: [x]}
- id: dag
  type: flow.Dag
  LIMIT
  tasks:
  - {task: {id: c, commands: [x]}, dependsOn: [a, row]}
  - task: {id: a, commands: [x]}
  - task: {id: row, type: flow.Sequential, tasks: [{id: r1, commands: [x]}, {id: r2, commands: [x]}]}
    dependsOn: [a]
  - {task: {id: d, commands: [x]}, dependsOn: []}
- {id: last, commands: [x]}
"""


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (0, {"a": ["first"], "d": ["first"], "r1": ["a"], "r2": ["r1"], "c": ["a", "r2"], "last": ["c", "d"]}),
        (1, {"a": ["first"], "d": ["a", "first"], "r1": ["a", "d"], "r2": ["r1"], "c": ["a", "r2"], "last": ["c"]}),
        (2, {"a": ["first"], "d": ["first"], "r1": ["a"], "r2": ["r1"], "c": ["a", "d", "r2"], "last": ["c"]}),
    ],
)
def test_the_tasks_of_a_dag_wait_for_those_that_they_name(limit: int, expected: dict[str, list[str]]) -> None:
    """With a limit of *n*, each also for the *n*-th before it, in an order in which that can be."""
    found = read(DAG.replace("LIMIT", f"concurrent: {limit}")).dependencies
    assert {name: sorted(names) for name, names in found.items()} == {"first": []} | expected


def test_those_of_a_dag_that_begin_later_do_not_begin_once_one_has_failed() -> None:
    """As in `FlowableUtils.resolveParallelNexts`."""
    manifest = read(DAG.replace("LIMIT", "timeout:"))
    late = {name: [branch.is_late for branch in each.branches] for name, each in placed(manifest).items()}
    assert late == {"first": [], "c": [True], "a": [False], "r1": [True], "r2": [True], "d": [False], "last": []}
    assert {each.path for each in manifest.flow.placed_tasks} >= {
        ("tasks", 1, "tasks", 0, "task"),
        ("tasks", 1, "tasks", 2, "task", "tasks", 1),
    }


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ("{task: {id: a, commands: [x]}, dependsOn: [first]}", "dependsOn[0]: 'first' is not a task of this Dag"),
        ("{task: {id: a, commands: [x]}, dependsOn: [dag]}", "dependsOn[0]: 'dag' is not a task of this Dag"),
        ("{task: {id: a, commands: [x]}, dependsOn: [b]}", "dependsOn[0]: there is no task 'b'"),
        ("{task: {id: a, commands: [x]}, dependsOn: [a]}", "dependsOn[0]: a task cannot wait for itself"),
        (
            "{task: {id: a, commands: [x]}, dependsOn: [b]}, {task: {id: b, commands: [x]}, dependsOn: [a]}",
            "tasks cannot wait for each other: a → b → a",
        ),
        (
            "{task: {id: a, commands: [x], dependsOn: [b]}}, {task: {id: b, commands: [x]}}",
            "tasks[1].tasks[0]: in a Dag, `dependsOn` stands beside `task`, not in it",
        ),
        ("{id: a, commands: [x]}", "tasks[1].tasks[0]: an entry in the `tasks` of a Dag has its task at `task`"),
        (
            "{task: {id: a, commands: [x]}}, {task: {id: a, commands: [x]}}",
            "tasks[1].tasks[1].task.id: task ids must differ; there is more than one 'a'",
        ),
    ],
)
@pytest.mark.parametrize("limit", [0, 1])
def test_what_cannot_be_in_a_dag_is_a_located_problem(tasks: str, message: str, limit: int) -> None:
    text = f"tasks: [{{id: first, commands: [x]}}, {{id: dag, type: flow.Dag, concurrent: {limit}, tasks: [{tasks}]}}]"
    found = problems(text)
    assert message in found[0]
    assert "at line 1, column" in found[0]


AFTERWARDS = """
tasks:
- {id: a, commands: [x]}
- id: g
  type: flow.Sequential
  tasks: [{id: g1, commands: [x]}, {id: g2, commands: [x]}]
  errors: [{id: ge1, commands: [x]}, {id: ge2, commands: [x]}]
  finally: [{id: gf1, commands: [x]}, {id: gf2, commands: [x]}]
- {id: b, commands: [x]}
errors: [{id: e1, commands: [x]}, {id: e2, commands: [x]}]
finally: [{id: f, commands: [x]}]
afterExecution: [{id: after, commands: [x]}]
"""


def test_errors_and_finally_follow_all_that_is_before_them_and_run_one_after_the_other() -> None:
    """However what is before them ends; but they wait for what their group waits for."""
    of_group = {"g1", "g2"}
    of_main = {"a", "b", *of_group, "ge1", "ge2", "gf1", "gf2"}
    assert order(AFTERWARDS) == {
        "a": Order(set(), set()),
        "g1": Order({"a"}, set()),
        "g2": Order({"g1"}, set()),
        "ge1": Order({"a"}, of_group),
        "ge2": Order({"a"}, {"ge1"}),
        "gf1": Order({"a"}, {*of_group, "ge1", "ge2"}),
        "gf2": Order({"a"}, {"gf1"}),
        "b": Order({"g2"}, {"gf2"}),
        "e1": Order(set(), of_main),
        "e2": Order(set(), {"e1"}),
        "f": Order(set(), {*of_main, "e1", "e2"}),
        "after": Order(set(), {*of_main, "e1", "e2", "f"}),
    }


def test_the_tasks_of_a_flow_are_those_of_all_its_lists() -> None:
    flow = read(AFTERWARDS).flow
    assert [task.id for task in flow.tasks] == [
        "a", "g1", "g2", "ge1", "ge2", "gf1", "gf2", "b", "e1", "e2", "f", "after",
    ]  # fmt: skip
    assert [str(each.path[0]) for each in flow.placed_tasks[-5:]] == [
        "tasks", "errors", "errors", "finally", "afterExecution",
    ]  # fmt: skip


def test_errors_run_if_a_task_of_their_group_has_failed_whose_failure_counts() -> None:
    """Not for one that may fail, nor for those of errors and finally themselves (`Execution.guessFinalState`)."""
    text = AFTERWARDS.replace("id: g2", "allowFailure: true, id: g2")
    found = {name: [set(each.tasks) for each in task.on_failure_of] for name, task in placed(read(text)).items()}
    assert {name: groups for name, groups in found.items() if groups} == {
        "ge1": [{"g1"}],
        "ge2": [{"g1"}],
        "e1": [{"a", "g1", "b"}],
        "e2": [{"a", "g1", "b"}],
    }


def test_errors_in_errors_run_for_both_failures() -> None:
    inner = "{id: g, type: flow.Sequential, tasks: [{id: b, commands: [x]}], errors: [{id: c, commands: [x]}]}"
    manifest = read(f"tasks: [{{id: a, commands: [x]}}]\nerrors: [{inner}, {{id: d, commands: [x]}}]")
    found = placed(manifest)
    assert [each.tasks for each in found["c"].on_failure_of] == [("a",), ("b",)]
    assert [each.tasks for each in found["b"].on_failure_of] == [("a",)]
    assert set(manifest.follows["c"]) == {"a", "b"}
    assert set(manifest.follows["d"]) == {"b"}
    assert tasks_before("d", manifest.comes_after) == {"a", "b"}


@pytest.mark.parametrize(
    "group",
    ["type: flow.AllowFailure", "type: flow.Sequential, allowFailure: true", "type: flow.Parallel, allowFailure: true"],
)
def test_what_comes_after_a_group_that_may_fail_follows_its_tasks_and_waits_for_what_is_before(group: str) -> None:
    tasks = "[{id: b, commands: [x]}, {id: c, commands: [x]}]"
    text = (
        f"tasks: [{{id: a, commands: [x]}}, {{id: g, {group}, tasks: {tasks}, errors: [{{id: e, commands: [x]}}]}}, "
        "{id: last, commands: [x]}, {id: end, commands: [x]}]\nerrors: [{id: failed, commands: [x]}]"
    )
    manifest, found = read(text), order(text)
    assert found["last"] == Order({"a"}, {"b", "c", "e"})
    assert found["end"] == Order({"last"}, set())
    assert placed(manifest)["failed"].on_failure_of[0].tasks == ("a", "last", "end")
    assert placed(manifest)["e"].on_failure_of[0].tasks == ("b", "c")


def test_depends_on_does_not_get_a_task_out_of_errors_or_finally() -> None:
    text = (
        "tasks: [{id: a, commands: [x]}, {id: g, type: flow.Sequential, tasks: [{id: b, commands: [x]}], "
        "finally: [{id: f, commands: [x]}, {id: k, type: flow.Parallel,"
        " tasks: [{id: h, commands: [x], dependsOn: []}]}]}]"
    )
    assert order(text)["h"] == Order({"a"}, {"b"})


def test_who_waits_for_a_group_by_name_follows_its_finally() -> None:
    group = "{id: g, type: flow.Sequential, tasks: [{id: b, commands: [x]}], finally: [{id: f, commands: [x]}]}"
    assert order(f"tasks: [{group}, {{id: z, dependsOn: [g], commands: [x]}}]")["z"] == Order({"b"}, {"f"})


def test_a_task_may_name_one_of_errors() -> None:
    text = (
        "tasks: [{id: g, type: flow.Sequential, tasks: [{id: a, commands: [x]}, {id: b, commands: [x]}],"
        " errors: [{id: e, dependsOn: [a], commands: [x]}]}, {id: z, commands: [x]}]"
    )
    assert order(text)["e"] == Order({"a"}, {"b"})
    assert order(text)["z"] == Order({"b"}, set())


def test_a_circle_through_errors_is_a_located_problem() -> None:
    [problem] = problems("tasks: [{id: a, commands: [x], dependsOn: [e]}]\nerrors: [{id: e, commands: [x]}]")
    assert "tasks[0].dependsOn[0]: tasks cannot wait for each other: " in problem
    assert "a" in problem.split(": ")[2]


def test_disabled_tasks_of_errors_pass_on_what_they_follow() -> None:
    text = AFTERWARDS.replace("id: e1,", "id: e1, disabled: true,").replace("id: f,", "id: f, disabled: true,")
    found = order(text)
    assert "e1" not in found
    assert found["e2"].follows == found["after"].follows - {"e2"} - {"f"}


def test_a_flow_all_of_whose_tasks_are_disabled_is_a_problem_though_others_are_not() -> None:
    [problem] = problems("tasks: [{id: a, disabled: true, commands: [x]}]\nfinally: [{id: f, commands: [x]}]")
    assert "every task is disabled" in problem


@pytest.mark.parametrize("where", ["errors", "finally", "afterExecution"])
def test_ids_differ_over_all_lists_of_a_flow(where: str) -> None:
    [problem] = problems(f"tasks: [{{id: a, commands: [x]}}]\n{where}: [{{id: a, commands: [x]}}]")
    assert problem.startswith(f"{where}[0].id: task ids must differ; there is more than one 'a'")


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("flow.EachSequential", 1), ("flow.EachParallel", 0), ("flow.EachParallel, concurrent: 3", 3)],
)
def test_the_old_forms_of_a_for_each_are_lowered_as_one(kind: str, limit: int) -> None:
    manifest = read(f"tasks: [{{id: g, type: {kind}, value: [1, 2, 3, 4, 5, 6], tasks: [{{id: a, commands: [x]}}]}}]")
    [task] = manifest.flow.placed_tasks
    [loop] = task.loops
    assert (loop.path, loop.limit) == (("tasks", 0, "value"), limit)
    assert len(task.task.foreach or ()) == 6  # type: ignore[arg-type]
    assert manifest.warnings == ()


def test_a_mistake_in_the_values_of_an_old_form_stands_at_them() -> None:
    manifest = read("tasks:\n- id: g\n  type: flow.EachParallel\n  value: [1]\n  tasks: [{id: a, commands: [x]}]")
    assert str(manifest.problem(("tasks", 0, "foreach", 0), "!")) == "tasks[0].value[0]: ! at line 4, column 11"


LOOP_BEFORE = """
tasks:
- id: d
  type: flow.Sequential
  tasks:
  - id: l
    type: flow.ForEach
    values: [1]
    tasks:
    - {id: a, commands: [x]WAITS}
    - {id: g, type: flow.Sequential, tasks: [{id: b, commands: [x], dependsOn: []}]}
  - {id: after, commands: [x]}
"""


@pytest.mark.parametrize(
    "waits", ["dependsOn: [after]", "dependsOn: [last]"], ids=["in the same group", "after the group"]
)
def test_a_task_of_a_loop_cannot_wait_for_what_comes_after_the_loop(waits: str) -> None:
    """Also if the last tasks of the loop wait for nothing in it: a loop is planned as a whole."""
    text = LOOP_BEFORE.replace("WAITS", f", {waits}") + "- {id: last, commands: [x]}\n"
    [problem] = problems(text)
    assert problem.startswith("tasks[0].tasks[0].tasks[0].dependsOn[0]: tasks cannot wait for each other: ")


@pytest.mark.parametrize("kind", ["flow.Dag", "flow.Sequential"])
def test_a_task_deep_in_a_loop_cannot_wait_for_one_beside_it_that_comes_later(kind: str) -> None:
    inner = "{id: x, type: flow.Sequential, tasks: [{id: u, commands: [x]}, {id: w, commands: [x], dependsOn: [t]}]}"
    loop = f"{{id: l, type: flow.Loop, values: [1], tasks: [{inner}]}}"
    group = f"{{id: s, type: flow.Sequential, tasks: [{loop}, {{id: t, commands: [x]}}]}}"
    entry = f"{{task: {group}}}" if kind == "flow.Dag" else group
    [problem] = problems(f"tasks: [{{id: d, type: {kind}, tasks: [{entry}]}}]")
    assert "tasks[0].tasks[1].dependsOn[0]: tasks cannot wait for each other: " in problem


def test_a_switch_that_is_repeated_is_told_once() -> None:
    """Without `defaults` it makes a task itself, which is repeated with it."""
    switch = "{id: s, type: flow.Switch, value: a, cases: {a: [{id: NAME, commands: [x]}]}}"
    [problem] = problems(f"tasks: [{switch.replace('NAME', 'a')}, {switch.replace('NAME', 'b')}]")
    assert problem.startswith("tasks[1].id: task ids must differ; there is more than one 's'")
