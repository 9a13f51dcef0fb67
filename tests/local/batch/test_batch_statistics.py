"""Statistics of tasks: what their processes really used, compared with what those say of themselves."""

from __future__ import annotations

import json
import re

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from local.batch.__main__ import main
from tests.local.batch.one_job import add_task, create_job, stdout_of

pytestmark = pytest.mark.sampled

GIB = 2**30
MIB = 2**20
BURN = """
def used():
    import resource
    return [sum(each) for each in zip(*(resource.getrusage(who)[:2] for who in (0, -1)))]

def burn(seconds=0.5):
    while sum(used()) < seconds:
        sum(range(10_000))
"""
"""What a task's program begins with; `used` is its CPU time, user and kernel, with that of children it waited for."""
ADMIN = models.UserIdentity(auto_user=models.AutoUserSpecification(elevation_level=models.ElevationLevel.ADMIN))
"""Who runs Python where the service runs as root: its Python may lie where no other user can enter."""
SLACK = 0.25
"""Seconds of CPU time that a process needs at most to end, and to be started by another."""


@pytest.fixture
def run_python(client, run_task):
    """Run a Python program as a task; return what it printed, as JSON, and its statistics."""

    def run(program: str):
        task = run_task(command_of(program), user_identity=ADMIN)
        assert task.execution_info.failure_info is None, task.execution_info.failure_info
        job_id = task.url.split("/")[-3]
        printed = b"".join(client.download_task_file(job_id, "task", "stdout.txt"))
        return json.loads(printed), client.get_task(job_id, "task", expand=["stats"]).task_statistics

    return run


def command_of(program: str) -> str:
    """Return the command line that runs a program in Python."""
    quoted = program.replace("\\", "\\\\").replace('"', '\\"')
    return f'python -c "{quoted}"'


def cpu_seconds(statistics) -> float:
    return (statistics.user_cpu_time + statistics.kernel_cpu_time).total_seconds()


class TestCpuTime:
    """Of all the processes of a task."""

    def test_it_is_what_the_task_has_used(self, run_python):
        """User and kernel time apart, up to what the process needed to end."""
        (user, kernel), statistics = run_python(
            BURN + "import json, os\nburn()\nfor _ in range(100_000): os.stat('/')\nprint(json.dumps(used()))"
        )
        assert user + kernel >= 0.5
        assert user <= statistics.user_cpu_time.total_seconds() <= user + SLACK
        assert kernel <= statistics.kernel_cpu_time.total_seconds() <= kernel + SLACK

    def test_processes_that_the_task_has_waited_for_count(self, run_python):
        """Also those that they have waited for."""
        child = BURN + "import os\nif os.fork() == 0:\n    burn()\n    os._exit(0)\nos.wait()"
        total, statistics = run_python(
            BURN + f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])\nprint(sum(used()))"
        )
        assert 0.5 <= total <= cpu_seconds(statistics) <= total + SLACK

    def test_processes_count_that_run_when_the_first_one_ends(self, run_python):
        """They end with it, and nobody waits for them."""
        child = BURN + "import os, time\nburn()\nprint(sum(used()), flush=True)\nos.close(1)\ntime.sleep(1000)"
        total, statistics = run_python(
            "import subprocess, sys\n"
            f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE, text=True)\n"
            "print(child.stdout.read())"
        )
        assert 0.5 <= total <= cpu_seconds(statistics) + 0.02  # the kernel's ticks of 10 ms
        assert cpu_seconds(statistics) <= total + SLACK

    def test_processes_of_a_task_that_is_stopped_count(self, client, new_job, wait_until, wait_completed):
        """The first one, and those that it was waiting for."""
        job_id = new_job()
        child = BURN + "import time\nburn()\nprint(sum(used()), flush=True)\ntime.sleep(1000)"
        program = BURN + f"import subprocess, sys\nburn()\nsubprocess.run([sys.executable, '-c', {child!r}])"
        spec = {"command_line": command_of(program), "user_identity": ADMIN}
        client.create_task(job_id, models.BatchTaskCreateOptions(id="task", **spec))
        wait_until(lambda: printed(client, job_id).endswith("\n"))
        client.terminate_task(job_id, "task")
        assert wait_completed(job_id, "task").execution_info.failure_info.code == "TaskEnded"
        statistics = client.get_task(job_id, "task", expand=["stats"]).task_statistics
        total = 0.5 + float(printed(client, job_id))
        assert total <= cpu_seconds(statistics) + 0.02
        assert cpu_seconds(statistics) <= total + 2 * SLACK


def printed(client, job_id: str) -> str:
    try:
        return b"".join(client.download_task_file(job_id, "task", "stdout.txt")).decode()
    except HttpResponseError:
        return ""


class TestFiles:
    """What a task has read and written; `/proc` tells the task itself the same."""

    OWN = (
        "import json\ndef own(): return dict(line.split(': ') for line in open('/proc/self/io').read().splitlines())\n"
    )

    def test_what_was_written_is_what_the_kernel_counted(self, run_python):
        """In bytes, where the file is on a disk, and in calls."""
        own, statistics = run_python(
            self.OWN
            + "import os\nwith open('file', 'wb', buffering=0) as file:\n"
            + f"    for _ in range(20): file.write(bytes({MIB}))\n"
            + "    os.fsync(file)\nprint(json.dumps(own()))"
        )
        written = statistics.write_io_gib * GIB
        assert int(own["write_bytes"]) <= written <= int(own["write_bytes"]) + MIB
        assert 20 <= int(own["syscw"]) <= statistics.write_iops <= int(own["syscw"]) + 10

    def test_what_was_read_is_what_the_kernel_counted(self, run_python):
        """What a cache had is no reading from the disk, but it is an operation."""
        own, statistics = run_python(
            self.OWN
            + f"import os\nwith open('file', 'wb') as file: file.write(bytes(20 * {MIB})); os.fsync(file)\n"
            + "with open('file', 'rb', buffering=0) as file:\n"
            + "    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)\n"
            + f"    while file.read({MIB}): pass\n"
            + "print(json.dumps(own()))"
        )
        read = statistics.read_io_gib * GIB
        assert int(own["read_bytes"]) <= read <= int(own["read_bytes"]) + MIB
        assert 20 <= int(own["syscr"]) <= statistics.read_iops <= int(own["syscr"]) + 10


class TestAnswers:
    """When a task has statistics, and how they look."""

    @pytest.fixture
    def job_id(self, run_task) -> str:
        """A job whose task `task` has ended."""
        return run_task("true").url.split("/")[-3]

    def test_they_must_be_asked_for(self, either_client, job_id):
        """As a property to expand, and to select where properties are selected; of one task, and of all in a list."""

        def answered(**options) -> list[bool]:
            tasks = [either_client.get_task(job_id, "task", **options), *either_client.list_tasks(job_id, **options)]
            return [task.task_statistics is not None for task in tasks]

        assert answered(expand=["stats"]) == [True, True]
        assert answered(expand=["stats"], select=["id", "stats"]) == [True, True]
        assert answered(expand=["stats"], select=["id"]) == [False, False]
        assert answered(select=["id", "stats"]) == [False, False]
        assert answered() == [False, False]

    def test_they_tell_when_the_task_ran(self, client, job_id):
        """And how long it had waited."""
        task = client.get_task(job_id, "task", expand=["stats"])
        statistics, execution = task.task_statistics, task.execution_info
        assert (statistics.start_time, statistics.last_update_time) == (execution.start_time, execution.end_time)
        assert statistics.wait_time == execution.start_time - task.creation_time
        assert abs((statistics.wall_clock_time - (execution.end_time - execution.start_time)).total_seconds()) < 0.1
        assert statistics.url == f"{task.url}/stats"

    def test_they_are_spelled_as_specified(self, client, job_id):
        """Durations in ISO 8601, 64-bit integers as text, gibibytes as numbers; each is required."""
        request = HttpRequest(
            "GET", f"/jobs/{job_id}/tasks/task", params={"api-version": "2025-06-01", "$expand": "stats"}
        )
        answer = client.send_request(request).json()["stats"]
        required = {field._rest_name for field in models.BatchTaskStatistics._attr_to_rest_field.values()}
        assert set(answer) == required
        for name in ("userCPUTime", "kernelCPUTime", "wallClockTime", "waitTime"):
            assert re.fullmatch(r"PT(\d+M)?[\d.]+S", answer[name])
        assert all(re.fullmatch(r"\d+", answer[name]) for name in ("readIOps", "writeIOps"))
        assert all(isinstance(answer[name], float) for name in ("readIOGiB", "writeIOGiB"))

    def test_a_task_that_has_not_ended_has_none(self, client, new_job, wait_until):
        """Nor has one that waits."""
        job_id = new_job()
        client.create_task(job_id, models.BatchTaskCreateOptions(id="task", command_line="sleep 1000"))
        wait_until(lambda: client.get_task(job_id, "task").state == "running")
        assert client.get_task(job_id, "task", expand=["stats"]).task_statistics is None
        client.terminate_task(job_id, "task")

    def test_a_container_task_that_runs_as_processes_has_some(self, client, run_task):
        """Like any other."""
        settings = models.BatchTaskContainerSettings(image_name="busybox")
        job_id = run_task("true", container_settings=settings).url.split("/")[-3]
        assert client.get_task(job_id, "task", expand=["stats"]).task_statistics is not None

    def test_a_task_whose_command_never_ran_has_none(self, client, run_task):
        """Nothing is known of it, which is not zero."""
        job_id = run_task("/no/such/program").url.split("/")[-3]
        assert client.get_task(job_id, "task", expand=["stats"]).task_statistics is None

    def test_jobs_and_pools_have_none(self, client, job_id):
        """Asking is no error."""
        assert client.get_job(job_id, expand=["stats"]).job_statistics is None
        assert all(job.job_statistics is None for job in client.list_jobs(expand=["stats"]))
        assert client.get_pool("local", expand=["stats"]).pool_statistics is None
        assert all(pool.pool_statistics is None for pool in client.list_pools(expand=["stats"]))

    def test_asking_is_no_further_call(self, service, client, job_id):
        """Requests are counted as without."""
        service.send("DELETE", "/_local/requests")
        list(client.list_tasks(job_id, expand=["stats"], select=["id", "stats"]))
        assert service.send("GET", "/_local/requests") == (200, {"Tasks_ListTasks": 1})


class TestDelay:
    """Statistics may come late, or never, for tasks that have ended already too."""

    @pytest.fixture
    def delay(self, service):
        """Set the delay, and end it after the test."""

        def set_delay(value: object) -> None:
            assert service.send("PATCH", "/_local/settings", {"statisticsDelaySeconds": value})[0] == 204
            assert service.send("GET", "/_local/settings")[1]["statisticsDelaySeconds"] == value

        yield set_delay
        set_delay(0)

    @pytest.mark.parametrize("value", ["never", 600])
    def test_there_may_be_none_yet(self, client, run_task, delay, value):
        """And there are at once when the delay ends."""
        job_id = run_task("true").url.split("/")[-3]
        delay(value)
        assert client.get_task(job_id, "task", expand=["stats"]).task_statistics is None
        assert [task.task_statistics for task in client.list_tasks(job_id, expand=["stats"])] == [None]
        delay(0)
        assert client.get_task(job_id, "task", expand=["stats"]).task_statistics is not None

    @pytest.mark.parametrize("value", [-1, "soon", []])
    def test_what_is_no_delay_is_refused(self, service, value):
        """With what is wrong."""
        status, answer = service.send("PATCH", "/_local/settings", {"statisticsDelaySeconds": value})
        assert (status, answer["errors"][0]["loc"][0]) == (400, "statisticsDelaySeconds")

    @pytest.mark.parametrize(("option", "value"), [("2.5", 2.5), ("never", "never")])
    def test_the_service_may_start_with_it(self, start_service, option, value):
        """As an option."""
        settings = start_service("--statistics-delay", option).send("GET", "/_local/settings")[1]
        assert settings["statisticsDelaySeconds"] == value

    @pytest.mark.parametrize("option", ["-1", "soon", "nan", "inf"])
    def test_an_option_that_is_no_delay_is_refused(self, capsys, option):
        """With its name."""
        with pytest.raises(SystemExit):
            main([f"--statistics-delay={option}"])
        assert "argument --statistics-delay: " in capsys.readouterr().err


def test_they_survive_a_restart(start_service, wait_until):
    """Of what had ended; what a run had used that was under way is not known, and so is the whole."""
    first = start_service("--pool", "local:1:2")
    client = first.client()
    create_job(client)
    add_task(client, "done", "true")
    add_task(client, "runs", "/bin/sh -c 'test -e again && exit; touch again; echo begun; sleep 1000'")
    wait_until(lambda: client.get_task("job", "done").state == "completed")
    wait_until(lambda: stdout_of(client, "runs") == "begun\n")
    before = client.get_task("job", "done", expand=["stats"]).task_statistics
    first.child.stop()
    client = start_service("--pool", "local:1:2", data_dir=first.data_dir).client()
    after = client.get_task("job", "done", expand=["stats"]).task_statistics
    assert {**after, "url": ""} == {**before, "url": ""}
    wait_until(lambda: client.get_task("job", "runs").state == "completed")
    assert client.get_task("job", "runs", expand=["stats"]).task_statistics is None
