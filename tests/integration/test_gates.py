"""What a failure stops: what comes after it, and nothing else; whatever Batch does with a prefix that matches nothing.

Tasks tell in a file, the ledger, that they ran; some go on only when the test opens them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.documents.ended_task import TaskState
from tests.integration.conftest import World
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

PARALLEL = "type: io.kestra.plugin.core.flow.Parallel"
SEQUENTIAL = "type: io.kestra.plugin.core.flow.Sequential"
DAG = "type: io.kestra.plugin.core.flow.Dag"
FOR_EACH = "type: io.kestra.plugin.core.flow.ForEach"


class Flow:
    """A run whose tasks tell what they do."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self._folder = folder
        self.run = ""

    def start(self, text: str) -> None:
        """Drop a manifest; `TELL x` appends a line to the ledger, `AWAIT x` goes on once `x` is opened."""
        text = text.replace("TELL ", f"echo >> {self._folder}/ledger ")
        text = text.replace("AWAIT ", f"{self._folder}/await ")
        script = self._folder / "await"
        script.write_text(f'#!/bin/sh\nuntil [ -e "{self._folder}/$1.open" ]; do sleep 0.05; done\n')
        script.chmod(0o755)
        self._folder.chmod(0o777)
        self.run = self.world.accept(text=text)

    def open(self, *names: object) -> None:
        """Let tasks go on."""
        for name in names:
            (self._folder / f"{name}.open").touch()

    def told(self) -> list[str]:
        """What the tasks have told, in order."""
        ledger = self._folder / "ledger"
        return ledger.read_text().split() if ledger.exists() else []

    def await_told(self, *lines: str) -> None:
        """Wait until tasks have told all of this."""
        wait_for(lambda: set(lines) <= set(self.told()))

    def state(self, number: int) -> TaskState:
        """The state of a task of the first job."""
        return self.world.app.batch.tasks(f"{self.run}-1")[str(number)].state

    def await_completed(self, *numbers: int) -> None:
        """Wait until tasks of the first job have ended."""
        wait_for(lambda: all(self.state(number) is TaskState.COMPLETED for number in numbers))

    def record(self) -> dict[str, Any]:
        """The record, once the run has ended."""
        self.world.finish()
        return self.world.record(self.run)


@pytest.fixture(params=["fails", pytest.param("brings-nothing", marks=pytest.mark.chaos)])
def flow(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Iterator[Flow]:
    """A run on a Batch service that does either with a prefix that matches nothing."""
    world.change_batch(emptyPrefix=request.param)
    yield Flow(world, tmp_path)
    world.change_batch(emptyPrefix="brings-nothing")


def states(record: dict[str, Any]) -> dict[str, str]:
    return {task["id"]: task["state"] for task in record["tasks"]}


def items(record: dict[str, Any], task: int = 0) -> list[str]:
    return [item["state"] for item in record["tasks"][task]["items"]["records"]]


def test_the_others_of_a_group_run_to_their_end_when_one_fails(flow: Flow) -> None:
    flow.start(
        f"tasks:\n- id: g\n  {PARALLEL}\n  tasks:\n"
        "  - {id: bad, commands: [exit 3]}\n"
        "  - {id: good, commands: [AWAIT good, TELL good, echo made > a.txt], outputFiles: [a.txt]}\n"
        "- {id: last, commands: [TELL last]}"
    )
    flow.await_completed(1)
    assert flow.state(2) is not TaskState.COMPLETED
    flow.open("good")
    record = flow.record()
    assert states(record) == {"bad": "FAILED", "good": "SUCCESS", "last": "SKIPPED"}
    assert (record["state"], len(record["jobs"]), flow.told()) == ("FAILED", 1, ["good"])
    assert list(record["tasks"][1]["outputs"]["outputFiles"]) == ["a.txt"]


def test_one_that_waits_for_a_slot_starts_although_another_has_failed(flow: Flow) -> None:
    flow.start(
        f"tasks:\n- id: g\n  {PARALLEL}\n  tasks:\n  - {{id: bad, commands: [AWAIT bad, exit 3]}}\n"
        "  - {id: large, requiredSlots: 4, commands: [TELL large]}\n- {id: last, commands: [TELL last]}"
    )
    wait_for(lambda: flow.state(1) is TaskState.RUNNING)
    flow.open("bad")
    assert states(flow.record()) == {"bad": "FAILED", "large": "SUCCESS", "last": "SKIPPED"}
    assert flow.told() == ["large"]


def test_a_branch_goes_on_when_another_one_ends_early(flow: Flow) -> None:
    flow.start(
        f"tasks:\n- id: g\n  {PARALLEL}\n  tasks:\n"
        f"  - {{id: left, {SEQUENTIAL}, tasks: [{{id: l1, commands: [exit 1]}}, {{id: l2, commands: [TELL l2]}},"
        " {id: l3, commands: [TELL l3]}]}\n"
        f"  - {{id: right, {SEQUENTIAL}, tasks: [{{id: r1, commands: [AWAIT r1, TELL r1]}},"
        " {id: r2, commands: [TELL r2]}]}\n"
        "- {id: last, commands: [TELL last]}"
    )
    flow.await_completed(1)
    flow.open("r1")
    record = flow.record()
    expected = {"l1": "FAILED", "l2": "SKIPPED", "l3": "SKIPPED", "r1": "SUCCESS", "r2": "SUCCESS", "last": "SKIPPED"}
    assert (states(record), flow.told()) == (expected, ["r1", "r2"])


def test_in_a_graph_only_what_depends_on_the_failed_task_is_skipped(flow: Flow) -> None:
    flow.start(
        "tasks:\n- {id: a, commands: [exit 1]}\n- {id: b, dependsOn: [], commands: [TELL b]}\n"
        "- {id: after_a, dependsOn: [a], commands: [TELL after_a]}\n"
        "- {id: after_b, dependsOn: [b], commands: [TELL after_b]}\n"
        "- {id: both, dependsOn: [after_a, after_b], commands: [TELL both]}\n"
        "- {id: more, dependsOn: [after_b], commands: [TELL more]}"
    )
    record = flow.record()
    assert {name for name, state in states(record).items() if state == "SKIPPED"} == {"after_a", "both"}
    assert (sorted(flow.told()), record["state"]) == (["after_b", "b", "more"], "FAILED")


def test_a_skipped_task_has_nothing_but_its_state(flow: Flow) -> None:
    """Whether it ended by itself at once, or never began."""
    flow.start(
        "tasks:\n- {id: a, commands: [exit 1]}\n- {id: b, dependsOn: [], commands: ['true']}\n"
        "- {id: c, dependsOn: [a, b], allowFailure: true, outputFiles: [x.txt], commands: [TELL c]}"
    )
    record = flow.record()
    assert record["tasks"][2] == {
        **record["tasks"][2],
        "state": "SKIPPED", "exitCode": None, "node": None, "started": None, "failure": None, "warnings": [],
        "logs": {"stdout": None, "stderr": None},
    }  # fmt: skip
    assert record["warnings"] == []


def test_what_may_fail_stops_nothing_but_passes_on_what_stopped_it(flow: Flow) -> None:
    flow.start(
        "tasks:\n- {id: bad, commands: [exit 1]}\n- {id: may, dependsOn: [], allowFailure: true, commands: [exit 1]}\n"
        "- {id: after_may, dependsOn: [may], commands: [TELL after_may]}\n"
        "- {id: skipped, dependsOn: [bad], allowFailure: true, commands: [TELL skipped]}\n"
        "- {id: after_skipped, dependsOn: [skipped], commands: [TELL after_skipped]}"
    )
    record = flow.record()
    assert states(record) == {
        "bad": "FAILED", "may": "WARNING", "after_may": "SUCCESS", "skipped": "SKIPPED", "after_skipped": "SKIPPED",
    }  # fmt: skip
    assert flow.told() == ["after_may"]


@pytest.mark.parametrize("bad", [None, 3])
def test_a_task_may_wait_for_many(flow: Flow, bad: int | None) -> None:
    many = "".join(f"  - {{id: t{number}, commands: [exit {int(number == bad)}]}}\n" for number in range(6))
    flow.start(f"tasks:\n- id: g\n  {PARALLEL}\n  tasks:\n{many}- {{id: last, commands: [TELL last]}}")
    record = flow.record()
    assert states(record)["last"] == ("SUCCESS" if bad is None else "SKIPPED")
    assert flow.told() == (["last"] if bad is None else [])


def test_what_waits_for_a_repeated_task_is_run_after_it_and_the_others_once(flow: Flow) -> None:
    """`skipped` failed for want of a marker, or by itself; neither counts: it is as if it had not begun."""
    flow.world.nodes_fail(imagePulls=[{"image": "broken", "next": 1}])
    flow.start(
        "tasks:\n- {id: side, commands: [TELL side]}\n"
        "- {id: a, dependsOn: [], containerImage: broken, commands: [TELL a]}\n"
        "- {id: b, dependsOn: [a], commands: [TELL b]}\n- {id: c, dependsOn: [b, side], commands: [TELL c]}\n"
        "- {id: other, dependsOn: [side], commands: [TELL other]}"
    )
    record = flow.record()
    assert set(states(record).values()) == {"SUCCESS"}
    assert [job["reason"] for job in record["jobs"]] == ["first", "infrastructure"]
    assert len(record["warnings"]) == 1, record["warnings"]
    assert sorted(flow.told()) == ["a", "b", "c", "other", "side"]


def test_what_waits_for_a_failure_too_is_skipped_although_another_task_is_repeated(flow: Flow) -> None:
    flow.world.nodes_fail(imagePulls=[{"image": "broken", "next": 1}])
    flow.start(
        "tasks:\n- {id: bad, commands: [exit 1]}\n"
        "- {id: a, dependsOn: [], containerImage: broken, commands: [TELL a]}\n"
        "- {id: b, dependsOn: [a, bad], commands: [TELL b]}"
    )
    record = flow.record()
    assert (states(record), flow.told()) == ({"bad": "FAILED", "a": "SUCCESS", "b": "SKIPPED"}, ["a"])


def test_the_exit_code_of_skipped_tasks_is_an_exit_code_like_others(flow: Flow) -> None:
    flow.start(
        "tasks:\n- {id: a, commands: ['true']}\n- {id: b, dependsOn: [], commands: ['true']}\n"
        "- {id: c, dependsOn: [a, b], commands: [exit 122]}\n- {id: d, dependsOn: [b], commands: [TELL d]}"
    )
    record = flow.record()
    assert states(record) == {"a": "SUCCESS", "b": "SUCCESS", "c": "FAILED", "d": "SUCCESS"}
    assert (record["tasks"][2]["exitCode"], record["tasks"][2]["failure"]["code"]) == (122, "CommandsFailed")


def test_a_failed_upload_ends_the_job_because_the_marker_may_be_there(flow: Flow) -> None:
    flow.world.nodes_fail(uploads=[{"filePattern": "*lost.txt", "next": 1}])
    flow.start(
        "tasks:\n- {id: a, commands: ['echo > lost.txt'], outputFiles: [lost.txt]}\n"
        "- {id: b, dependsOn: [], commands: [AWAIT b]}\n- {id: c, dependsOn: [a, b], commands: [TELL c]}"
    )
    record = flow.record()
    assert (states(record), flow.told()) == ({"a": "FAILED", "b": "KILLED", "c": "SKIPPED"}, [])


def test_a_task_that_is_run_again_after_its_marker_was_uploaded_is_asked_anew(
    flow: Flow, world: World, tmp_path: Path
) -> None:
    """Its node is lost before Batch has noted the end; the second time it fails."""
    world.change_batch(completionDelaySeconds=60)
    flow.start(
        f"tasks: [{{id: a, commands: ['if [ -e {tmp_path}/again ]; then exit 3; fi', 'echo > {tmp_path}/again']}},"
        " {id: b, dependsOn: [], commands: [AWAIT b]}, {id: c, dependsOn: [a], commands: [TELL c]}]"
    )
    marker = f"{flow.run}/ok/1/a/done"
    wait_for(lambda: marker in world.names("staging"))
    world.lose_node(f"{flow.run}-1", "1")
    world.change_batch(completionDelaySeconds=0)
    flow.open("b")
    record = flow.record()
    assert states(record) == {"a": "FAILED", "b": "SUCCESS", "c": "SKIPPED"}
    assert "c" not in flow.told()


def test_a_later_round_goes_by_the_record_and_not_by_markers(flow: Flow) -> None:
    """`use` runs in the second job because of the value; what it waits for has left no marker there."""
    flow.start(
        "tasks:\n- {id: bad, commands: [exit 1]}\n"
        "- {id: make, dependsOn: [], commands: ['echo ''::{\"outputs\": {\"n\": 1}}::''']}\n"
        "- {id: use, dependsOn: [make], commands: ['TELL {{ outputs.make.vars.n }}']}\n"
        "- {id: too, dependsOn: [make, bad], commands: ['TELL {{ outputs.make.vars.n }}']}\n"
        "- {id: last, dependsOn: [use], commands: [TELL last]}"
    )
    record = flow.record()
    assert states(record) == {
        "bad": "FAILED", "make": "SUCCESS", "use": "SUCCESS", "too": "SKIPPED", "last": "SUCCESS",
    }  # fmt: skip
    assert flow.told() == ["1", "last"]


@pytest.mark.parametrize(("code", "state"), [(0, "SUCCESS"), (1, "SKIPPED")])
def test_a_fan_out_without_items_passes_on_what_it_waits_for(flow: Flow, code: int, state: str) -> None:
    flow.start(
        f"tasks:\n- {{id: a, commands: [exit {code}]}}\n- {{id: none, foreach: [], commands: [x]}}\n"
        "- {id: after, commands: [TELL after]}"
    )
    record = flow.record()
    assert states(record) == {"a": "FAILED" if code else "SUCCESS", "none": state, "after": state}
    assert flow.told() == ([] if code else ["after"])


# --- ForEach


def each(values: str, commands: str, more: str = "") -> str:
    return f"- {{id: e, {FOR_EACH}, values: {values}, {more} tasks: [{{id: t, commands: [{commands}]}}]}}\n"


def test_a_for_each_without_a_limit_is_serial_and_stops_at_the_first_failure(flow: Flow) -> None:
    flow.start(
        "tasks:\n- {id: first, commands: [TELL first]}\n"
        + each("[0, 1, 2, 3]", "'TELL {{ taskrun.value }}; AWAIT {{ taskrun.value }}; [ {{ taskrun.value }} != 1 ]'")
        + "- {id: last, commands: [TELL last]}"
    )
    flow.await_told("0")
    assert [flow.state(number) for number in (3, 4, 5)] == [TaskState.ACTIVE] * 3
    flow.open(0, 1)
    record = flow.record()
    assert flow.told() == ["first", "0", "1"]
    assert (items(record, 1), states(record)["last"]) == (["SUCCESS", "FAILED", "SKIPPED", "SKIPPED"], "SKIPPED")
    assert (record["state"], len(record["jobs"])) == ("FAILED", 1)


def test_an_item_that_may_fail_does_not_stop_a_serial_for_each(flow: Flow) -> None:
    flow.start(
        f"tasks:\n- {{id: e, {FOR_EACH}, values: [0, 1, 2], tasks: ["
        "{id: t, allowFailure: true, commands: ['TELL {{ taskrun.value }}; [ {{ taskrun.value }} != 1 ]']}]}"
    )
    record = flow.record()
    assert (items(record), flow.told()) == (["SUCCESS", "WARNING", "SUCCESS"], ["0", "1", "2"])


def test_a_serial_for_each_beside_others_kills_none_of_them(flow: Flow) -> None:
    """It has a job of its own."""
    flow.start(
        f"tasks:\n- id: g\n  {PARALLEL}\n  tasks:\n  "
        + each("[0, 1]", "'TELL {{ taskrun.value }}; exit 1'")
        + "  - {id: other, commands: [TELL other]}\n- {id: last, commands: [TELL last]}"
    )
    record = flow.record()
    assert states(record) == {"t": "FAILED", "other": "SUCCESS", "last": "SKIPPED"}
    assert (items(record), flow.told()) == (["FAILED", "SKIPPED"], ["other", "0"])
    assert [job["reason"] for job in record["jobs"]] == ["first", "fan-out"]


def test_a_serial_for_each_goes_on_where_the_infrastructure_failed(flow: Flow) -> None:
    flow.world.nodes_fail(imagePulls=[{"image": "one", "next": 1}])
    flow.start(
        f"tasks:\n- {{id: e, {FOR_EACH}, values: [zero, one, two], tasks: ["
        "{id: t, containerImage: '{{ item }}', commands: ['TELL {{ item }}']}]}"
    )
    record = flow.record()
    assert (record["state"], items(record), flow.told()) == ("SUCCESS", ["SUCCESS"] * 3, ["zero", "one", "two"])


def test_a_limit_is_how_many_run_at_once(flow: Flow) -> None:
    flow.start("tasks:\n" + each("[0, 1, 2, 3]", "'TELL {{ item }}; AWAIT {{ item }}'", "concurrencyLimit: 2,"))
    flow.await_told("0", "1")
    assert [flow.state(number) for number in (3, 4)] == [TaskState.ACTIVE] * 2
    flow.open(0)
    flow.await_told("2")
    assert flow.state(4) is TaskState.ACTIVE
    flow.open(1, 2, 3)
    record = flow.record()
    assert (record["state"], len(record["jobs"]), sorted(flow.told())) == ("SUCCESS", 1, ["0", "1", "2", "3"])


def test_with_a_limit_none_begins_after_a_failure_and_those_that_run_go_on(flow: Flow) -> None:
    """1 fails: 3 waits for it, 4 waits for 0 only, which ends well, later."""
    command = "'TELL {{ item }}; AWAIT {{ item }}; [ {{ item }} != 1 ]'"
    flow.start(
        "tasks:\n" + each("[0, 1, 2, 3, 4]", command, "concurrencyLimit: 2,") + "- {id: last, commands: [TELL l]}"
    )
    flow.await_told("0", "1")
    flow.open(1)
    flow.await_completed(2)
    flow.open(0, 2, 3, 4)
    record = flow.record()
    assert items(record) == ["SUCCESS", "FAILED", "SKIPPED", "SKIPPED", "SKIPPED"]
    assert (states(record)["last"], sorted(flow.told())) == ("SKIPPED", ["0", "1"])


def test_items_of_a_limited_for_each_that_differ_are_gated_alike(flow: Flow) -> None:
    """Where each item has a script of its own, in the packs that they share."""
    flow.start(
        f"tasks:\n- {{id: e, {FOR_EACH}, values: [a, b, c], concurrencyLimit: 2, tasks: ["
        "{id: t, env: {V: '{{ item }}'}, inputFiles: {f: '{{ item }}'},"
        " commands: ['TELL $V$(cat f); AWAIT {{ item }}; [ $V != a ]']}]}"
    )
    flow.await_told("aa", "bb")
    flow.open("a")
    flow.await_completed(1)
    flow.open("b", "c")
    assert items(flow.record()) == ["FAILED", "SUCCESS", "SKIPPED"]


def test_an_item_that_fails_on_the_infrastructure_stops_no_others(flow: Flow) -> None:
    flow.world.nodes_fail(imagePulls=[{"image": "i1", "next": 1}])
    flow.start(
        f"tasks:\n- {{id: e, {FOR_EACH}, values: [i0, i1, i2, i3], concurrencyLimit: 2, tasks: ["
        "{id: t, containerImage: '{{ item }}', commands: ['TELL {{ item }}']}]}"
    )
    record = flow.record()
    assert (record["state"], sorted(flow.told())) == ("SUCCESS", ["i0", "i1", "i2", "i3"])
    assert [job["reason"] for job in record["jobs"]] == ["first", "infrastructure"]


def test_without_limit_all_run_whatever_fails(flow: Flow) -> None:
    flow.start("tasks:\n" + each("[0, 1, 2]", "'TELL {{ item }}; exit {{ item }}'", "concurrencyLimit: 0,"))
    record = flow.record()
    assert (items(record), sorted(flow.told())) == (["SUCCESS", "FAILED", "FAILED"], ["0", "1", "2"])


def test_a_for_each_takes_each_value_once_and_a_foreach_as_often_as_it_stands_there(flow: Flow) -> None:
    """Values are the same if they are the same as text."""
    flow.start(
        "tasks:\n"
        + each("[a, 1, a, '1', b]", "'TELL {{ taskrun.iteration }}{{ taskrun.value }}'")
        + "- {id: f, foreach: [x, x], commands: ['TELL {{ item }}']}"
    )
    record = flow.record()
    assert flow.told() == ["0a", "11", "2b", "x", "x"]
    assert [item["value"] for item in record["tasks"][0]["items"]["records"]] == ["a", 1, "b"]


# --- Parallel with a limit


def test_a_group_with_a_limit_begins_no_branch_after_a_failure(flow: Flow) -> None:
    """The branch that has begun goes on; one more would have been free to begin."""
    flow.start(
        f"tasks:\n- id: g\n  {PARALLEL}\n  concurrent: 2\n  tasks:\n"
        f"  - {{id: row, {SEQUENTIAL}, tasks: [{{id: r1, commands: [TELL r1, AWAIT r1]}},"
        " {id: r2, commands: [TELL r2]}]}\n"
        "  - {id: bad, commands: [TELL bad, AWAIT bad, exit 1]}\n"
        "  - {id: third, commands: [TELL third]}\n  - {id: fourth, commands: [TELL fourth]}\n"
    )
    flow.await_told("r1", "bad")
    flow.open("bad")
    flow.await_completed(2)
    flow.open("r1")
    record = flow.record()
    assert states(record) == {
        "r1": "SUCCESS", "r2": "SUCCESS", "bad": "FAILED", "third": "SKIPPED", "fourth": "SKIPPED",
    }  # fmt: skip
    assert sorted(flow.told()) == ["bad", "r1", "r2"]


def test_a_dag_begins_no_task_after_a_failure_though_it_does_not_wait_for_the_failed_one(flow: Flow) -> None:
    """What has begun goes on, with all that is in it."""
    flow.start(
        f"tasks:\n- id: g\n  {DAG}\n  tasks:\n"
        "  - {task: {id: later, commands: [TELL later]}, dependsOn: [row]}\n"
        f"  - task: {{id: row, {SEQUENTIAL}, tasks: [{{id: r1, commands: [TELL r1, AWAIT r1]}},"
        " {id: r2, commands: [TELL r2]}]}\n"
        "  - task: {id: bad, commands: [TELL bad, AWAIT bad, exit 1]}\n"
        "- {id: last, commands: [TELL last]}\n"
    )
    flow.await_told("r1", "bad")
    flow.open("bad")
    wait_for(lambda: any(flow.state(number) is TaskState.COMPLETED for number in (1, 2)))
    flow.open("r1")
    record = flow.record()
    assert states(record) == {
        "later": "SKIPPED", "r1": "SUCCESS", "r2": "SUCCESS", "bad": "FAILED", "last": "SKIPPED",
    }  # fmt: skip
    assert sorted(flow.told()) == ["bad", "r1", "r2"]


def test_the_tasks_of_a_dag_run_side_by_side_as_far_as_they_do_not_wait_for_each_other(flow: Flow) -> None:
    flow.start(
        f"tasks:\n- id: g\n  {DAG}\n  tasks:\n"
        "  - {task: {id: end, commands: [TELL end]}, dependsOn: [left, right]}\n"
        "  - task: {id: left, commands: [TELL left, AWAIT left]}\n"
        "  - task: {id: right, commands: [TELL right, AWAIT right]}\n"
    )
    flow.await_told("left", "right")
    flow.open("left", "right")
    record = flow.record()
    assert (record["state"], flow.told()[-1], len(record["jobs"])) == ("SUCCESS", "end", 1)


def test_a_group_with_a_limit_runs_so_many_branches_at_once(flow: Flow) -> None:
    branches = "".join(f"  - {{id: t{number}, commands: [TELL t{number}, AWAIT t{number}]}}\n" for number in range(3))
    flow.start(
        f"tasks:\n- id: g\n  {PARALLEL}\n  concurrent: 2\n  tasks:\n{branches}- {{id: last, commands: [TELL last]}}"
    )
    flow.await_told("t0", "t1")
    assert flow.state(3) is TaskState.ACTIVE
    flow.open("t0")
    flow.await_told("t2")
    flow.open("t1", "t2")
    assert (flow.record()["state"], flow.told()[-1]) == ("SUCCESS", "last")


@pytest.mark.parametrize("begun", [True, False])
def test_a_branch_that_has_begun_goes_on_after_a_failure_in_another_one(flow: Flow, begun: bool) -> None:
    """Also after a task that may fail: what waits for that would not begin if it had not."""
    flow.start(
        f"tasks:\n- id: g\n  {PARALLEL}\n  concurrent: 2\n  tasks:\n  - {{id: one, commands: [AWAIT one]}}\n"
        "  - {id: bad, commands: [TELL bad, AWAIT bad, exit 1]}\n"
        f"  - {{id: row, {SEQUENTIAL}, tasks: ["
        "{id: may, allowFailure: true, commands: [TELL may, AWAIT may, exit 1]},"
        " {id: too, allowFailure: true, commands: [TELL too]}, {id: end, commands: [TELL end]}]}\n"
        "- {id: after, dependsOn: [end], commands: [TELL after]}"
    )
    flow.await_told("bad")
    flow.open(*(["one"] if begun else ["bad", "may"]))
    if begun:
        flow.await_told("may")
        flow.open("bad", "may")
    else:
        flow.await_completed(2)
        flow.open("one")
    ran = ["may", "too", "end", "after"] if begun else []
    record = flow.record()
    assert flow.told() == ["bad", *ran]
    row = {"may": "WARNING", "too": "SUCCESS", "end": "SUCCESS", "after": "SUCCESS"}
    assert states(record) == {"one": "SUCCESS", "bad": "FAILED", **(row if begun else dict.fromkeys(row, "SKIPPED"))}


def test_the_items_of_a_for_each_that_has_begun_go_on_after_a_failure_in_another_branch(flow: Flow) -> None:
    flow.start(
        f"tasks:\n- id: g\n  {PARALLEL}\n  concurrent: 2\n  tasks:\n  - {{id: one, commands: ['true']}}\n"
        "  - {id: bad, commands: [AWAIT bad, exit 1]}\n  "
        + each("[0, 1, 2, 3]", "'TELL {{ item }}; AWAIT {{ item }}'", "concurrencyLimit: 2,")
        + "  - {id: late, commands: [TELL late]}\n"
    )
    flow.await_told("0", "1")
    flow.open("bad")
    flow.await_completed(2)
    flow.open(0, 1, 2, 3)
    record = flow.record()
    assert states(record) == {"one": "SUCCESS", "bad": "FAILED", "t": "SUCCESS", "late": "SKIPPED"}
    assert sorted(flow.told()) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("code", [3, 122])
def test_what_waits_for_a_repeated_item_does_not_begin_after_a_failure_of_another_one(flow: Flow, code: int) -> None:
    """0 fails by the user's commands, 1 on the infrastructure: 1 had begun, and is run again; 3 waits for that."""
    flow.world.nodes_fail(imagePulls=[{"image": "i1", "next": 1}])
    flow.start(
        f"tasks:\n- {{id: e, {FOR_EACH}, values: [i0, i1, i2, i3], concurrencyLimit: 2, tasks: ["
        "{id: t, containerImage: '{{ item }}',"
        f" commands: ['TELL {{{{ item }}}}', '[ $ITEM_INDEX = 1 ] || exit {code}']}}]}}"
    )
    record = flow.record()
    assert (items(record), flow.told()) == (["FAILED", "SUCCESS", "SKIPPED", "SKIPPED"], ["i0", "i1"])
    assert (len(record["jobs"]), record["tasks"][0]["items"]["records"][0]["exitCode"]) == (2, code)


@pytest.mark.parametrize("code", [3, 122])
def test_what_would_be_run_again_does_not_begin_after_a_failure_in_its_group(flow: Flow, code: int) -> None:
    flow.world.nodes_fail(imagePulls=[{"image": "broken", "next": 1}])
    flow.start(
        f"tasks:\n- id: g\n  {PARALLEL}\n  concurrent: 2\n  tasks:\n  - {{id: one, commands: ['true']}}\n"
        f"  - {{id: bad, commands: [TELL bad, AWAIT bad, exit {code}]}}\n"
        "  - {id: sick, containerImage: broken, commands: [TELL sick]}\n"
    )
    flow.await_completed(3)
    flow.open("bad")
    record = flow.record()
    assert (states(record), flow.told()) == ({"one": "SUCCESS", "bad": "FAILED", "sick": "FAILED"}, ["bad"])
    assert len(record["jobs"]) == 1
