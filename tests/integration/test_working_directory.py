"""A directory that tasks share, in real processes on the local Batch service: on any node and in any round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared import poll_runs
from shared.documents.names import ARCHIVE
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

TYPE = "type: io.kestra.plugin.core.flow.WorkingDirectory"


def group(*tasks: str, **properties: str) -> str:
    """A flow of one group, whose tasks are in flow style."""
    lines = [f"- id: wd\n  {TYPE}", *(f"  {name}: {value}" for name, value in properties.items()), "  tasks:"]
    return "\n".join(["tasks:", *lines, *(f"  - {{{task}}}" for task in tasks), ""])


def task(name: str, commands: str, **properties: str) -> str:
    """A task in flow style."""
    more = "".join(f", {key}: {value}" for key, value in properties.items())
    return f'id: {name}, commands: ["{commands}"]{more}'


class Ended:
    """A run that has ended."""

    def __init__(self, world, run: str, name: str = "m.yaml") -> None:
        self.record: dict[str, Any] = world.record(run, name)
        self.tasks = {task["id"]: task for task in self.record["tasks"]}
        self._world = world
        self._folder = next(name for name in world.results() if run in name).split(f"{run}/")[0] + f"{run}/"

    @property
    def states(self) -> dict[str, str]:
        """The states of the tasks."""
        return {name: task["state"] for name, task in self.tasks.items()}

    @property
    def reasons(self) -> list[str]:
        """Why there were jobs."""
        return [job["reason"] for job in self.record["jobs"]]

    def log(self, name: str) -> str:
        """What a task printed."""
        return self._world.text("results", self._folder + self.tasks[name]["logs"]["stdout"])

    def kept(self) -> dict[str, list[str]]:
        """The output files of each task that has some."""
        files = {name: sorted(task["outputs"]["outputFiles"]) for name, task in self.tasks.items()}
        return {name: found for name, found in files.items() if found}

    def text(self, name: str, path: str) -> str:
        """The text of an output file."""
        return self._world.text("results", self._folder + self.tasks[name]["outputs"]["outputFiles"][path]["blob"])


def end(world, text: str) -> Ended:
    run = world.accept(text=text)
    world.finish()
    return Ended(world, run)


PRINT_7 = 'echo \'::{\\"outputs\\": {\\"n\\": 7}}::\''


def test_tasks_share_a_directory_in_one_round_and_over_several(world) -> None:
    """`c` uses what `b` has printed, so it is in a round of its own. Each task has its own entry and logs."""
    ended = end(
        world,
        group(
            task("a", "cat given; rm given; mkdir d; echo a >d/a; echo $PWD/d/a >where"),
            task("b", f"ls -R; echo b >d/b; {PRINT_7}"),
            task("c", "echo {{ outputs.b.vars.n }}; cat d/* $(cat where); ls"),
            inputFiles="{given: hi}",
        ),
    )
    assert (ended.record["state"], ended.reasons) == ("SUCCESS", ["first", "values"])
    assert ended.log("a") == "hi"
    assert ended.log("b").startswith(".:\nd\nwhere\n\n./d:\na\n")
    assert ended.log("c") == "7\na\nb\na\nd\nwhere\n"
    assert ended.kept() == {}
    assert world.names("staging") == []


def test_only_the_last_task_that_ran_keeps_the_files_of_the_group(world) -> None:
    """As they are then; a task's own output files are as they were after it."""
    ended = end(
        world,
        group(
            task("a", "echo 1 >x; echo 1 >y", outputFiles="[x]"),
            task("b", "echo 2 >x; rm y; echo 2 >z"),
            outputFiles="['*']",
        ),
    )
    assert ended.kept() == {"a": ["x"], "b": ["x", "z"]}
    assert (ended.text("a", "x"), ended.text("b", "x")) == ("1\n", "2\n")


def test_a_failure_ends_the_group_and_its_files_are_kept(world) -> None:
    ended = end(
        world,
        group(
            task("a", "echo 1 >x"), task("b", "echo 2 >x; exit 3"), task("c", "echo never"), outputFiles="[x, not-made]"
        )
        + "- {id: after, commands: [echo never]}\n",
    )
    assert ended.states == {"a": "SUCCESS", "b": "FAILED", "c": "SKIPPED", "after": "SKIPPED"}
    assert (ended.kept(), ended.text("b", "x")) == ({"b": ["x"]}, "2\n")


def test_a_file_that_the_group_names_and_nobody_made_is_a_warning_of_its_last_task_alone(world) -> None:
    ended = end(world, group(task("a", "true"), task("b", "true"), outputFiles="[x]"))
    assert ended.states == {"a": "SUCCESS", "b": "WARNING"}
    assert [each["message"] for each in ended.record["warnings"]] == ["the output file 'x' was not made"]


def test_what_a_task_leaves_that_may_fail_is_there_for_the_next(world) -> None:
    ended = end(
        world,
        group(
            task("a", "echo 1 >x"), task("b", "echo 2 >x; exit 3", allowFailure="true"), task("c", "cat x"),
            outputFiles="[x]",
        ),
    )  # fmt: skip
    assert (ended.states, ended.log("c")) == ({"a": "SUCCESS", "b": "WARNING", "c": "SUCCESS"}, "2\n")
    assert ended.kept() == {"c": ["x"]}


def test_files_of_the_group_are_those_of_its_first_task_that_runs(world) -> None:
    """A task's own files lie over them; what a task has changed stays so."""
    world.put("namespaces", "a.b/n.txt", "namespace")
    ended = end(
        world,
        "namespace: a.b\n"
        + group(
            task("left-out", "echo never", runIf="false"),
            task("a", "cat n.txt i.txt o.txt; echo changed >i.txt", inputFiles="{o.txt: own}"),
            task("b", "cat n.txt i.txt o.txt", namespaceFiles="{enabled: true}"),
            namespaceFiles="{enabled: true}",
            inputFiles="{i.txt: input, o.txt: group}",
        ),
    )
    assert (ended.log("a"), ended.log("b")) == ("namespaceinputown", "namespacechanged\nown")


def test_files_of_earlier_tasks_are_files_for_all_tasks_of_the_group(world) -> None:
    text = "tasks:\n- {id: make, commands: [echo made >m.txt], outputFiles: [m.txt]}\n" + group(
        task("a", "cat m.txt"),
        task("b", "cat m.txt; [ ! -L m.txt ]"),
        inputFiles="{m.txt: \"{{ outputs.make.outputFiles['m.txt'] }}\"}",
    ).removeprefix("tasks:\n")
    ended = end(world, text)
    assert (ended.reasons, ended.log("a"), ended.log("b")) == (["first"], "made\n", "made\n")


USES = "- {id: use, inputFiles: {x: \"{{ outputs.wd.outputFiles['x'] }}\"}, commands: [cat x]}\n"


def test_a_later_task_uses_a_file_of_the_group_in_the_same_round(world) -> None:
    ended = end(world, group(task("a", "echo 1 >x"), task("b", "echo 2 >x"), outputFiles="[x]") + USES)
    assert (ended.reasons, ended.log("use")) == (["first"], "2\n")


@pytest.mark.parametrize(("n", "last", "found"), [(7, "b", "2\n"), (8, "a", "1\n")])
def test_it_is_that_of_the_last_task_that_ran_where_printed_values_decide(world, n: int, last: str, found: str) -> None:
    text = group(
        task("a", f"echo 1 >x; {PRINT_7}"),
        task("b", "echo 2 >x", runIf=f"'{{{{ outputs.a.vars.n == {n} }}}}'"),
        outputFiles="[x]",
    )
    ended = end(world, text + USES)
    assert ended.record["state"] == "SUCCESS", ended.record
    assert (ended.log("use"), last in ended.kept()) == (found, True)


def test_the_text_of_such_a_file_can_be_read(world) -> None:
    text = group(task("a", "true"), task("b", "echo text >x"), outputFiles="[x]")
    ended = end(world, text + "- {id: use, commands: [\"echo {{ read(outputs.wd.outputFiles['x']) }}\"]}\n")
    assert (ended.reasons, ended.log("use")) == (["first", "values"], "text\n")


def test_groups_side_by_side_have_directories_of_their_own(world) -> None:
    two = "\n".join(
        f"  - id: {name}\n    {TYPE}\n    tasks:\n"
        f"    - {{id: {name}1, commands: [echo {name} >x]}}\n    - {{id: {name}2, commands: [cat *]}}"
        for name in ("l", "r")
    )
    ended = end(world, f"tasks:\n- id: p\n  type: io.kestra.plugin.core.flow.Parallel\n  tasks:\n{two}\n")
    assert (ended.log("l2"), ended.log("r2"), ended.reasons) == ("l\n", "r\n", ["first"])


# --- what breaks


def test_a_task_that_is_run_again_begins_with_what_the_one_before_has_left(world) -> None:
    """Its image could not be pulled at first; the tasks before it do not run again."""
    world.nodes_fail(imagePulls=[{"image": "broken", "next": 1}])
    ended = end(
        world,
        group(
            task("a", "echo 1 >x"),
            task("b", "cat x; echo 2 >x", containerImage="broken"),
            task("c", "cat x"),
        ),
    )
    assert (ended.record["state"], ended.reasons) == ("SUCCESS", ["first", "infrastructure"])
    assert (ended.log("b"), ended.log("c")) == ("1\n", "2\n")
    assert ended.tasks["a"]["ended"] <= ended.tasks["b"]["started"]


def test_after_a_task_that_may_fail_and_never_began_the_next_takes_what_was_there_before(world) -> None:
    world.nodes_fail(imagePulls=[{"image": "broken", "next": 9}])
    ended = end(
        world,
        group(
            task("a", "echo 1 >x"),
            task("b", "echo 2 >x", containerImage="broken", allowFailure="true"),
            task("c", "cat x"),
        ),
    )
    assert (ended.states["b"], ended.states["c"], ended.log("c")) == ("WARNING", "SUCCESS", "1\n")


def test_if_that_was_the_first_task_the_next_one_has_the_files_of_the_group(world) -> None:
    world.nodes_fail(imagePulls=[{"image": "broken", "next": 9}])
    ended = end(
        world,
        group(
            task("a", "echo 2 >x", containerImage="broken", allowFailure="true"),
            task("b", "cat x"),
            inputFiles="{x: 0}",
        ),
    )
    assert (ended.states["b"], ended.log("b")) == ("SUCCESS", "0")


def test_a_node_that_is_lost_costs_no_change_of_the_tasks_before(world, tmp_path: Path) -> None:
    """Batch runs the task again, on a node that is empty: never on half of a directory."""
    begun = tmp_path / "begun"
    wait = f"echo >>{begun}; [ $(wc -l <{begun}) -gt 1 ] || sleep 60"
    run = world.accept(
        text=group(
            task("a", "echo 1 >x; echo >y"), task("b", f"ls; cat x; echo 2 >x; rm y; {wait}"), task("c", "ls; cat x")
        )
    )
    wait_for(begun.exists)
    world.lose_node(f"{run}-1", "2")
    world.finish()
    ended = Ended(world, run)
    assert ended.record["state"] == "SUCCESS"
    assert (ended.log("b"), ended.log("c")) == ("x\ny\n1\n", "x\n2\n")


def test_a_directory_that_is_gone_is_a_failure_of_its_own(world) -> None:
    """Between two rounds, somebody removes the archive from staging."""
    run = world.accept(text=group(task("a", f"echo 1 >x; {PRINT_7}"), task("b", "echo {{ outputs.a.vars.n }}")))
    world.await_end(run)
    (archive,) = [name for name in world.names("staging") if name.endswith(ARCHIVE)]
    world.remove("staging", archive)
    world.finish()
    ended = Ended(world, run)
    assert (ended.states, ended.tasks["b"]["failure"]["code"]) == (
        {"a": "SUCCESS", "b": "FAILED"}, "DirectoryNotPassedOn",
    )  # fmt: skip


def test_an_archive_that_cannot_be_uploaded_keeps_the_next_task_from_running(world) -> None:
    world.nodes_fail(uploads=[{"filePattern": f"*{ARCHIVE}", "next": 1}])
    ended = end(world, group(task("a", "echo 1 >x"), task("b", "echo never")))
    assert ended.states == {"a": "FAILED", "b": "SKIPPED"}


def test_a_cancel_between_two_rounds_leaves_nothing(world) -> None:
    run = world.accept(text=group(task("a", PRINT_7), task("b", "sleep {{ outputs.a.vars.n }}00")))
    world.await_end(run)
    poll_runs.poll(world.app)
    world.deliver()
    world.put("inbox", f"{run}.cancel")
    world.finish()
    assert Ended(world, run).states == {"a": "SUCCESS", "b": "KILLED"}
    assert world.names("staging") == world.names("runs") == []


# --- a retry


def test_a_retry_runs_a_group_as_a_whole_if_one_of_its_tasks_did_not_end_well(world, tmp_path: Path) -> None:
    """The directory is not in the results. Tasks before the group are taken over, as ever."""
    broken = tmp_path / "broken"
    broken.touch()
    text = "tasks:\n- {id: before, commands: [echo]}\n" + group(
        task("a", f"[ ! -e y ]; echo >>{tmp_path}/a; echo 1 >x"), task("b", f"cat x; echo >y; [ ! -e {broken} ]")
    ).removeprefix("tasks:\n")
    run = world.accept(text=text)
    world.finish()
    assert Ended(world, run).states == {"before": "SUCCESS", "a": "SUCCESS", "b": "FAILED"}
    broken.unlink()
    again = world.accept("again.yaml", f"retry: m/{run}")
    world.finish()
    ended = Ended(world, again, "again.yaml")
    assert set(ended.states.values()) == {"SUCCESS"}
    assert [name for name, task in ended.tasks.items() if task["takenFrom"]] == ["before"]
    assert (tmp_path / "a").read_text() == "\n\n"


@pytest.mark.parametrize("begin", ["b", "use"])
def test_a_group_that_ended_well_is_taken_over_or_begun_anew_as_a_whole(world, begin: str) -> None:
    text = group(task("a", "echo 1 >x"), task("b", "echo 2 >>x"), outputFiles="[x]") + USES
    run = world.accept(text=text)
    world.finish()
    again = world.accept("again.yaml", f"retry: m/{run}\nfrom: [{begin}]")
    world.finish()
    ended = Ended(world, again, "again.yaml")
    assert (set(ended.states.values()), ended.log("use")) == ({"SUCCESS"}, "1\n2\n")
    taken = [name for name, task in ended.tasks.items() if task["takenFrom"]]
    assert taken == ({"b": [], "use": ["a", "b"]}[begin])
