"""What ties the tasks of a round: a failure stops what comes after it and nothing else, whichever ends first."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shared import batch_job
from shared.documents.ended_task import BatchFailure, EndedTask, TaskState
from shared.manifest.groups import FOR_EACH, PARALLEL, SEQUENTIAL
from shared.outputs.ended_in_planning import plan_with_ended
from shared.outputs.judgement import judge
from shared.plan.plan_round import plan_round, submitted_round
from shared.plan.round_plan import PlannedTask, RoundPlan, StagingAccess, Ties
from shared.plan.run_manifest import manifest_of
from shared.script.build import SKIPPED_EXIT_CODE, STOP
from tests.support.generated_manifests import VARIABLES

ACCESS = StagingAccess("https://s/staging?read", "https://s/staging?write", None)
EXAMPLES = hypothesis_settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
EARLY = "before its commands"


class Job:
    """A job as Batch runs it: its tasks begin and end in any order that their dependencies allow."""

    def __init__(self, plan: RoundPlan, ends: dict[int, object], *, empty_prefix_fails: bool) -> None:
        self.tasks = {task.number: task for task in plan.tasks}
        self.sent = dict(zip(self.tasks, batch_job.Tasks(plan, ACCESS, timedelta(days=1)), strict=True))
        self.ended: dict[str, EndedTask] = {}
        self.ran: set[int] = set()
        self.killed: set[int] = set()
        self._ends = ends
        self._empty_prefix_fails = empty_prefix_fails
        self._blobs = {*plan.texts(), *(task.script for task in plan.tasks)}
        self._waiting, self._running, self._satisfied = set(self.tasks), set[int](), set[int]()

    def run(self, choose: random.Random) -> None:
        """Run to the end; fails if a task would wait for ever."""
        while self._waiting or self._running:
            ready = [number for number in self._waiting if self._satisfied >= self._depends_on(number)]
            assert ready or self._running, f"{self._waiting} wait for ever"
            number = choose.choice(sorted(ready) + sorted(self._running))
            if number in self._running:
                self._end(number, self._ends.get(number, 0))
            else:
                self._begin(number)

    def _depends_on(self, number: int) -> set[int]:
        depends_on = self.sent[number].depends_on
        return set(map(int, depends_on.task_ids if depends_on else ()))

    def _begin(self, number: int) -> None:
        self._waiting.remove(number)
        self._running.add(number)
        prefixes = [file.blob_prefix for file in self.sent[number].resource_files]
        found = [[blob for blob in self._blobs if blob.startswith(prefix)] for prefix in prefixes]
        if self._ends.get(number) == EARLY or (self._empty_prefix_fails and not all(found)):
            self._end(number, EARLY)
        elif is_gated(self.tasks[number], {blob for blobs in found for blob in blobs}):
            self._end(number, SKIPPED_EXIT_CODE)
        else:
            self.ran.add(number)

    def _end(self, number: int, end: object) -> None:
        self._running.remove(number)
        self.ended[str(number)] = ended(end)
        conditions = {"taskcompletion", "taskfailure" if end else "tasksuccess"}
        if number in self.ran:
            uploads = [
                file for file in self.sent[number].output_files if file.upload_options.upload_condition in conditions
            ]
            names = {file.destination.container.path for file in uploads}
            self._blobs |= {name for name in names if not (end and name.endswith("/done"))}  # it holds the exit code
        conditions = self.sent[number].exit_conditions
        action = conditions.pre_processing_error if end == EARLY else conditions.default
        if end == 0 or action.dependency_action == "satisfy":
            self._satisfied.add(number)
        if end != 0 and action.job_action == "terminate":
            self.killed = self._running
            self._waiting, self._running = set(), set()


def is_gated(task: PlannedTask, files: set[str]) -> bool:
    """What the script decides (`shared/script/functions.sh`)."""
    gate = task.ties.gate
    needed, stops = list(gate.needed), list(gate.stops)
    for word in task.command_line.split(" ")[2:]:
        if word.startswith(STOP):
            group, _, branch = word.removeprefix(STOP).rpartition("/")
            stops.append((f"{gate.failures}{group}/{gate.round}/", int(branch)))
        else:
            needed.append(f"{gate.markers}{word}/done")
    return not set(needed) <= files or any(is_stopped(files, folder, branch) for folder, branch in stops)


def is_stopped(files: set[str], folder: str, branch: int | None) -> bool:
    names = {file.removeprefix(folder) for file in files if file.startswith(folder)}
    failed = {name for name in names if not name.startswith("begun-")} - {"none", str(branch)}
    return bool(failed) and f"begun-{branch}" not in names


def ended(end: object) -> EndedTask:
    if end == EARLY:
        return EndedTask(state=TaskState.COMPLETED, failure=BatchFailure(code="BlobNotFound"))
    failure = BatchFailure(code="FailureExitCode") if end else None
    return EndedTask(state=TaskState.COMPLETED, exit_code=end, succeeded=not end, failure=failure)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """A flow of one round: any graph, groups with and without limits, a fan-out at the end of some paths."""
    tasks: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 9))):
        task: dict[str, Any] = {"id": f"t{number}", "commands": ["x"]}
        names = [each["id"] for each in tasks if each.get("type") != FOR_EACH]
        if draw(st.booleans()):
            task["dependsOn"] = draw(st.lists(st.sampled_from(names), unique=True, max_size=6)) if names else []
        kind = draw(st.sampled_from(["task"] * 5 + ["group", "each"]))
        if kind == "group":
            inside = [_branch(draw, f"t{number}_{child}") for child in range(draw(st.integers(1, 5)))]
            task |= {"type": PARALLEL, "tasks": inside, "concurrent": draw(st.integers(0, 3))}
        elif kind == "each":
            task |= _loop(draw, f"t{number}", depth=1)
        else:
            task |= _task(draw, f"t{number}")
        if kind != "task":
            del task["commands"]
        tasks.append(task)
    return {"id": "f", "variables": VARIABLES, "tasks": tasks}


def _loop(draw: st.DrawFn, name: str, depth: int) -> dict[str, Any]:
    """A loop of tasks, of groups with and without limits, and of loops; conditions leave out some of its items."""
    values = list(range(draw(st.integers(0, 4 if depth == 1 else 2))))
    inside: list[dict[str, Any]] = []
    for number in range(draw(st.sampled_from([1, 1, 2, 3]))):
        own = f"{name}_{number}"
        kind = draw(st.sampled_from(["task", "task", "group", "each"]) if depth == 1 else st.just("task"))
        if kind == "each":
            inside.append({"id": own, **_loop(draw, own, depth + 1)})
        elif kind == "group":
            branches = [_branch(draw, f"{own}_{child}") for child in range(draw(st.integers(1, 3)))]
            inside.append({"id": own, "type": PARALLEL, "tasks": branches, "concurrent": draw(st.sampled_from([0, 2]))})
        else:
            when = {"runIf": "{{ taskrun.iteration != 1 }}"} if draw(st.booleans()) else {}
            inside.append({**_task(draw, own), **when})
    return {"type": FOR_EACH, "values": values, "concurrencyLimit": draw(st.integers(0, 3)), "tasks": inside}


def _branch(draw: st.DrawFn, name: str) -> dict[str, Any]:
    tasks = [_task(draw, f"{name}_{number}") for number in range(draw(st.sampled_from([1, 1, 2])))]
    return tasks[0] if len(tasks) == 1 else {"id": name, "type": SEQUENTIAL, "tasks": tasks}


def _task(draw: st.DrawFn, name: str) -> dict[str, Any]:
    return {"id": name, "commands": ["x"], "allowFailure": draw(st.sampled_from([False, False, True]))}


@EXAMPLES
@given(flow=graphs(), data=st.data(), seed=st.integers(0, 9), empty_prefix_fails=st.booleans())
def test_nothing_runs_after_a_failure_and_everything_else_does(
    flow, data, seed, empty_prefix_fails, run_of, settings
) -> None:
    """No task waits for ever, none is killed, and the record tells what ran, whichever way Batch treats prefixes."""
    run = run_of(json.dumps(flow), name="x.json")
    manifest = manifest_of(run)
    run, plan = plan_with_ended(manifest, run, settings)
    numbers = st.sampled_from([task.number for task in plan.tasks] or [0])
    ends = data.draw(st.dictionaries(numbers, st.sampled_from([1, EARLY]), max_size=3))
    job = Job(plan, ends, empty_prefix_fails=empty_prefix_fails)
    job.run(random.Random(seed))
    assert not job.killed
    well = {number for number in job.ran if not ends.get(number)}
    allowed = {task.number for task in plan.tasks if task.allow_failure}
    attempted = set[int]()  # what may fail, and failed before its commands
    for task in plan.tasks:
        may_run = all(other in well or other in allowed & (job.ran | attempted) for other in task.depends_on)
        if task.number in job.ran:
            assert may_run, f"{task.display_name} ran"
        elif may_run and ends.get(task.number) != EARLY:
            assert task.begins, f"{task.display_name} did not run"
        if may_run and ends.get(task.number) == EARLY:
            attempted.add(task.number)
    judgement = judge(run, submitted_round(manifest, run, settings), job.ended, ran_out_of_time=False)
    assert not judgement.again
    assert not judgement.skipped & job.ran


def ties(run_of, settings, text: str) -> dict[str, PlannedTask]:
    run = run_of(text)
    plan = plan_round(manifest_of(run), run, settings)
    assert isinstance(plan, RoundPlan)
    return {task.display_name: task for task in plan.tasks}


def test_tasks_in_a_row_need_no_markers(run_of, settings) -> None:
    """A failure just ends the job: nothing else can be running, and no task is started only to be skipped."""
    found = ties(run_of, settings, "tasks: [{id: a, commands: [x]}, {id: b, commands: [x]}, {id: c, commands: [x]}]")
    assert [task.ties.ends_job for task in found.values()] == [True, True, True]
    assert [(task.ties.prefixes, task.ties.markers) for task in found.values()] == [((), {})] * 3


def test_a_task_beside_others_leaves_a_marker_that_carries_the_round(run_of, settings) -> None:
    text = (
        "tasks: [{id: a, commands: [x]}, {id: b, dependsOn: [], commands: [x]}, {id: c, dependsOn: [a], commands: [x]}]"
    )
    found, run = ties(run_of, settings, text), "env-20261122t121314-3f9a1c2b"
    assert found["a"].ties.markers == {f"{run}/ok/1/a/done": "success or failure"}
    assert (found["b"].ties.markers, found["c"].ties.markers) == ({}, {})
    assert found["c"].ties.prefixes == (f"{run}/ok/1/a/",)
    assert not found["a"].ties.ends_job


@pytest.mark.parametrize(("count", "places"), [(4, 4), (5, 1), (999, 1)])
def test_a_task_that_waits_for_many_takes_the_markers_of_the_whole_round(run_of, settings, count, places) -> None:
    """Each place takes some hundred characters of the few that Batch allows."""
    before = "".join(f"- {{id: t{number}, commands: [x], dependsOn: []}}\n" for number in range(count))
    waits = ", ".join(f"t{number}" for number in range(count))
    last = ties(run_of, settings, f"tasks:\n{before}- {{id: last, commands: [x], dependsOn: [{waits}]}}")["last"]
    assert (len(last.ties.prefixes), len(last.ties.gate.needed)) == (places, count)


def test_items_side_by_side_are_tied_to_nothing(run_of, settings) -> None:
    found = ties(run_of, settings, "{id: t, foreach: 17, commands: [x]}")
    assert [task.ties for task in found.values()] == [Ties()] * 17, "nor is the end of so many pushed"


def test_what_begins_a_branch_notes_that_only_where_others_look_for_it(run_of, settings) -> None:
    """What waits for a task that may fail looks for failures of the group itself."""
    text = (
        f"tasks: [{{id: g, type: {PARALLEL}, concurrent: 2, tasks: [{{id: a, commands: [x]}}, {{id: b, commands: [x]}},"
        f" {{id: row, type: {SEQUENTIAL}, tasks: [{{id: may, allowFailure: true, commands: [x]}},"
        " {id: end, commands: [x]}]}, {id: d, allowFailure: true, commands: [x]}]}]"
    )
    found, stop = ties(run_of, settings, text), "env-20261122t121314-3f9a1c2b/stop/g/1/"
    assert found["may"].ties.markers == {f"{stop}begun-2": "success or failure"}
    assert found["end"].ties.gate.stops == ((stop, 2),)
    assert found["d"].ties.markers == {}


def test_items_one_after_the_other_need_no_markers(run_of, settings) -> None:
    text = f"tasks: [{{id: e, type: {FOR_EACH}, values: [1, 2, 3], tasks: [{{id: t, commands: [x]}}]}}]"
    found = ties(run_of, settings, text)
    assert [(task.depends_on, task.ties.ends_job, task.ties.markers) for task in found.values()] == [
        ((), True, {}), ((1,), True, {}), ((2,), True, {}),
    ]  # fmt: skip


def test_items_with_a_limit_wait_in_chains(run_of, settings) -> None:
    text = (
        f"tasks: [{{id: e, type: {FOR_EACH}, values: [1, 2, 3, 4, 5], concurrencyLimit: 2, "
        "tasks: [{id: t, commands: [x]}]}]"
    )
    found = list(ties(run_of, settings, text).values())
    assert [task.depends_on for task in found] == [(), (), (1,), (2,), (3,)]
    assert [task.command_line.split(" ")[1:] for task in found] == [
        ["0"], ["1"], ["2", "t/0", "stop:e/2"], ["3", "t/1", "stop:e/3"], ["4", "t/2", "stop:e/4"],
    ]  # fmt: skip
    assert len({task.script for task in found}) == len({task.ties.gate for task in found}) == 1
