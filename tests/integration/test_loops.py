"""Loops: a chain of tasks for each value, in as few jobs as values allow; what failures, limits, conditions mean."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest

from shared import poll_runs
from shared.documents.ended_task import TaskState
from tests.integration.test_gates import PARALLEL, SEQUENTIAL, Flow, flow, items, states

pytestmark = pytest.mark.sampled

__all__ = ["flow"]

FOR_EACH = "type: io.kestra.plugin.core.flow.ForEach"
LOOP = "type: io.kestra.plugin.core.flow.Loop"


def for_each(values: str, *tasks: str, more: str = "concurrencyLimit: 0", name: str = "e", kind: str = FOR_EACH) -> str:
    """A ForEach as one entry of `tasks`."""
    inside = "".join(f"  - {task}\n" for task in tasks)
    return (
        f"- id: {name}\n  {kind}\n  values: {values}\n"
        + "".join(f"  {line}\n" for line in more.splitlines())
        + f"  tasks:\n{inside}"
    )


def start(flow: Flow, text: str) -> None:
    """Start a flow; `PRINT x` prints the value `v`, for a text in double quotes of YAML."""
    command = r"""echo '::{\\"outputs\\": {\\"v\\": \1}}::'"""
    flow.start(re.sub(r'"PRINT (.*?)(?<!\\)"', f'"{command}"', text))


def order(told: list[str], *lines: str) -> bool:
    """Whether lines were told in this order."""
    places = [told.index(line) for line in lines]
    return places == sorted(places)


def reasons(record: dict[str, Any]) -> list[str]:
    return [job["reason"] for job in record["jobs"]]


# --- chains


def test_each_value_has_a_chain_of_its_own_in_one_job(flow: Flow) -> None:
    """B's second task runs while a's first one still does."""
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b]",
            "{id: one, commands: ['TELL 1{{ taskrun.value }}; AWAIT {{ taskrun.value }}']}",
            "{id: two, commands: ['TELL 2{{ taskrun.value }}{{ taskrun.iteration }}']}",
        )
        + "- {id: last, commands: [TELL last]}",
    )
    flow.await_told("1a", "1b")
    flow.open("b")
    flow.await_told("2b1")
    assert "2a0" not in flow.told()
    flow.open("a")
    record = flow.record()
    assert (record["state"], states(record)) == ("SUCCESS", {"one": "SUCCESS", "two": "SUCCESS", "last": "SUCCESS"})
    assert flow.told()[-1] == "last"
    assert reasons(record) == ["first", "fan-out"]


def test_a_failure_stops_the_chain_of_its_own_value(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b, c]",
            "{id: one, commands: ['TELL 1{{ item }}', '[ {{ item }} != b ]']}",
            "{id: two, commands: ['TELL 2{{ item }}']}",
            "{id: three, commands: ['TELL 3{{ item }}']}",
        )
        + "- {id: last, commands: [TELL last]}",
    )
    record = flow.record()
    assert sorted(flow.told()) == ["1a", "1b", "1c", "2a", "2c", "3a", "3c"]
    assert items(record, 0) == ["SUCCESS", "FAILED", "SUCCESS"]
    assert items(record, 1) == items(record, 2) == ["SUCCESS", "SKIPPED", "SUCCESS"]
    assert (states(record)["last"], record["state"], len(record["jobs"])) == ("SKIPPED", "FAILED", 1)


def test_what_may_fail_does_not_stop_its_chain(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b]",
            "{id: one, allowFailure: true, commands: ['TELL 1{{ item }}', exit 1]}",
            "{id: two, commands: ['TELL 2{{ item }}', '[ {{ item }} != b ]']}",
            "{id: three, commands: ['TELL 3{{ item }}']}",
        ),
    )
    record = flow.record()
    assert sorted(flow.told()) == ["1a", "1b", "2a", "2b", "3a"]
    assert [items(record, task) for task in range(3)] == [
        ["WARNING"] * 2,
        ["SUCCESS", "FAILED"],
        ["SUCCESS", "SKIPPED"],
    ]


def test_groups_in_a_loop_are_groups_for_each_value(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b]",
            "{id: make, commands: ['TELL m{{ item }}']}",
            f"{{id: g, {PARALLEL}, tasks: [{{id: x, commands: ['TELL x{{{{ parent.taskrun.value }}}}']}},"
            f" {{id: row, {SEQUENTIAL}, tasks: [{{id: y, commands: ['TELL y{{{{ item }}}}; [ {{{{ item }}}} = a ]']}},"
            " {id: z, commands: ['TELL z{{ item }}']}]}]}",
            "{id: end, commands: ['TELL e{{ item }}']}",
        ),
    )
    record, told = flow.record(), flow.told()
    assert sorted(told) == ["ea", "ma", "mb", "xa", "xb", "ya", "yb", "za"]
    assert order(told, "ma", "ya", "za", "ea")
    assert states(record) == {"make": "SUCCESS", "x": "SUCCESS", "y": "FAILED", "z": "SKIPPED", "end": "SKIPPED"}
    assert (items(record, 4), len(record["jobs"])) == (["SUCCESS", "SKIPPED"], 1)


# --- what is passed on


def test_files_pass_in_the_same_job_and_values_in_the_next_one(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b]",
            "{id: make, outputFiles: [f], commands: ['echo {{ item }} > f', "
            """"PRINT \\"{{ item }}{{ item }}\\""]}""",
            "{id: use, inputFiles: {got: \"{{ outputs.make[taskrun.value].outputFiles['f'] }}\"},"
            " commands: ['TELL $(cat got)']}",
        )
        + for_each(
            "[a, b]",
            """{id: say, commands: ["PRINT \\"{{ item }}!\\""]}""",
            "{id: hear, commands: ['TELL {{ outputs.say[taskrun.value].vars.v }}']}",
            name="f",
        )
        + "- {id: last, commands: [\"TELL {{ outputs.make['b'].vars.v }}{{ outputs.say['a'].vars.v }}\"]}",
    )
    record = flow.record()
    assert sorted(flow.told()) == ["a", "a!", "b", "b!", "bba!"]
    assert (record["state"], reasons(record)) == ("SUCCESS", ["first", "fan-out", "values", "fan-out"])


def test_in_a_later_job_only_the_items_run_whose_predecessors_ended_well(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b, c]",
            "{id: say, commands: ["
            """"PRINT \\"{{ item }}!\\"", '[ {{ item }} != b ]']}""",
            "{id: hear, commands: ['TELL {{ outputs.say[taskrun.value].vars.v }}']}",
            "{id: end, commands: ['TELL end{{ item }}']}",
        ),
    )
    record = flow.record()
    assert sorted(flow.told()) == ["a!", "c!", "enda", "endc"]
    assert [items(record, task) for task in range(3)] == [["SUCCESS", "FAILED", "SUCCESS"]] + [
        ["SUCCESS", "SKIPPED", "SUCCESS"]
    ] * 2
    assert reasons(record) == ["first", "values"]


# --- limits


def test_one_value_after_the_other_in_one_job_until_a_task_fails(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b, c]",
            "{id: one, commands: ['TELL 1{{ item }}']}",
            "{id: two, commands: ['TELL 2{{ item }}; [ {{ item }} != b ]']}",
            more="concurrencyLimit: 1",
        ),
    )
    record = flow.record()
    assert flow.told() == ["1a", "2a", "1b", "2b"]
    assert (items(record, 0), items(record, 1)) == (["SUCCESS", "SUCCESS", "SKIPPED"], ["SUCCESS", "FAILED", "SKIPPED"])
    assert len(record["jobs"]) == 1


def test_one_value_after_the_other_also_where_values_need_jobs(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b, c]",
            """{id: say, commands: ['TELL s{{ item }}', "PRINT \\"{{ item }}!\\""]}""",
            "{id: hear, commands: ['TELL {{ outputs.say[taskrun.value].vars.v }}']}",
            more="concurrencyLimit: 1",
        )
        + "- {id: last, commands: [TELL last]}",
    )
    record = flow.record()
    assert flow.told() == ["sa", "a!", "sb", "b!", "sc", "c!", "last"]
    assert (record["state"], len(record["jobs"])) == ("SUCCESS", 5)
    assert items(record, 0) == items(record, 1) == ["SUCCESS"] * 3


def test_none_begins_in_a_later_job_once_one_has_failed(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b, c]",
            """{id: say, commands: ['TELL s{{ item }}', "PRINT \\"{{ item }}!\\""]}""",
            "{id: hear, commands: ['TELL {{ outputs.say[taskrun.value].vars.v }}; [ {{ item }} != b ]']}",
            more="concurrencyLimit: 1",
        )
        + "- {id: last, commands: [TELL last]}",
    )
    record = flow.record()
    assert flow.told() == ["sa", "a!", "sb", "b!"]
    assert (items(record, 0), items(record, 1)) == (["SUCCESS", "SUCCESS", "SKIPPED"], ["SUCCESS", "FAILED", "SKIPPED"])
    assert states(record)["last"] == "SKIPPED"


def test_with_a_limit_chains_run_side_by_side_up_to_it_and_what_has_begun_goes_on(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b, c, d]",
            "{id: one, commands: ['TELL 1{{ item }}; AWAIT {{ item }}; [ {{ item }} != a ]']}",
            "{id: two, commands: ['TELL 2{{ item }}']}",
            more="concurrencyLimit: 2",
        ),
    )
    flow.await_told("1a", "1b")
    assert [flow.state(number) for number in (2, 4, 5)] == [TaskState.ACTIVE] * 3
    flow.open("a")
    flow.await_completed(1)
    flow.open("b", "c", "d")
    record = flow.record()
    assert sorted(flow.told()) == ["1a", "1b", "2b"]
    assert items(record, 0) == ["FAILED", "SUCCESS", "SKIPPED", "SKIPPED"]
    assert items(record, 1) == ["SKIPPED", "SUCCESS", "SKIPPED", "SKIPPED"]


# --- loops in loops


def test_a_loop_in_a_loop_runs_for_every_pair(flow: Flow) -> None:
    inner = (
        f"{{id: inner, {FOR_EACH}, values: [x, y], concurrencyLimit: 0, tasks: ["
        "{id: pair, commands: ['TELL {{ parent.taskrun.value }}{{ taskrun.value }}{{ taskrun.iteration }}',"
        """ "PRINT \\"{{ taskrun.value }}!\\""]}]}"""
    )
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b]", "{id: one, commands: ['TELL 1{{ item }}']}", inner, "{id: end, commands: ['TELL e{{ item }}']}"
        )
        + "- {id: last, commands: [\"TELL {{ outputs.pair['a']['y'].vars.v }}\"]}",
    )
    record, told = flow.record(), flow.told()
    assert sorted(told) == sorted(["1a", "1b", "ax0", "ay1", "bx0", "by1", "ea", "eb", "y!"])
    assert order(told, "1a", "ax0", "ea")
    assert (record["state"], reasons(record)) == ("SUCCESS", ["first", "fan-out"])
    pairs = record["tasks"][1]["items"]["records"]
    assert [(item["index"], item["parent"]["value"], item["value"]) for item in pairs] == [
        (0, "a", "x"), (1, "a", "y"), (2, "b", "x"), (3, "b", "y"),
    ]  # fmt: skip


def test_loops_with_their_defaults_run_strictly_one_after_the_other_in_one_job(flow: Flow) -> None:
    inner = (
        f"{{id: inner, {FOR_EACH}, values: [x, y], tasks: ["
        "{id: pair, commands: ['TELL {{ parent.taskrun.value }}{{ item }}']}]}"
    )
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b]",
            "{id: one, commands: ['TELL 1{{ item }}']}",
            inner,
            "{id: end, commands: ['TELL e{{ item }}']}",
            more="concurrencyLimit: 1",
        ),
    )
    record = flow.record()
    assert flow.told() == ["1a", "ax", "ay", "ea", "1b", "bx", "by", "eb"]
    assert (record["state"], len(record["jobs"])) == ("SUCCESS", 1)


def test_the_values_of_an_inner_loop_may_be_printed_for_the_outer_one(flow: Flow) -> None:
    inner = (
        f"{{id: inner, {FOR_EACH}, values: '{{{{ outputs.list[taskrun.value].vars.v }}}}', concurrencyLimit: 0,"
        " tasks: [{id: pair, commands: ['TELL {{ parent.taskrun.value }}{{ taskrun.value }}']}]}"
    )
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[1, 2, 3]",
            """{id: list, commands: ["PRINT {{ range(1, taskrun.iteration + 1) | toJson }}","""
            " '[ {{ item }} != 2 ]']}",
            inner,
            "{id: end, commands: ['TELL e{{ item }}']}",
        ),
    )
    record = flow.record()
    assert sorted(flow.told()) == sorted(["11", "31", "32", "33", "e1", "e3"])
    assert items(record, 1) == ["SUCCESS"] * 4
    assert items(record, 2) == ["SUCCESS", "SKIPPED", "SUCCESS"]


# --- Loop


def test_the_outputs_of_the_same_values_have_a_short_name(flow: Flow) -> None:
    inner = (
        f"{{id: inner, {FOR_EACH}, values: [x, y], concurrencyLimit: 0, tasks: ["
        """{id: say, commands: ["PRINT \\"{{ parent.taskrun.value }}{{ taskrun.value }}\\""]},"""
        " {id: hear, commands: ['TELL {{ currentEachOutput(outputs.say).vars.v }}']}]}"
    )
    start(flow, "tasks:\n" + for_each("[a, b]", inner))
    assert (flow.record()["state"], sorted(flow.told())) == ("SUCCESS", ["ax", "ay", "bx", "by"])


def test_a_loop_of_kestra_2_sees_its_item_and_the_outputs_of_the_same_iteration(flow: Flow) -> None:
    outputs = (
        'outputs:\n- {id: doubled, type: STRING, value: "{{ outputs.say.vars.v }}"}\n'
        '- {id: n, type: INT, value: "{{ item.index }}"}'
    )
    start(
        flow,
        "tasks:\n"
        + for_each(
            "{k1: a, k2: b}",
            """{id: say, commands: ["PRINT \\"{{ item.value }}{{ item.value }}\\""]}""",
            "{id: hear, commands: ['TELL {{ item.index }}{{ item.key }}{{ outputs.say.vars.v }}']}",
            more="concurrencyLimit: 0\n" + outputs,
            name="loop",
            kind=LOOP,
        )
        + "- {id: last, commands: ['TELL {{ outputs.loop.iterationCount }}{{ outputs.loop.outputs[1].outputs.doubled }}"
        '{{ outputs.loop.outputs[0].item.key }}{{ loopOutputs(outputs.loop.outputs, "n") | join("-") }}\']}',
    )
    record = flow.record()
    assert sorted(flow.told()) == ["0k1aa", "1k2bb", "2bbk10-1"]
    assert (record["state"], reasons(record)) == ("SUCCESS", ["first", "values", "fan-out"])
    assert [item["key"] for item in record["tasks"][0]["items"]["records"]] == ["k1", "k2"]


def test_loops_in_loops_of_kestra_2_see_their_parents_the_outermost_first(flow: Flow) -> None:
    names = "{{ item.parents[0].value }}{{ item.parents[1].value }}{{ item.parent.value }}{{ item.value }}"
    deepest = f"{{id: l3, {LOOP}, values: [p], tasks: [{{id: t, commands: ['TELL {names}']}}]}}"
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b]",
            f"{{id: l2, {LOOP}, values: [x, y], tasks: [{deepest}]}}",
            more="concurrencyLimit: 1",
            name="l1",
            kind=LOOP,
        ),
    )
    record = flow.record()
    assert flow.told() == ["axxp", "ayyp", "bxxp", "byyp"]
    assert (record["state"], len(record["jobs"])) == ("SUCCESS", 1)


# --- conditions


@pytest.mark.parametrize("kind", [FOR_EACH, LOOP])
def test_a_condition_is_asked_for_each_value(flow: Flow, kind: str) -> None:
    value = "taskrun.value" if kind == FOR_EACH else "item.value"
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b, c]",
            f"{{id: one, commands: ['TELL 1{{{{ {value} }}}}']}}",
            f"{{id: two, runIf: \"{{{{ {value} != 'b' }}}}\", commands: ['TELL 2{{{{ {value} }}}}']}}",
            f"{{id: three, commands: ['TELL 3{{{{ {value} }}}}']}}",
            kind=kind,
        )
        + "- {id: last, commands: [TELL last]}",
    )
    record, told = flow.record(), flow.told()
    assert sorted(told) == ["1a", "1b", "1c", "2a", "2c", "3a", "3b", "3c", "last"]
    assert order(told, "1b", "3b")
    two = record["tasks"][1]
    assert (two["state"], two["skipped"], items(record, 1)) == ("SUCCESS", None, ["SUCCESS", "SKIPPED", "SUCCESS"])
    assert [item.get("skipped") for item in two["items"]["records"]] == [None, "condition", None]
    assert (record["state"], reasons(record)) == ("SUCCESS", ["first", "fan-out"])


def test_a_condition_that_holds_for_no_value_leaves_the_task_out(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each("[a, b]", "{id: one, runIf: \"{{ taskrun.value == 'c' }}\", commands: [TELL x]}")
        + "- {id: last, commands: [TELL last]}",
    )
    record = flow.record()
    assert (states(record), record["tasks"][0]["skipped"]) == ({"one": "SKIPPED", "last": "SUCCESS"}, "condition")
    assert (record["state"], flow.told()) == ("SUCCESS", ["last"])


def test_a_condition_over_what_was_printed_for_the_value(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[1, 2]",
            """{id: say, commands: ["PRINT {{ item }}"]}""",
            "{id: hear, runIf: '{{ outputs.say[taskrun.value].vars.v == 2 }}', commands: ['TELL {{ item }}']}",
            "{id: end, commands: ['TELL e{{ item }}']}",
        ),
    )
    record = flow.record()
    assert sorted(flow.told()) == ["2", "e1", "e2"]
    assert (items(record, 1), reasons(record)) == (["SKIPPED", "SUCCESS"], ["first", "values"])


# --- faults


def test_an_item_that_fails_on_the_infrastructure_is_run_again_with_its_chain(flow: Flow) -> None:
    flow.world.nodes_fail(imagePulls=[{"image": "ib", "next": 1}])
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b, c]",
            "{id: one, containerImage: 'i{{ item }}', commands: ['TELL 1{{ item }}']}",
            "{id: two, commands: ['TELL 2{{ item }}']}",
        ),
    )
    record = flow.record()
    assert sorted(flow.told()) == ["1a", "1b", "1c", "2a", "2b", "2c"]
    assert (record["state"], reasons(record)) == ("SUCCESS", ["first", "infrastructure"])


def test_a_cancelled_run_tells_of_every_item(flow: Flow) -> None:
    start(
        flow,
        "tasks:\n"
        + for_each(
            "[a, b, c]",
            """{id: say, commands: ['TELL s{{ item }}; AWAIT {{ item }}', "PRINT 1"]}""",
            "{id: hear, commands: ['TELL {{ outputs.say[taskrun.value].vars.v }}']}",
            more="concurrencyLimit: 1",
        ),
    )
    flow.await_told("sa")
    flow.world.put("inbox", f"{flow.run}.cancel")
    record = flow.record()
    assert record["state"] == "KILLED"
    assert items(record, 0) == ["KILLED", "SKIPPED", "SKIPPED"]


# --- tasks that need no node

LOG, RETURN = "type: io.kestra.plugin.core.log.Log", "type: io.kestra.plugin.core.debug.Return"


@pytest.mark.parametrize("dies_at", [1, 2])
def test_planning_that_dies_between_its_writes_is_repeated(flow: Flow, monkeypatch, dies_at: int) -> None:
    """What was evaluated before is stored once; what is evaluated after the job, beside it."""
    parts, count = flow.world.app.parts, []
    keep = parts.keep_of_planning

    def and_die(run: Any, part: Any) -> None:
        keep(run, part)
        count.append(run.id)
        if len(count) == dies_at:
            raise ConnectionError("the process died")

    monkeypatch.setattr(parts, "keep_of_planning", and_die)
    text = "tasks:\n" + for_each(
        "[a, b]",
        f"{{id: name, {RETURN}, format: 'v{{{{ taskrun.value }}}}'}}",
        "{id: one, commands: ['TELL {{ outputs.name[taskrun.value].value }}']}",
        f"{{id: log, {LOG}, message: '{{{{ outputs.one[taskrun.value].exitCode }}}}'}}",
        f"{{id: last, {LOG}, message: x}}",
    )
    with suppress(ConnectionError):
        flow.start(text)
    [flow.run] = [name.removesuffix(".json") for name in flow.world.names("runs") if "/" not in name]
    poll_runs.poll(flow.world.later(minutes=1))
    flow.world.await_end(flow.run)
    poll_runs.poll(flow.world.app)
    with suppress(ConnectionError):
        flow.world.deliver()
    poll_runs.poll(flow.world.later(minutes=2))
    record = flow.record()
    assert sorted(flow.told()) == ["va", "vb"]
    assert [items(record, place) for place in range(4)] == [["SUCCESS"] * 2] * 4
    assert (record["state"], len(record["jobs"]), len(count)) == ("SUCCESS", 1, 3)
    assert flow.world.text("results", f"m/{flow.run}/logs/log/1/stdout.txt") == "INFO 0\n"
    assert not [name for name in flow.world.names("runs") if flow.run in name]
