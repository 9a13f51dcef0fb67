"""Container tasks in a real container engine, with an image that no registry has."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from local.batch.node.cgroups import ROOT as CGROUPS
from local.batch.node.cgroups import make_cgroup, remove_cgroup
from local.batch.node.container import ContainerRun
from local.batch.node.container_engine import find_engine
from local.batch.node.pre_processing import PreProcessingError
from tests.local.batch.registry import PASSWORD, USER, serving
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

ROOT = models.UserIdentity(
    auto_user=models.AutoUserSpecification(scope="pool", elevation_level=models.ElevationLevel.ADMIN)
)
SHELL = "--entrypoint /bin/sh"


@pytest.fixture(scope="module")
def service(start_service, busybox):
    """A service that runs container tasks in containers."""
    assert busybox
    return start_service("--pool", "local:1:8", "--container-pool", "containers:1:8", "--containers")


@pytest.fixture
def engine(service) -> str:
    """The program of the engine that the service uses."""
    assert service
    return find_engine().program


@pytest.fixture
def in_container(busybox):
    """Properties of a task that runs in a container of the image."""

    def properties(options: str | None = None, image: str = busybox, **more) -> dict[str, object]:
        settings = models.BatchTaskContainerSettings(image_name=image, container_run_options=options, **more)
        return {"container_settings": settings}

    return properties


@pytest.fixture
def stdout(client, run_task):
    """Run a command and return what it printed."""

    def run(command_line: str, **more) -> str:
        task = run_task(command_line, **more)
        assert task.execution_info.failure_info is None, task.execution_info.failure_info
        return b"".join(client.download_task_file(task.url.split("/")[-3], "task", "stdout.txt")).decode()

    return run


@pytest.fixture
def start_task(client, new_job, in_container):
    """Start a task that prints `begun` from a shell in a container; return its job's id once it has."""

    def start(command_line: str, **more) -> str:
        job_id = new_job(pool_id="containers")
        spec = models.BatchTaskCreateOptions(id="1", command_line=command_line, **more, **in_container(SHELL))
        client.create_task(job_id, spec)
        wait_for(lambda: printed(client, job_id) == "begun\n")
        return job_id

    return start


def containers(engine: str) -> list[str]:
    names = subprocess.run(
        [engine, "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True, check=True
    )
    return [name for name in names.stdout.split() if name.startswith("batch-")]


class TestCommand:
    """What a container runs."""

    def test_it_runs_in_the_image(self, stdout, in_container):
        """Which has a file system of its own, and no shell around the command."""
        assert stdout("cat /etc/passwd", **in_container()).startswith("root:x:0:0::/:/bin/sh\nnobody")
        assert stdout("echo $HOME > x", **in_container()) == "$HOME > x\n"

    def test_an_entry_point_gets_it_as_arguments(self, stdout, in_container):
        """As with `docker create`."""
        assert stdout("-c 'echo $0 $1'", **in_container(SHELL)) == "/bin/sh\n"

    def test_a_command_line_may_be_empty(self, stdout, in_container):
        """The entry point runs alone then."""
        assert stdout("", **in_container("--entrypoint pwd")).endswith("/task/wd\n")

    def test_output_and_exit_code_are_the_program_s(self, client, run_task, in_container):
        """And the container is described as the engine has it."""
        task = run_task("-c 'echo out; echo err >&2; exit 7'", **in_container(SHELL))
        job_id, execution = task.url.split("/")[-3], task.execution_info
        files = {
            name: b"".join(client.download_task_file(job_id, "task", f"{name}.txt")) for name in ("stdout", "stderr")
        }
        assert files == {"stdout": b"out\n", "stderr": b"err\n"}
        assert (execution.exit_code, execution.failure_info.code) == (7, "FailureExitCode")
        assert (execution.container_info.state, execution.container_info.error) == ("exited", "")
        assert len(execution.container_info.container_id) == 64

    def test_its_variables_are_the_task_s_and_nothing_of_this_machine(self, stdout, in_container):
        """Whatever their values hold; Batch's are there, the run options' go over the task's."""
        values = {"ONE": "1", "LINES": "a\nb", "PATH": "/bin:/none", "QUOTED": "'\"$x", "OVER": "task"}
        settings = [models.EnvironmentSetting(name=name, value=value) for name, value in values.items()]
        command = '-c \'echo $ONE; echo "$LINES"; echo $PATH; echo "$QUOTED"; echo $OVER; env | wc -l; env\''
        printed = stdout(command, environment_settings=settings, **in_container(f"{SHELL} -e OVER=options"))
        assert printed.splitlines()[:6] == ["1", "a", "b", "/bin:/none", "'\"$x", "options"]
        names = {line.split("=")[0] for line in printed.splitlines()[7:] if "=" in line}
        assert {"AZ_BATCH_TASK_ID", "AZ_BATCH_NODE_ROOT_DIR"} <= names
        ours = {name for name in names if not name.startswith("AZ_BATCH_")} - set(values)
        assert ours <= {"HOME", "HOSTNAME", "PWD", "SHLVL", "container", "TERM"}

    def test_values_are_on_no_command_line(self, start_task, client):
        """A secret in a variable is seen neither in the engine's arguments nor in the service's."""
        secret = uuid.uuid4().hex
        settings = [models.EnvironmentSetting(name="TOKEN", value=secret)]
        job_id = start_task("-c 'echo begun; sleep 1000'", environment_settings=settings)
        arguments = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        client.terminate_task(job_id, "1")
        assert "sleep 1000" in arguments
        assert secret not in arguments

    def test_other_run_options_reach_the_engine(self, run_task, in_container):
        """A file system that is read-only cannot be written, not even by root."""
        settings = in_container(f"{SHELL} --read-only --hostname batch")
        assert run_task("-c '! touch /x && test $(hostname) = batch'", **settings).execution_info.exit_code == 0


class TestUser:
    """Who a task is in its container."""

    def test_an_administrator_of_the_pool_is_root(self, stdout, in_container):
        """So is whoever the run options say."""
        assert stdout("id -u", user_identity=ROOT, **in_container()) == "0\n"
        assert stdout("id -u", **in_container("--user 0:0")) == "0\n"
        assert stdout("id -u", **in_container("--user 1234")) == "1234\n"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
    def test_others_are_not(self, stdout, in_container):
        """They can write their working directory all the same."""
        assert stdout("-c 'id -u; touch made; ls'", **in_container(SHELL)) == "65534\nmade\n"


class TestDirectories:
    """What a container sees of its node."""

    LOOK = "-c 'test -d $AZ_BATCH_NODE_SHARED_DIR && echo shared; test -e $AZ_BATCH_TASK_DIR/stdout.txt && echo task'"

    def test_it_sees_the_whole_node(self, stdout, in_container):
        """Under the node's own paths."""
        assert stdout(self.LOOK, **in_container(SHELL)) == "shared\ntask\n"

    @pytest.mark.parametrize(("sources", "seen"), [(["Task"], "task\n"), (["Task", "Shared"], "shared\ntask\n")])
    def test_or_the_parts_that_it_names(self, stdout, in_container, sources, seen):
        """With containerHostBatchBindMounts."""
        mounts = [models.ContainerHostBatchBindMountEntry(source=source, is_read_only=False) for source in sources]
        assert stdout(self.LOOK, **in_container(SHELL, container_host_batch_bind_mounts=mounts)) == seen

    def test_nothing_if_it_names_none(self, stdout, in_container):
        """An empty list is not no list; the working directory is then the container's own."""
        assert (
            stdout(f"{self.LOOK[:-1]}; echo end'", **in_container(SHELL, container_host_batch_bind_mounts=[]))
            == "end\n"
        )

    def test_a_part_may_be_read_only(self, run_task, in_container):
        """Not even root can write there."""
        mounts = [
            models.ContainerHostBatchBindMountEntry(source="Task", is_read_only=False),
            models.ContainerHostBatchBindMountEntry(source="Shared", is_read_only=True),
        ]
        command = "-c 'touch $AZ_BATCH_TASK_WORKING_DIR/x && ! touch $AZ_BATCH_NODE_SHARED_DIR/x'"
        settings = in_container(SHELL, container_host_batch_bind_mounts=mounts)
        assert run_task(command, user_identity=ROOT, **settings).execution_info.exit_code == 0

    def test_it_runs_in_the_working_directory(self, stdout, in_container):
        """Unless it asks for the image's own, or for another."""
        assert stdout("pwd", **in_container()).endswith("/task/wd\n")
        assert stdout("pwd", **in_container(working_directory="containerImageDefault")) == "/\n"
        assert stdout("pwd", **in_container("--workdir /etc --rm")) == "/etc\n"


class TestEnd:
    """No container outlives its task."""

    def test_ended_containers_are_removed(self, run_task, in_container, engine):
        """Whether they ended well or could not start."""
        run_task("true", **in_container())
        run_task("/none", **in_container())
        assert containers(engine) == []

    def test_terminating_a_task_kills_its_container(self, client, start_task, wait_completed, engine):
        """With everything in it, although it ignores friendly signals."""
        job_id = start_task("-c 'trap \"\" TERM; echo begun; sleep 1000'")
        client.terminate_task(job_id, "1")
        execution = wait_completed(job_id, "1").execution_info
        assert (execution.failure_info.code, execution.exit_code) == ("TaskEnded", 137)
        assert containers(engine) == []

    def test_a_node_that_dies_takes_its_containers_along(self, start_service, in_container, engine):
        """The task runs again once the node is back."""
        service = start_service("--container-pool", "local:1:2", "--containers")
        client = service.client()
        client.create_job(models.BatchJobCreateOptions(id="job", pool_info=models.BatchPoolInfo(pool_id="local")))
        spec = models.BatchTaskCreateOptions(id="1", command_line="sleep 1000", **in_container())
        client.create_task("job", spec)
        wait_for(lambda: len(containers(engine)) == 1)
        before = containers(engine)
        node_path = f"/_local/pools/local/nodes/{next(iter(client.list_nodes('local'))).id}"
        assert service.send("PUT", node_path, {"state": "unusable"})[0] == 204
        wait_for(lambda: containers(engine) == [])
        service.send("PUT", node_path, {"state": "idle"})
        wait_for(lambda: containers(engine) not in ([], before))
        service.child.stop()

    def test_the_task_of_a_container_that_somebody_removes_does_not_run_for_ever(
        self, start_task, wait_completed, engine
    ):
        """Removing it kills it first: it depends on the moment whether that is seen, or that it is gone."""
        job_id = start_task("-c 'echo begun; sleep 1000'")
        subprocess.run([engine, "rm", "--force", "--time", "0", *containers(engine)], capture_output=True, check=True)
        failure = wait_completed(job_id, "1").execution_info.failure_info
        assert failure.code in ("FailureExitCode", "ContainerMiscError")

    def test_a_container_that_is_gone_is_an_error_of_the_service(self, engine):
        """Nothing can be said of how it ended."""
        assert engine
        run = ContainerRun(find_engine(), command=None, settings=None)
        with pytest.raises(PreProcessingError) as error:
            asyncio.run(run.ended(directories=None))
        assert (error.value.failure.category, error.value.failure.code) == ("ServerError", "ContainerMiscError")

    def test_a_task_is_stopped_at_its_time_limit(self, run_task, in_container, engine):
        """As if it had been terminated."""
        constraints = models.BatchTaskConstraints(max_wall_clock_time="PT0.5S")
        execution = run_task("sleep 1000", constraints=constraints, **in_container()).execution_info
        assert (execution.failure_info.code, containers(engine)) == ("TaskEnded", [])

    @pytest.mark.parametrize("end", ["stop", "kill"])
    def test_they_do_not_outlive_the_service(self, start_service, in_container, engine, end):
        """After SIGTERM they are gone with it, after SIGKILL when the next one has started; the task runs again."""
        first = start_service("--container-pool", "local:1:2", "--containers")
        client = first.client()
        client.create_job(models.BatchJobCreateOptions(id="job", pool_info=models.BatchPoolInfo(pool_id="local")))
        command = "-c 'test -e begun && exit 0; touch begun; sleep 1000'"
        client.create_task("job", models.BatchTaskCreateOptions(id="1", command_line=command, **in_container(SHELL)))
        wait_for(lambda: bool(list(first.data_dir.glob("nodes/local/*/workitems/job/job-1/1/wd/begun"))))
        (name,) = containers(engine)
        assert bool(cgroups(name)) is find_engine().takes_cgroups
        getattr(first.child, end)()
        assert containers(engine) == ([name] if end == "kill" else [])
        client = start_service("--container-pool", "local:1:2", "--containers", data_dir=first.data_dir).client()
        wait_for(lambda: client.get_task("job", "1").state == "completed")
        assert (client.get_task("job", "1").execution_info.exit_code, containers(engine)) == (0, [])
        assert cgroups(name) == []


class TestStatistics:
    """What a task has used is what its container's cgroup has counted, compared with what `times` says in it."""

    BURN = "i=0; while [ $i -lt 800000 ]; do i=$((i+1)); done"
    SLACK = 0.25
    """Seconds of CPU time that it takes to start a container, and a process in it to end."""
    IO = frozenset({"readIOps", "writeIOps", "readIOGiB", "writeIOGiB"})

    @pytest.fixture(autouse=True)
    def takes_cgroups(self):
        """Other engines' containers have no statistics."""
        name = f"test-{uuid.uuid4().hex}"
        takes = find_engine().takes_cgroups and make_cgroup(name)
        remove_cgroup(name)
        if not takes:
            pytest.skip("This machine's engine takes no cgroups, or nobody but root may make some.")

    @pytest.fixture
    def measured(self, client, run_task, in_container):
        """Run a command in a shell; return what it has printed, and the task's statistics."""

        def run(command: str, options: str = SHELL, **more):
            task = run_task(f"-c '{command}'", **more, **in_container(options))
            job_id = task.url.split("/")[-3]
            statistics = client.get_task(job_id, "task", expand=["stats"]).task_statistics
            printed = b"".join(client.download_task_file(job_id, "task", "stdout.txt")).decode()
            return printed, statistics

        return run

    def assert_most(self, printed: str, statistics: models.BatchTaskStatistics, containers: int = 1) -> None:
        """Assert that it is what was printed, but for the kernel's ticks, and what comes with each container."""
        total = seconds(printed)
        assert total > self.SLACK
        assert total - 0.05 <= cpu_seconds(statistics) <= total + containers * self.SLACK

    def test_cpu_time_is_what_the_task_has_used(self, measured):
        """The user's, in a program that calls nothing."""
        printed, statistics = measured(f"{self.BURN}; times")
        self.assert_most(printed, statistics)
        assert statistics.user_cpu_time > 3 * statistics.kernel_cpu_time

    def test_processes_count_that_ended_before(self, measured):
        """Also if nobody waited for them."""
        printed, statistics = measured(f"mkfifo f; ( ({self.BURN}; times > f) & ); cat f")
        self.assert_most(printed, statistics)

    def test_processes_count_that_run_when_the_first_one_ends(self, measured):
        """They end with it."""
        printed, statistics = measured(f"mkfifo f; ({self.BURN}; times > f; sleep 1000) & cat f; times")
        self.assert_most(printed, statistics)

    def test_all_runs_count(self, measured):
        """A retry has a container of its own."""
        retries = models.BatchTaskConstraints(max_task_retry_count=1)
        printed, statistics = measured(f"{self.BURN}; times >> all; cat all; exit 1", constraints=retries)
        self.assert_most(printed, statistics, containers=2)

    def test_a_container_counts_that_its_time_limit_has_killed(self, measured):
        """Up to its last moment."""
        limit = models.BatchTaskConstraints(max_wall_clock_time="PT3S")
        forever = "while :; do i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done; times; done"
        printed, statistics = measured(forever, constraints=limit)
        last = max(printed.splitlines()[:-1], key=seconds)
        self.assert_most(last, statistics)

    def test_what_is_not_known_is_left_out(self, client, run_task, in_container):
        """Cgroups of version 1 do not know what was written: there is no zero."""
        url = run_task("true", **in_container()).url
        request = HttpRequest("GET", url, params={"api-version": "2025-06-01", "$expand": "stats"})
        answer = client.send_request(request).json()["stats"]
        required = {field._rest_name for field in models.BatchTaskStatistics._attr_to_rest_field.values()}
        if (CGROUPS / "cpuacct").is_dir():
            assert set(answer) == required - self.IO
        else:
            assert required - self.IO <= set(answer)

    @pytest.mark.parametrize("options", ["--cgroup-parent=/{own}", "--cgroup-parent /{own}", "--cgroups=no-conmon"])
    def test_a_task_may_have_the_cgroup_of_its_choice(self, measured, options):
        """Nothing is known of it then."""
        own = f"test-{uuid.uuid4().hex}"
        try:
            assert measured("times", f"{SHELL} {options.format(own=own)}")[1] is None
        finally:
            remove_cgroup(own)

    def test_a_container_that_could_not_start_has_none(self, client, run_task, in_container):
        """And leaves no cgroup."""
        before = cgroups("batch-*")
        job_id = run_task("/none", **in_container()).url.split("/")[-3]
        assert client.get_task(job_id, "task", expand=["stats"]).task_statistics is None
        assert set(cgroups("batch-*")) <= set(before)


def test_an_engine_whose_cgroups_are_systemd_s_runs_tasks_as_before(
    start_service, in_container, engine, tmp_path, monkeypatch
):
    """Without statistics."""
    other = tmp_path / engine
    other.write_text(
        f'#!/bin/sh\ncase $2 in --format) echo systemd $(hostname);; *) exec {shutil.which(engine)} "$@"; esac\n'
    )
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    service = start_service("--container-pool", "local:1:2", "--containers")
    client = service.client()
    client.create_job(models.BatchJobCreateOptions(id="job", pool_info=models.BatchPoolInfo(pool_id="local")))
    client.create_task("job", models.BatchTaskCreateOptions(id="1", command_line="true", **in_container()))
    wait_for(lambda: client.get_task("job", "1").state == "completed")
    task = client.get_task("job", "1", expand=["stats"])
    assert (task.execution_info.exit_code, task.task_statistics) == (0, None)
    service.child.stop()


def cgroups(name: str) -> list[Path]:
    return [*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")]


def cpu_seconds(statistics: models.BatchTaskStatistics) -> float:
    return (statistics.user_cpu_time + statistics.kernel_cpu_time).total_seconds()


def seconds(printed: str) -> float:
    """Add up what `times` has printed, such as `0m0.320s 0m0.010s`."""
    return sum(60 * int(minutes) + float(rest) for minutes, rest in re.findall(r"(\d+)m([\d.]+)s", printed))


class TestFailures:
    """What cannot run says so as the service does, and is not retried."""

    RETRIES = models.BatchTaskConstraints(max_task_retry_count=3)

    def test_an_image_that_cannot_be_pulled(self, run_task, in_container):
        """ContainerInvalidImage, with the image and what the engine said."""
        image = "127.0.0.1:1/none:1"
        execution = run_task("true", constraints=self.RETRIES, **in_container(image=image)).execution_info
        failure = execution.failure_info
        assert (execution.exit_code, execution.retry_count) == (None, 0)
        assert (failure.category, failure.code) == ("UserError", "ContainerInvalidImage")
        assert failure.message == "One or more container images specified are invalid"
        details = {detail.name: detail.value for detail in failure.details}
        assert details["ContainerImage"] == image
        assert "127.0.0.1:1" in details["Message"]

    @pytest.mark.parametrize(
        ("options", "command", "said"),
        [
            ("--no-such-option", "true", "no-such-option"),
            ("--memory nonsense", "true", "nonsense"),
            ("--entrypoint /none", "true", "/none"),
            (None, "/none", "/none"),
        ],
    )
    def test_a_container_that_cannot_be_made(self, run_task, in_container, options, command, said):
        """ContainerInvalidSettings, with what the engine said."""
        execution = run_task(command, constraints=self.RETRIES, **in_container(options)).execution_info
        failure = execution.failure_info
        assert (execution.exit_code, failure.code) == (None, "ContainerInvalidSettings")
        assert failure.message == "At least one value of specified task container settings is invalid"
        assert said in {detail.name: detail.value for detail in failure.details}["Message"]


@pytest.fixture(scope="module")
def server(busybox):
    """A registry on loopback that has the image."""
    engine = find_engine().program
    command = [engine, "run", "--rm", "--network=none", busybox, "tar", "-c", "bin", "etc", "tmp"]
    layer = subprocess.run(command, capture_output=True, check=True).stdout
    with serving(layer) as address:
        yield address


class TestRegistry:
    """Images that only those get who know the password of their registry."""

    def registry(self, server: str, password: str = PASSWORD) -> models.ContainerRegistryReference:
        """The registry as a task or a pool names it."""
        return models.ContainerRegistryReference(registry_server=server, username=USER, password=password)

    def test_a_task_may_bring_the_password(self, stdout, in_container, server):
        """The image is pulled with it."""
        settings = in_container(image=f"{server}/private/busybox:1", registry=self.registry(server))
        assert stdout("echo pulled", **settings) == "pulled\n"

    @pytest.mark.parametrize("password", [None, "wrong"])
    def test_others_do_not_get_it(self, run_task, in_container, server, password):
        """ContainerInvalidImage, as the service says of images that it may not pull."""
        registry = self.registry(server, password) if password else None
        failure = run_task("true", **in_container(image=f"{server}/{password}/busybox:1", registry=registry))
        assert failure.execution_info.failure_info.code == "ContainerInvalidImage"

    def test_a_pool_may_bring_it_for_all_its_tasks(
        self, client, new_job, in_container, wait_completed, server, container_machine
    ):
        """Its registries serve tasks that name none; its other tasks need container settings too."""
        container_machine.container_configuration.container_registries = [self.registry(server)]
        spec = {"vm_size": "Standard_D2s_v5", "virtual_machine_configuration": container_machine}
        client.create_pool(models.BatchPoolCreateOptions(id="registry", target_dedicated_nodes=1, **spec))
        job_id = new_job(pool_id="registry")
        own = in_container(image=f"{server}/pool/busybox:1")
        client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line="true", **own))
        client.create_task(job_id, models.BatchTaskCreateOptions(id="2", command_line="true"))
        assert wait_completed(job_id, "1").execution_info.exit_code == 0
        failure = wait_completed(job_id, "2").execution_info.failure_info
        assert failure.code == "ContainerTaskSettingsNotFound"
        shown = client.get_pool("registry").virtual_machine_configuration.container_configuration
        assert (shown.container_registries[0].username, shown.container_registries[0].password) == (USER, None)


def printed(client, job_id: str) -> str:
    try:
        return b"".join(client.download_task_file(job_id, "1", "stdout.txt")).decode()
    except HttpResponseError:
        return ""
