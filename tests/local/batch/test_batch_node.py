"""What a node does with a task's command, run for real."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from local.batch.node.process import ProcessGroup


def in_container(options: str | None = None, **more) -> dict[str, object]:
    settings = models.BatchTaskContainerSettings(image_name="image", container_run_options=options, **more)
    return {"container_settings": settings}


def auto_user(elevation_level: str) -> models.UserIdentity:
    return models.UserIdentity(auto_user=models.AutoUserSpecification(elevation_level=elevation_level))


@pytest.fixture
def stdout(client, run_task):
    """Run a command and return what it printed."""

    def run(command_line: str, **more) -> str:
        task = run_task(command_line, **more)
        job_id = task.url.split("/")[-3]
        return b"".join(client.download_task_file(job_id, "task", "stdout.txt")).decode()

    return run


class TestCommand:
    """How a command line is executed."""

    def test_no_shell_sees_it(self, stdout):
        """It is split at spaces and quotes; variables and operators are plain text."""
        assert stdout("""echo 'a  b' "$HOME" > x | y""") == "a  b $HOME > x | y\n"

    def test_a_container_s_entry_point_gets_it_as_arguments(self, stdout):
        """Without one in the run options, the command line is the command."""
        assert stdout("-c 'echo $0'", **in_container("--entrypoint /bin/sh --user 0:0 --memory 1g")) == "/bin/sh\n"
        assert stdout("echo alone", **in_container()) == "alone\n"

    def test_a_container_gets_the_variables_of_its_run_options(self, stdout):
        """With -e and --env, over those of the task."""
        options = in_container("--env ONE=1 -e 'TWO=2 3' --entrypoint=/bin/sh")
        setting = models.EnvironmentSetting(name="ONE", value="task")
        assert stdout("-c 'echo $ONE $TWO'", environment_settings=[setting], **options) == "1 2 3\n"

    def test_it_runs_in_the_working_directory(self, stdout):
        """Also in a container, unless it asks for the image's own."""
        assert stdout("pwd").endswith("/task/wd\n")
        assert stdout("pwd", **in_container()).endswith("/task/wd\n")
        assert stdout("pwd", **in_container(working_directory="containerImageDefault")) == "/\n"

    def test_python_is_the_one_of_the_service(self, stdout):
        """So that tasks find its packages."""
        python = Path(sys.executable).parent / "python"
        command = "python -c 'import sys; print(sys.executable)'"
        assert stdout(command, user_identity=auto_user("admin")) == f"{python}\n"

    @pytest.mark.parametrize(
        ("command_line", "exit_code", "code"),
        [
            ("/bin/sh -c 'exit 7'", 7, "FailureExitCode"),
            ("/bin/sh -c 'kill -9 $$'", 137, "FailureExitCode"),
            ("/no/such/program", None, "CommandProgramNotFound"),
            ("/etc/passwd", None, "CommandLaunchFailed"),
            ("echo 'unclosed", None, "CommandLaunchFailed"),
        ],
    )
    def test_a_failure_says_what_it_was(self, run_task, command_line, exit_code, code):
        """Exit codes as they are, 128 plus the signal's number for signals; no exit code if nothing ran."""
        execution = run_task(command_line).execution_info
        assert (execution.exit_code, execution.failure_info.code) == (exit_code, code)
        assert (execution.result, execution.failure_info.category) == ("failure", "UserError")

    def test_run_options_that_cannot_be_read_are_the_user_s_fault(self, run_task):
        """As a container engine would refuse them."""
        execution = run_task("true", **in_container("--entrypoint")).execution_info
        assert execution.failure_info.code == "ContainerInvalidSettings"

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ("--user 99999999999", "ContainerInvalidSettings"),
            ("--workdir /none", "CommandProgramNotFound"),
        ],
    )
    def test_run_options_that_nothing_comes_of_are_a_failure(self, run_task, options, code):
        """Not the end of the node."""
        execution = run_task("true", **in_container(options)).execution_info
        assert execution.failure_info.code == code

    def test_an_image_s_own_entry_point_needs_an_engine(self, run_task):
        """An empty command line asks for it, and only a container may have one."""
        failure = run_task("", **in_container()).execution_info.failure_info
        assert failure.code == "CommandLaunchFailed"
        assert "--containers" in failure.details[0].value
        with pytest.raises(HttpResponseError) as refusal:
            run_task("")
        assert refusal.value.error.code == "InvalidPropertyValue"

    def test_a_container_is_told_of(self, run_task):
        """Only for container tasks."""
        assert run_task("true", **in_container()).execution_info.container_info.container_id
        assert run_task("true").execution_info.container_info is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
class TestUser:
    """Who a task is when the service runs as root."""

    def test_it_is_nobody_unless_it_is_an_administrator(self, stdout):
        """As on a node, where it is Batch's own unprivileged user."""
        assert stdout("id -un") == "nobody\n"
        assert stdout("id -un", user_identity=auto_user("nonadmin")) == "nobody\n"
        assert stdout("id -un", user_identity=auto_user("admin")) == "root\n"

    def test_its_files_are_its_own(self, stdout):
        """It writes into its working directory and the shared one, and nowhere else on the node."""
        writes = "touch x $AZ_BATCH_NODE_SHARED_DIR/x && ! touch $AZ_BATCH_NODE_ROOT_DIR/x 2>/dev/null"
        assert stdout(f"/bin/sh -c '{writes}; stat -c %U . x'") == "nobody\nnobody\n"

    def test_a_container_s_user_is_the_one_of_its_run_options(self, stdout):
        """Numbers and root; other names are known to the image only."""
        assert stdout("id -u", **in_container("--user 0:0")) == "0\n"
        assert stdout("id -u", **in_container("-u 1234")) == "1234\n"
        assert stdout("id -u", **in_container("--user app")) == "65534\n"

    def test_a_directory_that_it_cannot_enter_is_named(self, start_service, new_data_dir, wait_until):
        """With what to do about it."""
        closed = new_data_dir()
        service = start_service(data_dir=closed)
        closed.chmod(0o700)
        client = service.client()
        client.create_job(models.BatchJobCreateOptions(id="job", pool_info=models.BatchPoolInfo(pool_id="local")))
        client.create_task("job", models.BatchTaskCreateOptions(id="1", command_line="true"))
        wait_until(lambda: client.get_task("job", "1").state == "completed")
        failure = client.get_task("job", "1").execution_info.failure_info
        assert failure.code == "CommandLaunchFailed"
        assert f"chmod o+x {closed}" in failure.details[0].value


class TestEnvironment:
    """What a task finds in its environment."""

    def test_batch_s_variables(self, stdout, client):
        """They name the task's place in the account and its directories."""
        lines = stdout("env").splitlines()
        variables = dict(line.split("=", 1) for line in lines)
        node = next(iter(client.list_nodes("local")))
        assert variables["AZ_BATCH_NODE_ID"] == node.id
        assert variables["AZ_BATCH_POOL_ID"] == "local"
        assert variables["AZ_BATCH_TASK_ID"] == "task"
        assert variables["AZ_BATCH_ACCOUNT_NAME"] == "devbatchaccount1"
        directory = f"{variables['AZ_BATCH_NODE_ROOT_DIR']}/workitems/{variables['AZ_BATCH_JOB_ID']}/job-1/task"
        assert variables["AZ_BATCH_TASK_DIR"] == directory
        assert variables["AZ_BATCH_TASK_WORKING_DIR"] == variables["HOME"] == f"{directory}/wd"

    def test_all_that_are_documented(self, stdout):
        """For a task that is neither one of several instances nor has application packages."""
        names = {line.split("=")[0] for line in stdout("env").splitlines() if line.startswith("AZ_BATCH_")}
        assert names == {
            "AZ_BATCH_ACCOUNT_NAME",
            "AZ_BATCH_ACCOUNT_URL",
            "AZ_BATCH_CERTIFICATES_DIR",
            "AZ_BATCH_JOB_ID",
            "AZ_BATCH_NODE_ID",
            "AZ_BATCH_NODE_IS_DEDICATED",
            "AZ_BATCH_NODE_MOUNTS_DIR",
            "AZ_BATCH_NODE_ROOT_DIR",
            "AZ_BATCH_NODE_SHARED_DIR",
            "AZ_BATCH_NODE_STARTUP_DIR",
            "AZ_BATCH_POOL_ID",
            "AZ_BATCH_TASK_DIR",
            "AZ_BATCH_TASK_ID",
            "AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES",
            "AZ_BATCH_TASK_WORKING_DIR",
        }

    def test_directories_are_there(self, stdout):
        """All that variables name."""
        command = "/bin/sh -c 'for d in $(env | grep _DIR= | cut -d= -f2); do test -d $d || echo $d; done'"
        assert stdout(command) == ""

    def test_nothing_else_of_this_machine(self, stdout):
        """Only the basics leak in."""
        lines = stdout("env").splitlines()
        ours = {name for name in (line.split("=")[0] for line in lines) if not name.startswith("AZ_BATCH_")}
        assert ours <= {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ"}
        assert set(os.environ) - ours

    def test_the_task_s_settings_go_over_the_job_s(self, client, new_job, wait_completed):
        """Both are there otherwise."""
        setting = models.EnvironmentSetting
        job_id = new_job(common_environment_settings=[setting(name="A", value="job"), setting(name="B", value="job")])
        own = [setting(name="A", value="task")]
        command = "/bin/sh -c 'echo $A $B'"
        client.create_task(
            job_id, models.BatchTaskCreateOptions(id="1", command_line=command, environment_settings=own)
        )
        wait_completed(job_id, "1")
        assert b"".join(client.download_task_file(job_id, "1", "stdout.txt")) == b"task job\n"


class TestProcesses:
    """A task's processes end together."""

    def test_what_a_command_leaves_behind_is_ended(self, stdout, is_alive):
        """Its exit ends its whole group."""
        process_id = int(stdout("/bin/sh -c 'sleep 1000 & echo $!'"))
        assert not is_alive(process_id)

    def test_terminating_a_task_ends_its_whole_group(self, client, new_job, wait_completed, wait_until, is_alive):
        """Children too, although they ignore friendly signals."""
        job_id = new_job()
        command = """/bin/sh -c 'trap "" TERM; sleep 1000 & echo $!; wait'"""
        client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line=command))
        wait_until(lambda: printed(client, job_id, "1").endswith("\n"))
        client.terminate_task(job_id, "1")
        execution = wait_completed(job_id, "1").execution_info
        assert (execution.failure_info.code, execution.exit_code) == ("TaskEnded", 137)
        assert not is_alive(int(printed(client, job_id, "1")))

    def test_none_of_the_group_is_left_when_it_has_ended(self, is_alive, tmp_path):
        """A process that was killed still holds its files and ports for a moment, which is waited for."""

        async def wait(leader: subprocess.Popen) -> int:
            return await ProcessGroup(leader, tmp_path).wait()

        command = ["/bin/sh", "-c", "for i in $(seq 30); do sleep 1000 & echo $!; done"]
        for _ in range(5):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as leader:
                children = [int(leader.stdout.readline()) for _ in range(30)]
                assert asyncio.run(wait(leader)) == 0
                assert [child for child in children if is_alive(child)] == []

    @pytest.mark.parametrize(
        "daemon",
        [
            "setsid {sleep}",
            "setsid -f {sleep}",
            "setsid setsid -f {sleep}",
            "(setsid nohup {sleep} > /dev/null 2>&1 < /dev/null &)",
            "(cd / && setsid -f {sleep})",
            "setsid sh -c 'trap \"\" TERM HUP; env -i {sleep}; :'",
        ],
    )
    @pytest.mark.parametrize("ending", ["ends", "is terminated"])
    def test_a_process_that_has_left_the_group_does_not_outlive_its_task(
        self, client, new_job, wait_completed, wait_until, is_alive, tmp_path, daemon, ending
    ):
        """Daemons end with the container on a node, however they were started; those of other tasks go on."""
        pids, job_id = tmp_path / "pids", new_job()
        script = tmp_path / "script.sh"
        end = {"ends": "exit 0", "is terminated": "echo started; sleep 1000"}[ending]
        script.write_text(
            f"{daemon.format(sleep=f'sh {tmp_path}/sleep.sh')} &\nwhile [ ! -s {pids} ]; do sleep 0.01; done\n{end}\n"
        )
        (tmp_path / "sleep.sh").write_text(f"echo $$ >> {pids}; exec /bin/sleep 1000\n")
        other = tmp_path / "other"
        for task_id, command in (("other", f"echo $$ > {other}; exec sleep 1000"), ("1", f"sh {script}")):
            created = models.BatchTaskCreateOptions(
                id=task_id, command_line=f"/bin/sh -c '{command}'", user_identity=auto_user("admin")
            )
            client.create_task(job_id, created)
            wait_until(lambda: other.exists() and other.read_text())
        if ending == "is terminated":
            wait_until(lambda: printed(client, job_id, "1") == "started\n")
            client.terminate_task(job_id, "1")
        wait_completed(job_id, "1")
        assert not is_alive(int(pids.read_text()))
        assert is_alive(int(other.read_text()))
        client.terminate_task(job_id, "other")

    def test_a_task_is_stopped_at_its_time_limit(self, run_task):
        """As if it had been terminated."""
        constraints = models.BatchTaskConstraints(max_wall_clock_time="PT0.2S")
        execution = run_task("sleep 1000", constraints=constraints).execution_info
        assert execution.failure_info.code == "TaskEnded"

    def test_a_retry_finds_what_the_first_try_left(self, run_task):
        """The working directory is kept."""
        constraints = models.BatchTaskConstraints(max_task_retry_count=1)
        task = run_task("/bin/sh -c 'test -e left || { touch left; exit 1; }'", constraints=constraints)
        assert (task.execution_info.exit_code, task.execution_info.retry_count) == (0, 1)


class TestTemporaryLinks:
    """Links in /tmp go with the task whose files they point to, as those in a container's own would."""

    def test_links_into_a_task_s_directory_go_when_it_is_killed(
        self, client, new_job, wait_completed, wait_until, temporary_link
    ):
        """To the directory itself or below it, whether or not anything is there."""
        links = [temporary_link, temporary_link.with_suffix(".below")]
        job_id = new_job()
        command = f"/bin/sh -c 'ln -s $PWD {links[0]}; ln -s $PWD/none {links[1]}; echo linked; sleep 1000'"
        client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line=command))
        wait_until(lambda: printed(client, job_id, "1").endswith("\n"))
        assert all(link.is_symlink() for link in links)
        client.terminate_task(job_id, "1")
        wait_completed(job_id, "1")
        assert not any(link.is_symlink() for link in links)

    @pytest.mark.parametrize(
        "made", ["ln -s {tmp_path} {link}", "ln -s ${{PWD}}2 {link}", "touch {link}", "ln -s {link} {link}"]
    )
    def test_everything_else_stays(self, run_task, temporary_link, tmp_path, made):
        """Links to elsewhere and to nowhere, siblings of the task's directory, and files."""
        command = made.format(link=temporary_link, tmp_path=tmp_path)
        assert run_task(f"/bin/sh -c 'cd ..; {command}'").execution_info.exit_code == 0
        assert os.path.lexists(temporary_link)

    def test_what_a_link_points_to_stays(self, client, run_task, temporary_link):
        """Only the link is removed."""
        task = run_task(f"/bin/sh -c 'echo data > file; ln -s $PWD/file {temporary_link}'")
        assert not temporary_link.is_symlink()
        assert b"".join(client.download_task_file(task.url.split("/")[-3], "task", "wd/file")) == b"data\n"


class TestFiles:
    """The files of a task, read from the node."""

    @pytest.fixture
    def job_id(self, run_task):
        """A job whose task left files."""
        task = run_task("/bin/sh -c 'echo out; echo err >&2; mkdir -p d; printf 0123456789 > \"d/a b\"'")
        return task.url.split("/")[-3]

    def test_files_can_be_listed(self, client, job_id):
        """At the top only, or with everything below."""
        top = {file.name: file.is_directory for file in client.list_task_files(job_id, "task")}
        assert top == {"certs": True, "stderr.txt": False, "stdout.txt": False, "wd": True}
        names = [file.name for file in client.list_task_files(job_id, "task", recursive=True, max_results=2)]
        assert names == ["certs", "stderr.txt", "stdout.txt", "wd", "wd/d", "wd/d/a b"]
        filtered = client.list_task_files(job_id, "task", recursive=True, filter="startswith(name, 'wd/d/')")
        assert [file.properties.content_length for file in filtered] == [10]

    def test_a_file_can_be_read_whole_or_in_part(self, client, job_id):
        """Its name may hold anything."""
        assert b"".join(client.download_task_file(job_id, "task", "wd/d/a b")) == b"0123456789"
        part = client.download_task_file(job_id, "task", "wd/d/a b", ocp_range="bytes=2-4")
        assert b"".join(part) == b"234"
        assert b"".join(client.download_task_file(job_id, "task", "stderr.txt")) == b"err\n"

    def test_a_file_can_be_described(self, client, job_id):
        """In headers."""
        properties = client.get_task_file_properties(job_id, "task", "wd/d/a b")
        assert (properties.content_length, properties.is_directory) == (10, False)
        assert properties.file_mode.startswith("0o100")

    @pytest.mark.parametrize("name", ["nothing.txt", "../../../../../../../../../../etc/passwd", "wd"])
    def test_only_the_task_s_own_files_are_found(self, client, job_id, name):
        """404 for what is not a file, or lies elsewhere."""
        with pytest.raises(ResourceNotFoundError):
            client.download_task_file(job_id, "task", name)

    def test_a_task_that_never_ran_has_no_files(self, client, new_job):
        """TaskFilesUnavailable."""
        job_id = new_job(pool_id="none")
        client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line="true"))
        with pytest.raises(ResourceExistsError) as refusal:
            list(client.list_task_files(job_id, "1"))
        assert refusal.value.error.code == "TaskFilesUnavailable"

    def test_files_go_with_their_job(self, client, service, job_id, wait_until):
        """Deleting a job removes what its tasks left on the node."""
        directory = next(service.data_dir.glob(f"nodes/local/*/workitems/{job_id}/job-1/task"))
        assert directory.is_dir()
        client.begin_delete_job(job_id, polling_interval=0).wait()
        wait_until(lambda: not directory.exists())


def printed(client, job_id: str, task_id: str) -> str:
    try:
        return b"".join(client.download_task_file(job_id, task_id, "stdout.txt")).decode()
    except (ResourceNotFoundError, ResourceExistsError):
        return ""
