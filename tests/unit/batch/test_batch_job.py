"""The Batch job that is made of a plan, as it goes over the wire."""

from datetime import timedelta

import pytest

from shared import batch_job
from shared.plan.plan_round import plan_round
from shared.plan.run_manifest import manifest_of

ACCESS = batch_job.StagingAccess("https://s/staging?read", "https://s/staging?write", None)
RUN = "env-20261122t121314-3f9a1c2b"


@pytest.fixture
def tasks_of(run_of, settings):
    def build(
        text: str, access: batch_job.StagingAccess = ACCESS, time_left: timedelta = timedelta(days=1)
    ) -> list[dict]:
        run = run_of(text)
        plan = plan_round(manifest_of(run), run, settings)
        return [task.as_dict() for task in batch_job.Tasks(plan, access, time_left)]

    return build


def test_job_does_not_end_before_its_tasks_are_added(run_of, settings) -> None:
    run = run_of("commands: [x]\npriority: 7")
    job = batch_job.job(run, plan_round(manifest_of(run), run, settings), timedelta(days=2), settings.origin).as_dict()
    assert (job["id"], job["onAllTasksComplete"], job["priority"]) == (f"{RUN}-1", "noaction", 7)
    assert job["poolInfo"] == {"poolId": "pool1"}
    assert {"name": "runId", "value": RUN} in job["metadata"]


def test_neither_commands_nor_environment_are_in_the_task(tasks_of) -> None:
    """Whoever may read the Batch account would see them."""
    text = str(tasks_of("commands: ['echo {{ secret(''TOKEN'') }}']\nenv: {T: \"{{ secret('TOKEN') }}\"}"))
    assert "s3cr3t" not in text
    assert "environmentSettings" not in text
    assert "echo" not in text


def test_container_runs_the_staged_script_and_sees_only_the_task(tasks_of) -> None:
    (task,) = tasks_of("id: t\ncommands: [x]\ncontainerImage: alpine")
    assert task["commandLine"] == f"{RUN}/sys/t/run.sh"
    container = task["containerSettings"]
    assert container["imageName"] == "alpine"
    assert container["containerRunOptions"].startswith("--entrypoint /bin/sh")
    assert container["containerHostBatchBindMounts"] == [{"source": "Task", "isReadOnly": False}]


def test_files_come_by_prefixes_that_match_no_sibling(tasks_of) -> None:
    (task,) = tasks_of("id: t\ncommands: [x]\ninputFiles: {a: b}")
    assert [file["blobPrefix"] for file in task["resourceFiles"]] == [f"{RUN}/sys/t/", f"{RUN}/in/t/"]
    (task,) = tasks_of("id: t\ncommands: [x]")
    assert [file["blobPrefix"] for file in task["resourceFiles"]] == [f"{RUN}/sys/t/"]


def test_outputs_and_logs_are_uploaded_by_batch_also_after_a_failure(tasks_of) -> None:
    """For a glob the destination is a folder, for the name of a file it is the name of the blob."""
    (task,) = tasks_of("id: t\ncommands: [x]\noutputFiles: ['d/*.csv', d/one.txt]")
    others = ("d/.[!_]*.csv", "d/.csv", "d/one.txt/**/*", "d/one.txt/**/.[!_]*")
    uploads = {file["filePattern"]: file["destination"]["container"]["path"] for file in task["outputFiles"]}
    assert uploads == {
        "../stdout.txt": f"{RUN}/std/t/stdout.txt",
        "../stderr.txt": f"{RUN}/std/t/stderr.txt",
        f"{RUN}/in/t/d/*.csv": f"{RUN}/out/t/0",
        f"{RUN}/in/t/d/one.txt": f"{RUN}/out/t/1/one.txt",
        f"{RUN}/in/t/d/.csv": f"{RUN}/out/t/3/.csv",
        f"{RUN}/in/t/**/*[[-^]*": f"{RUN}/out/t/6",
        **{f"{RUN}/in/t/{others[i]}": f"{RUN}/out/t/{i + 2}" for i in (0, 2, 3)},
        f"{RUN}/sys/t/ended": f"{RUN}/std/t/1/task.ended",
    }
    assert {file["uploadOptions"]["uploadCondition"] for file in task["outputFiles"]} == {"taskcompletion"}


def test_a_failure_ends_the_job_only_if_another_task_would_wait_for_ever(tasks_of) -> None:
    first, last = tasks_of("tasks: [{id: a, commands: [x]}, {id: b, commands: [x]}]")
    assert first["exitConditions"]["default"] == {"jobAction": "terminate", "dependencyAction": "block"}
    assert last["exitConditions"]["default"]["jobAction"] == "none"
    assert last["dependsOn"] == {"taskIds": ["1"]}
    assert "exitCodes" not in first["exitConditions"], "a listed code would come before a failed upload"


def test_a_failure_beside_others_ends_nothing_and_the_next_task_looks_for_a_marker(tasks_of) -> None:
    """Only a failed upload still ends the job: the marker may be there although a file is not."""
    a, b = "{id: a, commands: [x]}", "{id: b, commands: [x], dependsOn: []}"
    first, second, last = tasks_of(f"tasks: [{a}, {b}, {{id: c, commands: [x], dependsOn: [a]}}]")
    harmless = {"jobAction": "none", "dependencyAction": "satisfy"}
    assert first["exitConditions"] == {
        "preProcessingError": harmless,
        "default": harmless,
        "fileUploadError": {"jobAction": "terminate", "dependencyAction": "block"},
    }
    marker = first["outputFiles"][-1]
    assert (marker["filePattern"], marker["uploadOptions"]) == (
        f"{RUN}/sys/a/begun",
        {"uploadCondition": "taskcompletion"},
    )
    assert marker["destination"]["container"]["path"] == f"{RUN}/ok/1/a/done"
    assert [file["blobPrefix"] for file in last["resourceFiles"]] == [f"{RUN}/sys/c/", f"{RUN}/ok/1/a/"]
    assert [len(task["outputFiles"]) for task in (first, second, last)] == [3, 3, 3], "what ends the round is pushed"


def test_a_failure_that_ends_the_job_is_pushed_and_so_is_the_end_of_the_last_task(tasks_of) -> None:
    first, last = (
        task["outputFiles"][-1] for task in tasks_of("tasks: [{id: a, commands: [x]}, {id: b, commands: [x]}]")
    )
    assert [file["destination"]["container"]["path"] for file in (first, last)] == [
        f"{RUN}/std/a/1/job.ended",
        f"{RUN}/std/b/1/task.ended",
    ]
    assert [file["uploadOptions"]["uploadCondition"] for file in (first, last)] == ["taskfailure", "taskcompletion"]


def test_an_item_that_fails_leaves_a_marker_for_those_that_have_not_begun(tasks_of) -> None:
    tasks = tasks_of(
        "tasks: [{id: e, type: io.kestra.plugin.core.flow.ForEach, values: [1, 2, 3], concurrencyLimit: 2, "
        "tasks: [{id: t, commands: [x]}]}]"
    )
    uploads = [
        {file["destination"]["container"]["path"]: file["uploadOptions"]["uploadCondition"] for file in files[2:]}
        for files in (task["outputFiles"] for task in tasks)
    ]
    assert uploads == [
        {f"{RUN}/stop/e/1/0": "taskfailure", f"{RUN}/ok/1/t/0/done": "taskcompletion"},
        {f"{RUN}/stop/e/1/1": "taskfailure", f"{RUN}/std/t/1/1/task.ended": "taskcompletion"},
        {f"{RUN}/stop/e/1/2": "taskfailure", f"{RUN}/std/t/2/1/task.ended": "taskcompletion"},
    ]
    assert [file["blobPrefix"] for file in tasks[2]["resourceFiles"]][1:] == [f"{RUN}/ok/1/t/0/", f"{RUN}/stop/e/1/"]
    assert tasks[2]["commandLine"] == f"{RUN}/sys/t/run.sh 2 t/0 stop:e/2"


def test_wall_clock_limit_of_batch_is_only_the_backstop(tasks_of) -> None:
    (task,) = tasks_of("commands: [x]\ntimeout: PT1H")
    assert task["constraints"]["maxWallClockTime"] == "PT01H10M00S"


@pytest.mark.parametrize(
    ("retry", "limit"),
    [
        pytest.param("{maxAttempts: 3, interval: PT1M}", "PT03H14M00S", id="three attempts, and what is between them"),
        pytest.param("{maxDuration: PT2H, interval: PT1M}", "PT03H11M00S", id="the last begins just before the end"),
        pytest.param("{maxAttempts: 100, interval: P30D}", "P1D", id="never longer than the flow"),
        pytest.param("{maxAttempts: 100, interval: P999999999D}", "P1D", id="longer than can be counted"),
    ],
)
def test_wall_clock_limit_leaves_time_for_all_attempts(tasks_of, retry: str, limit: str) -> None:
    (task,) = tasks_of(f"commands: [x]\ntimeout: PT1H\nretry: {retry}")
    assert task["constraints"]["maxWallClockTime"] == limit


def test_wall_clock_limit_is_cut_at_what_is_left_of_the_flow(tasks_of) -> None:
    (task,) = tasks_of("commands: [x]\ntimeout: PT1H", time_left=timedelta(minutes=20))
    assert task["constraints"]["maxWallClockTime"] == "PT20M00S"


def test_batch_never_tries_again_and_uploads_what_the_script_notes_of_attempts(tasks_of) -> None:
    once, several = tasks_of(
        "tasks: [{id: a, commands: [x]}, {id: b, commands: [x], retry: {maxAttempts: 2}, dependsOn: []}]"
    )
    assert [task["constraints"]["maxTaskRetryCount"] for task in (once, several)] == [0, 0]
    assert not [file for file in once["outputFiles"] if "attempts" in file["filePattern"]]
    (notes,) = (file for file in several["outputFiles"] if "attempts" in file["filePattern"])
    assert notes["filePattern"] == f"{RUN}/sys/b/attempts.txt"
    assert notes["destination"]["container"]["path"] == f"{RUN}/std/b/attempts.txt"


def test_with_an_identity_there_is_no_sas(tasks_of) -> None:
    access = batch_job.StagingAccess("https://s/staging", "https://s/staging", "/subscriptions/x/id")
    (task,) = tasks_of("commands: [x]\ninputFiles: {a: b}", access)
    references = [file["identityReference"] for file in task["resourceFiles"]]
    references += [file["destination"]["container"]["identityReference"] for file in task["outputFiles"]]
    assert references == [{"resourceId": "/subscriptions/x/id"}] * 5


def test_tasks_are_added_in_portions_that_batch_takes(run_of, settings) -> None:
    run = run_of("tasks: [{id: a, commands: [x]}]")
    task = batch_job.Tasks(plan_round(manifest_of(run), run, settings), ACCESS, timedelta(days=1))[0]
    many = [task] * 250
    assert [len(many[places]) for places in batch_job.chunks(many)] == [100, 100, 50]
    task.command_line = "x" * 300_000
    few = [task] * 5
    assert [len(few[places]) for places in batch_job.chunks(few)] == [2, 2, 1]


def test_what_a_task_asks_of_its_node(tasks_of) -> None:
    text = "commands: [x]\nrunAs: user\nrequiredSlots: 2\nretry: {maxAttempts: 3}\ncontainerRunOptions: --memory 1g"
    (task,) = tasks_of(text)
    assert "userIdentity" not in task, "Batch's unprivileged task user"
    assert task["containerSettings"]["containerRunOptions"] == "--entrypoint /bin/sh --memory=1g"
    assert (task["requiredSlots"], task["constraints"]["maxTaskRetryCount"]) == (2, 0)


def test_an_allowed_failure_ends_nothing(tasks_of) -> None:
    first, _ = tasks_of("tasks: [{id: a, commands: [x], allowFailure: true}, {id: b, commands: [x]}]")
    assert first["exitConditions"]["default"] == {"jobAction": "none", "dependencyAction": "satisfy"}


def test_tasks_without_dependencies_wait_for_nothing(tasks_of) -> None:
    b, c = "{id: b, commands: [x], dependsOn: []}", "{id: c, commands: [x], dependsOn: [a, b]}"
    *_, last = tasks_of(f"tasks: [{{id: a, commands: [x]}}, {b}, {c}]")
    assert last["dependsOn"] == {"taskIds": ["1", "2"]}
