"""The service as a process: restarts, and what it says when it cannot start."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.batch.server import PoolOption
from tests.local.batch.one_job import add_task, create_job, stdout_of
from tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.sampled


class TestRestart:
    """The same data directory, another process."""

    @pytest.mark.parametrize("end", ["stop", "kill"])
    @pytest.mark.parametrize("sleep", ["sleep 1000", "setsid sleep 1000"])
    def test_everything_survives_and_what_ran_runs_again(self, start_service, wait_until, is_alive, end, sleep):
        """After SIGTERM and after SIGKILL; no process of the old service is left, and nothing counts as a retry."""
        first = start_service("--pool", "local:1:2")
        client = first.client()
        create_job(client)
        add_task(client, "done", "/bin/sh -c 'echo done'")
        add_task(client, "runs", f"/bin/sh -c '{sleep} & echo $!; wait'")
        wait_until(lambda: client.get_task("job", "done").state == "completed")
        wait_until(lambda: stdout_of(client, "runs").endswith("\n"))
        process_id = int(stdout_of(client, "runs"))
        getattr(first.child, end)()

        client = start_service("--pool", "local:1:2", data_dir=first.data_dir).client()
        assert not is_alive(process_id)
        assert client.get_task("job", "done").execution_info.exit_code == 0
        assert stdout_of(client, "done") == "done\n"
        wait_until(lambda: stdout_of(client, "runs") not in ("", f"{process_id}\n"))
        task = client.get_task("job", "runs")
        assert (task.state, task.execution_info.retry_count, task.execution_info.requeue_count) == ("running", 0, 0)
        assert [pool.id for pool in client.list_pools()] == ["local"]

    def test_stopping_ends_all_tasks(self, start_service, wait_until, is_alive):
        """No process is left when the service has ended."""
        service = start_service()
        client = service.client()
        create_job(client)
        add_task(client, "1", "/bin/sh -c 'sleep 1000 & echo $!; wait'")
        wait_until(lambda: stdout_of(client, "1").endswith("\n"))
        process_id = int(stdout_of(client, "1"))
        service.child.stop()
        assert not is_alive(process_id)

    @pytest.mark.parametrize("end", ["stop", "kill"])
    def test_links_into_a_task_s_directory_do_not_outlive_it(self, start_service, wait_until, temporary_link, end):
        """After SIGTERM they are gone with the service, after SIGKILL when the next one has started."""
        first = start_service()
        client = first.client()
        create_job(client)
        command = f"test -e begun || ln -s $PWD {temporary_link}; touch begun; echo linked; sleep 1000"
        add_task(client, "1", f"/bin/sh -c '{command}'")
        wait_until(lambda: stdout_of(client, "1").endswith("\n"))
        getattr(first.child, end)()
        assert temporary_link.is_symlink() is (end == "kill")
        start_service(data_dir=first.data_dir)
        assert not temporary_link.is_symlink()

    def test_pools_get_the_size_that_is_asked_for(self, start_service, wait_until):
        """On a data directory that has them already, too."""
        first = start_service("--pool", "local:1:2")
        first.child.stop()
        client = start_service("--pool", "local:2:3", data_dir=first.data_dir).client()
        wait_until(lambda: client.get_pool("local").current_dedicated_nodes == 2)
        assert client.get_pool("local").task_slots_per_node == 3

    def test_pools_get_the_nodes_that_are_asked_for(self, start_service):
        """Another kind, or larger ones for more slots, also where the pool is there already."""
        first = start_service("--pool", "local:1:2")
        first.child.stop()
        pool = start_service("--container-pool", "local:1:9", data_dir=first.data_dir).client().get_pool("local")
        machine = pool.virtual_machine_configuration
        assert (pool.vm_size, machine.image_reference.offer) == ("Standard_D4s_v5", "ubuntu-hpc")
        assert machine.container_configuration.type == "dockerCompatible"


class TestStart:
    """What keeps the service from starting is one clear line."""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the service's command to its end."""
        command = [sys.executable, "-m", "local.batch", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)

    def test_a_port_in_use(self, service, tmp_path):
        """Exit code 1, and the port is named."""
        port = service.endpoint.rpartition(":")[2]
        ended = self.run("--port", port, "--data-dir", str(tmp_path))
        assert ended.returncode == 1
        assert ended.stderr.splitlines() == [f"Port {port} is in use. Choose another one with --port."]

    def test_a_data_directory_in_use(self, service):
        """Exit code 1, and the directory is named."""
        ended = self.run("--port", "0", "--data-dir", str(service.data_dir))
        assert ended.returncode == 1
        assert str(service.data_dir) in ended.stderr
        assert len(ended.stderr.splitlines()) == 1

    @pytest.mark.parametrize(
        "option",
        [("--fault", '{"share": 2}'), ("--fault", "nonsense"), ("--node-faults", "[]"), ("--node-limit", "{}")],
    )
    def test_misbehaviour_that_cannot_be(self, option, tmp_path):
        """Exit code 2, and the option is named."""
        ended = self.run("--port", "0", "--data-dir", str(tmp_path), *option)
        assert ended.returncode == 2
        assert f"argument {option[0]}: " in ended.stderr

    @pytest.mark.parametrize("pool", ["a b", "local:x", "local:1:0", "local:1:2:3", "local:1:257"])
    def test_a_pool_that_cannot_be(self, pool):
        """The message says what a pool looks like."""
        with pytest.raises(ValueError, match="is not a pool"):
            PoolOption.parse(pool)
