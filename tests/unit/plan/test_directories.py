"""Tasks that share a directory: from which archive each takes it, who passes it on, and who keeps the group's files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared import batch_job
from shared.documents.states import FailureCategory, SkippedBy, State
from shared.documents.task_result import Failure, Outputs, TaskRecord
from shared.errors import ManifestError
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import PlannedTask, RoundPlan, StagingAccess
from shared.plan.run_manifest import checked_manifest, manifest_of

TYPE = "type: io.kestra.plugin.core.flow.WorkingDirectory"
PARALLEL, TWO = "io.kestra.plugin.core.flow.Parallel", "[{id: a, commands: [x]}, {id: b, commands: [x]}]"
RUN = "env-20261122t121314-3f9a1c2b"
ACCESS = StagingAccess("https://read", "https://write", None)
FAILED = Failure(category=FailureCategory.USER, code="CommandsFailed", message="x")


def group(*tasks: str, **properties: str) -> str:
    """A flow of one group, in which every task runs `x`."""
    more = "".join(f", {name}: {value}" for name, value in properties.items())
    inside = ", ".join(f"{{commands: [x], {task}}}" for task in tasks)
    return f"tasks:\n- {{id: wd, {TYPE}{more}, tasks: [{inside}]}}\n"


def ended(name: str, state: State = State.SUCCESS, **more: object) -> TaskRecord:
    return TaskRecord(id=name, state=state, **more)


LEFT_OUT = {"state": State.SKIPPED, "skipped": SkippedBy.CONDITION}


@pytest.fixture
def plan(run_of, settings) -> Callable[..., dict[str, PlannedTask]]:
    """The tasks of the round by their names."""

    def build(text: str, *finished: TaskRecord) -> dict[str, PlannedTask]:
        run = run_of(text, finished={task.id: task for task in finished})
        planned = plan_round(manifest_of(run), run, settings)
        assert isinstance(planned, RoundPlan), planned
        return {task.name: task for task in planned.tasks}

    return build


def before(task: PlannedTask) -> list[str]:
    """The tasks from whose archive a task may take the directory."""
    return [archive.split("/")[3] for archive in task.handover.archives]


def uploads(task: PlannedTask) -> dict[str, str]:
    """By the patterns of what a task uploads beside logs and markers: the condition."""
    files = batch_job._output_files(task, ACCESS)
    own = ("stdout.txt", "stderr.txt", "begun", "ended")
    return {
        each.file_pattern.rpartition("/")[2]: str(each.upload_options.upload_condition.value)
        for each in files
        if not each.file_pattern.endswith(own)
    }


def test_each_task_takes_the_directory_from_the_one_before_and_the_last_keeps_it(plan) -> None:
    tasks = plan(group("id: a", "id: b", "id: c"))
    found = {name: (before(task), task.handover.may_be_first, task.handover.passes_on) for name, task in tasks.items()}
    assert found == {"a": ([], True, True), "b": (["a"], False, True), "c": (["b"], False, False)}
    assert [task.depends_on for task in tasks.values()] == [(), (1,), (2,)]
    assert {task.paths.link for task in tasks.values()} == {f"/tmp/{RUN}-wd"}


def test_the_archive_is_uploaded_however_a_task_ends_and_downloaded_by_its_own_prefix(plan) -> None:
    tasks = plan(group("id: a", "id: b"))
    assert uploads(tasks["a"]) == {"directory.tar": "taskcompletion"}
    assert uploads(tasks["b"]) == {}
    assert f"{RUN}/dir/wd/a/" in tasks["b"].prefixes
    assert not any("/dir/" in prefix for prefix in tasks["a"].prefixes)


def test_a_group_of_one_task_passes_nothing_on(plan) -> None:
    (task,) = plan(group("id: a")).values()
    assert not task.handover.is_shared
    assert "is_shared=no" in plan_script(task)


def plan_script(task: PlannedTask) -> str:
    return RoundPlan("p", "s", 0, keep_job=False, reason=None, tasks=(task,)).scripts()[task.script]  # type: ignore[arg-type]


def test_what_is_left_out_or_disabled_has_no_turn(plan) -> None:
    tasks = plan(group("id: a", "id: b, runIf: false", "id: d, disabled: true", "id: c", "id: e, runIf: false"))
    assert (before(tasks["c"]), tasks["a"].handover.passes_on, tasks["c"].handover.passes_on) == (["a"], True, False)


def test_the_first_that_runs_has_the_files_of_the_group_and_no_other_one(plan) -> None:
    text = group("id: z, runIf: false", "id: a, inputFiles: {x: own}", "id: b", inputFiles="{x: group, y: group}")
    tasks = plan(text)
    assert [dict(task.input_files) for task in tasks.values()] == [{"x": "own", "y": "group"}, {}]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (ended("b"), ["b"]),
        (ended("b", State.WARNING), ["b"]),
        (ended("b", State.WARNING, failure=FAILED), ["b", "a"]),
        (ended("b", **LEFT_OUT), ["a"]),
    ],
)
def test_the_archives_of_earlier_rounds_are_taken(plan, record: TaskRecord, expected: list[str]) -> None:
    """A task that has failed, as it may, has perhaps left none: its image could not be pulled, for example."""
    values = ended("a", outputs=Outputs(vars={"n": 1}))
    tasks = plan(
        group("id: a", "id: b, allowFailure: true", "id: c, env: {N: '{{ outputs.a.vars.n }}'}"), values, record
    )
    assert (before(tasks["c"]), tasks["c"].handover.may_be_first) == (expected, False)


def test_after_tasks_that_may_all_fail_one_may_be_the_first(plan) -> None:
    tasks = plan(group("id: a, allowFailure: true", "id: b, allowFailure: true", "id: c", inputFiles="{x: group}"))
    assert (before(tasks["c"]), tasks["c"].handover.may_be_first) == (["b", "a"], True)
    assert tasks["c"].input_files == {"x": "group"}


def test_one_that_is_run_again_after_the_next_one_has_ended_comes_too_late(plan) -> None:
    tasks = plan(
        group("id: z", "id: a, allowFailure: true", "id: b", "id: c", outputFiles="[x]"), ended("z"), ended("b")
    )
    assert (before(tasks["a"]), before(tasks["c"])) == (["z"], ["b"])
    assert uploads(tasks["a"]) == {"directory.tar": "taskcompletion"}, "its files are not those of the group"


def test_nobody_takes_the_directory_from_one_that_comes_too_late(plan) -> None:
    """It may run beside the task that comes next."""
    members = ("id: z", "id: a, allowFailure: true", "id: b, allowFailure: true")
    failed = ended("b", State.WARNING, failure=FAILED)
    assert before(plan(group(*members, "id: c"), ended("z"), failed)["c"]) == ["b", "z"]
    assert not plan(group(*members), ended("z"), failed)["a"].handover.passes_on


def test_who_reads_a_file_of_the_group_waits_for_its_end(plan) -> None:
    text = (
        group("id: a", outputFiles="[x.txt]")
        + "- {id: use, commands: [\"{{ read(outputs.wd.outputFiles['x.txt']) }}\"]}"
    )
    assert list(plan(text)) == ["a"]


def test_the_number_of_prefixes_is_bounded(plan) -> None:
    """After many tasks that may fail, the archives of all are downloaded."""
    names = [f"id: t{number}, allowFailure: true" for number in range(9)]
    tasks = plan(group(*names))
    prefixes = [len([each for each in task.prefixes if "/dir/" in each]) for task in tasks.values()]
    assert prefixes == [0, 1, 2, 3, 4, 1, 1, 1, 1]
    assert f"{RUN}/dir/wd/" in tasks["t8"].prefixes


def test_files_of_the_group_are_brought_once_by_the_last_task_or_the_one_that_fails(plan) -> None:
    text = group("id: a, outputFiles: [own.txt]", "id: b, allowFailure: true", "id: c", outputFiles="[x.txt]")
    tasks = plan(text)
    found = {name: {file: uploads(task).get(file) for file in ("own.txt", "x.txt")} for name, task in tasks.items()}
    assert found == {
        "a": {"own.txt": "taskcompletion", "x.txt": "taskfailure"},
        "b": {"own.txt": None, "x.txt": None},
        "c": {"own.txt": None, "x.txt": "taskcompletion"},
    }


def test_the_patterns_of_the_group_are_numbered_after_those_of_the_task(plan) -> None:
    """A round that is planned again finds the files, whatever is known by then of the tasks that follow."""
    text = group("id: a, outputFiles: [own.txt]", "id: b", outputFiles="[x.txt]")
    patterns = plan(text)["a"].output_patterns
    assert [pattern.index for pattern in patterns] == list(range(len(patterns)))
    assert [pattern.of_group for pattern in patterns] == sorted(pattern.of_group for pattern in patterns)


USE = "- {id: use, inputFiles: {x: \"{{ outputs.wd.outputFiles['x.txt'] }}\"}, commands: [x]}\n"


def test_a_file_of_the_group_is_one_of_its_last_task(plan) -> None:
    tasks = plan(group("id: a", "id: b", outputFiles="[x.txt]") + USE)
    assert [link.sources[1] for link in tasks["use"].commands.links][:1] == [f"{RUN}/out/b/0/x.txt"]


def test_who_uses_it_waits_where_it_is_not_known_yet_which_is_the_last(plan) -> None:
    text = group("id: a", "id: b, runIf: '{{ outputs.a.vars.n }}'", outputFiles="[x.txt]") + USE
    assert list(plan(text)) == ["a"]
    left_out = plan(text, ended("a", outputs=Outputs(vars={"n": 0})), ended("b", **LEFT_OUT))["use"]
    assert left_out.commands.links[0].sources[1] == f"{RUN}/out/a/0/x.txt"
    ran = plan(text, ended("a", outputs=Outputs(vars={"n": 1})), ended("b"))["use"]
    assert ran.commands.links[0].sources[1] == f"{RUN}/out/b/0/x.txt"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            group("id: a", "id: b, env: {X: '{{ outputs.wd.outputFiles[\"x\"] }}'}", outputFiles="[x]"),
            "tasks[0].tasks[1].env.X: uses the outputs of 'wd', which does not run before it",
        ),
        (
            group("id: a", "id: b", outputFiles="[x]") + "- {id: c, commands: ['{{ outputs.wd.outputFiles.y }}']}",
            "tasks[1].commands[0]: 'y' does not exist",
        ),
        (
            group("id: a", "id: b", outputFiles="[x]") + "- {id: c, commands: ['{{ outputs.b.outputFiles.x }}']}",
            "tasks[1].commands[0]: 'x' does not exist",
        ),
        (
            group("id: a", "id: b", outputFiles="[x]") + "- {id: c, commands: ['{{ outputs.wd.vars.x }}']}",
            "tasks[1].commands[0]: 'vars' does not exist",
        ),
        (
            group("id: a", "id: b", inputFiles="{x: '{{ outputs.a.vars.y }}'}"),
            "tasks[0].inputFiles.x: uses the outputs of 'a', which does not run before it",
        ),
        (group("id: a", inputFiles="{x: '{{ nosuch() }}'}"), "tasks[0].inputFiles.x: there is no function"),
        (group("id: a", inputFiles="{../x: y}"), "tasks[0].inputFiles.../x: '../x' is not a relative path"),
        (group("id: a", outputFiles="['regex:x']"), "tasks[0].outputFiles[0]: "),
        (group("id: a", namespaceFiles="{enabled: true}"), "tasks[0].namespaceFiles: the flow has no `namespace`"),
        (group("id: a", inputFiles="{x: 'nsfile:///y'}"), "tasks[0].inputFiles.x: the flow has no `namespace`"),
        (group("id: a, dependsOn: []"), "tasks[0].tasks[0].dependsOn: each task of a WorkingDirectory waits"),
        (group("id: a, foreach: [1]"), "tasks[0].tasks[0].foreach: a task of a WorkingDirectory runs once"),
        (
            f"tasks: [{{id: wd, {TYPE}, tasks: [{{id: s, type: {PARALLEL}, tasks: {TWO}}}]}}]",
            "tasks[0].tasks[0]: the tasks of a WorkingDirectory are tasks, not groups",
        ),
        (group("id: a", nosuch="x"), "tasks[0].nosuch: unknown property"),
        (f"tasks: [{{id: wd, {TYPE}, tasks: []}}]", "tasks[0].tasks: expected at least 1 entry"),
    ],
)
def test_what_is_wrong_with_a_group_is_told_at_its_place(run_of, settings, text: str, expected: str) -> None:
    run = run_of(text)
    with pytest.raises(ManifestError) as wrong:
        plan_round(checked_manifest(run, settings), run, settings)
    told = [f"{problem.path}: {problem.message}" for problem in wrong.value.problems]
    assert [each[: len(expected)] for each in told] == [expected]


def test_a_condition_uses_what_an_earlier_task_of_the_group_printed(plan) -> None:
    text = group("id: a", "id: b, runIf: '{{ outputs.a.vars.n == 7 }}'", outputFiles="[x]")
    assert plan(text).keys() == {"a"}
    assert plan(text, ended("a", outputs=Outputs(vars={"n": 7}))).keys() == {"b"}


def test_a_cache_is_without_effect(run_of) -> None:
    run = run_of(group("id: a", cache="{patterns: ['venv/**'], ttl: PT1H}"))
    assert [warning.path for warning in manifest_of(run).warnings] == ["tasks[0].cache"]


def test_batch_waits_until_a_directory_is_unpacked_and_packed(plan) -> None:
    """Its backstop is no limit of what the commands may take."""
    tasks = plan(group("id: a, timeout: PT1M", "id: b, timeout: PT1M"))
    limits = [batch_job._wall_clock(task, batch_job.timedelta(days=1)) for task in tasks.values()]
    assert min(limits) >= batch_job.timedelta(hours=1)
