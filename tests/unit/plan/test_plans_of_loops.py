"""Loops: which units run in which round, how they are tied, and what their expressions see."""

from __future__ import annotations

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import PlannedTask, RoundPlan
from shared.plan.run_manifest import checked_manifest

CORE = "io.kestra.plugin.core.flow"


def loop(values: str, *tasks: str, limit: int = 0, kind: str = "ForEach", name: str = "e") -> str:
    """A loop as an entry of `tasks`."""
    inside = ", ".join(tasks)
    return f"{{id: {name}, type: {CORE}.{kind}, values: {values}, concurrencyLimit: {limit}, tasks: [{inside}]}}"


def task(name: str, command: str = "x", more: str = "") -> str:
    return f"{{id: {name}, commands: ['{command}']{more}}}"


@pytest.fixture
def planned(run_of, settings):
    """The tasks of the first round, by their names for people."""

    def plan(*tasks: str) -> dict[str, PlannedTask]:
        run = run_of(f"tasks: [{', '.join(tasks)}]")
        found = plan_round(checked_manifest(run, settings), run, settings)
        assert isinstance(found, RoundPlan)
        return {task.display_name: task for task in found.tasks}

    return plan


def before(tasks: dict[str, PlannedTask]) -> dict[str, list[str]]:
    """What each task of a round waits for."""
    names = {task.number: name for name, task in tasks.items()}
    return {name: [names[number] for number in task.depends_on] for name, task in tasks.items()}


def texts(tasks: dict[str, PlannedTask]) -> list[str]:
    return [task.commands.text.removeprefix("set -e\n") for task in tasks.values()]


def test_each_item_is_a_chain(planned) -> None:
    found = planned(task("first"), loop("[p, q]", task("a"), task("b")), task("last"))
    assert before(found) == {
        "first": [], "a[0]": ["first"], "b[0]": ["a[0]"], "a[1]": ["first"], "b[1]": ["a[1]"],
    }  # fmt: skip
    assert found["b[1]"].command_line.split(" ")[1:] == ["1", "a/1"]
    assert len({each.script for each in found.values()}) == 3, "the items of a task share its script"


def test_a_limit_is_that_of_chains(planned) -> None:
    found = planned(loop("[0, 1, 2, 3]", task("a"), task("b"), limit=2))
    assert before(found) == {
        "a[0]": [], "b[0]": ["a[0]"], "a[1]": [], "b[1]": ["a[1]"],
        "a[2]": ["b[0]"], "b[2]": ["a[2]"], "a[3]": ["b[1]"], "b[3]": ["a[3]"],
    }  # fmt: skip
    assert found["a[3]"].command_line.split(" ")[1:] == ["3", "b/1", "stop:e/3"]


def test_a_serial_loop_is_one_chain_whose_failure_ends_the_job(planned) -> None:
    found = planned(loop("[0, 1]", task("a"), task("b"), limit=1))
    assert before(found) == {"a[0]": [], "b[0]": ["a[0]"], "a[1]": ["b[0]"], "b[1]": ["a[1]"]}
    assert all(each.ties.ends_job and not each.ties.markers for each in found.values())


def test_what_comes_after_an_inner_loop_waits_for_it_for_the_same_item(planned) -> None:
    found = planned(loop("[p, q]", task("a"), loop("[0, 1]", task("i"), name="inner"), task("z")))
    assert before(found)["z[1]"] == ["i[2]", "i[3]"]
    assert before(found)["i[3]"] == ["a[1]"]
    assert [found[f"i[{index}]"].item.lineage[0].value for index in range(4)] == ["p", "p", "q", "q"]


def test_a_task_that_would_look_for_too_many_is_in_a_later_round(planned) -> None:
    found = planned(loop("[p, q]", loop("17", task("i"), name="inner"), task("z")))
    assert [name for name in found if name.startswith("z")] == []
    assert len(found) == 34


def test_what_a_condition_leaves_out_passes_on_what_it_waits_for(planned) -> None:
    condition = ", runIf: \"{{ taskrun.value == 'q' }}\""
    found = planned(loop("[p, q]", task("a"), task("b", more=condition), task("c")))
    assert before(found) == {"a[0]": [], "c[0]": ["a[0]"], "a[1]": [], "b[1]": ["a[1]"], "c[1]": ["b[1]"]}


@pytest.mark.parametrize(
    ("use", "names"),
    [
        ("outputs.a[taskrun.value].outputFiles", {"a[0]", "b[0]"}),
        ("outputs.a[taskrun.value].vars", {"a[0]"}),
        ("outputs[vars.t].p.vars", {"a[0]"}),
    ],
)
def test_only_values_need_another_round(planned, use: str, names: set[str]) -> None:
    read = f"{{{{ {use}.f ?? 1 }}}}"
    assert set(planned(loop("[p]", task("a", more=", outputFiles: [f]"), task("b", read)))) == names


def test_expressions_see_the_values_of_all_loops(planned) -> None:
    names = "{{ parents[1].taskrun.value }}{{ parent.taskrun.value }}{{ taskrun.value }}{{ taskrun.iteration }}"
    inner = loop("[x, {k: 1}]", task("t", names), name="i3")
    found = planned(loop("[a]", loop("[7, 8]", inner, name="i2")))
    assert texts(found) == ["a7x0", 'a7{"k":1}1', "a8x0", 'a8{"k":1}1']


def test_in_a_group_the_value_is_that_of_the_parent(planned) -> None:
    group = f"{{id: g, type: {CORE}.Sequential, tasks: [{task('t', '{{ parent.taskrun.value }}')}]}}"
    assert texts(planned(loop("[a, b]", group))) == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("[1, true, {k: v}, text]", ["0:1", "1:true", '2:{"k":"v"}', "3:text"]),
        ("{a: 1, b: 1}", ["0a:1", "1b:1"]),
        ("'{{ {\"a\": 1} | toJson }}'", ["0a:1"]),
        ("[a, a, b]", ["0:a", "1:b"]),
    ],
)
def test_the_item_of_a_loop(planned, values: str, expected: list[str]) -> None:
    text = '{{ item.index }}{{ item.key ?? "" }}:{{ item.value }}'
    assert texts(planned(loop(values, task("t", text), kind="Loop"))) == expected


def test_the_item_of_a_loop_is_a_map_and_its_parents_begin_with_the_outermost(planned) -> None:
    inner = loop("[x]", task("t", "{{ item }}"), kind="Loop", name="i3")
    found = planned(loop("[a]", loop("[7]", inner, kind="Loop", name="i2"), kind="Loop"))
    parents = '[{"index":0,"value":"a"},{"index":0,"value":"7"}]'
    assert texts(found) == [f'{{"index":0,"value":"x","parent":{{"index":0,"value":"7"}},"parents":{parents}}}']


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([loop("'{{ 3 }}'", task("t"), kind="Loop")], "tasks[0].values: expected a JSON list or map, this is '3'"),
        ([loop("{a: null}", task("t"), kind="Loop")], "tasks[0].values: a loop takes no null, but the value of 'a'"),
        (
            [loop("[a]", loop("'{{ taskrun.nosuch }}'", task("t"), name="i"))],
            "tasks[0].tasks[0].values: 'nosuch' does not exist",
        ),
        (
            [loop("101", task("a"), task("b", "{{ outputs.a[taskrun.value].vars.x }}"), limit=1)],
            "tasks[0].values: it would take 102 rounds, one job after the other",
        ),
        ([loop("[a]", task("t", "{{ item.valu }}"), kind="Loop")], "tasks[0].tasks[0].commands[0]: 'valu' does not"),
        ([loop("[a]", task("t", "{{ parent.taskrun.value }}"))], "tasks[0].tasks[0].commands[0]: 'parent' does not"),
        (
            [loop("5000", loop("3", task("t"), name="i"))],
            "tasks[0].tasks[0].values: a fan-out has 0 to 10000 items, this one would have 10002",
        ),
    ],
)
def test_what_is_wrong_with_a_loop_is_told_where_it_stands(planned, tasks: list[str], message: str) -> None:
    with pytest.raises(ManifestError) as raised:
        planned(*tasks)
    assert message in str(raised.value)


def test_a_disabled_task_of_a_loop_passes_on_its_place(planned) -> None:
    found = planned(loop("[p]", task("a"), task("b", more=", disabled: true"), task("c")))
    assert before(found) == {"a[0]": [], "c[0]": ["a[0]"]}


def test_loops_are_serial_by_default_and_say_so_for_many_values() -> None:
    text = f"tasks: [{{id: e, type: {CORE}.Loop, values: [1, 2, 3, 4, 5], tasks: [{task('a')}, {task('b')}]}}]"
    [warning] = read_manifest(text, "x.yaml").warnings
    assert warning.path == "tasks[0].values"
    assert "run one after the other" in warning.message


def test_a_loop_deep_in_another_one_waits_for_the_loop_before_that(planned) -> None:
    """For the same item of the loops that both are in, and for all items of the others."""
    inner = loop("[0]", task("q"), name="g")
    found = planned(loop("[0, 1]", loop("[0, 1]", task("z"), name="f"), loop("[0, 1, 2]", inner, name="e"), name="l"))
    waits = before(found)
    assert {name: waits[name] for name in waits if name.startswith("q")} == {
        **{f"q[{index}]": ["z[0]", "z[1]"] for index in range(3)},
        **{f"q[{index}]": ["z[2]", "z[3]"] for index in range(3, 6)},
    }


def test_a_limit_of_a_loop_around_holds_for_a_loop_that_waits_for_something_before_both(planned) -> None:
    inner = loop("[0]", task("q"), name="g")
    found = planned(loop("[0]", loop("[0]", task("z"), name="f"), loop("[0, 1]", inner, name="e", limit=1), name="l"))
    assert before(found) == {"z[0]": [], "q[0]": ["z[0]"], "q[1]": ["z[0]", "q[0]"]}
