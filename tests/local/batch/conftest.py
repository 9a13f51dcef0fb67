"""What the tests of the Batch service share: the machine on a clock of its own, and the service over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.batch import BatchClient, models
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobServiceClient

from local.batch import ACCOUNT_KEY, ACCOUNT_NAME
from local.batch.machine.account import Account
from local.batch.machine.commands import Run, RunTask, StopTask, TaskEnd
from local.batch.machine.limits import Limits
from local.batch.models.job import JobCreate
from local.batch.models.pool import PoolCreate
from local.batch.models.task import TaskCreate
from local.stack.azurite import AzuriteEndpoints
from local.stack.child import Child, Program
from local.stack.ports import AUTO, Ports
from tests.local.batch.blocking import BlockingClient
from tests.local.batch.output_container import Container
from tests.support.waiting import WAIT_SECONDS

POLL_SECONDS = 0.02


@dataclass
class Machine:
    """An account on a clock that only the test moves, with nodes that only the test ends tasks on."""

    now: datetime = datetime(2026, 11, 22, tzinfo=UTC)
    running: dict[str, RunTask] = field(default_factory=dict)
    started: list[RunTask] = field(default_factory=list)
    stopping: list[Run] = field(default_factory=list)
    quota: int = 300

    def __post_init__(self) -> None:
        self.account = Account(lambda: self.now, limits=Limits(active_job_quota=self.quota))

    def pool(self, pool_id: str = "pool", nodes: int = 1, slots: int = 4, **more: Any) -> None:
        """Create a pool and wait for its nodes."""
        spec = {"id": pool_id, "vmSize": "m", "targetDedicatedNodes": nodes, "taskSlotsPerNode": slots, **more}
        self.account.pools.create(PoolCreate.model_validate(spec))
        self.passes(seconds=1)

    def job(self, job_id: str = "job", **more: Any) -> None:
        """Create a job of the pool `pool`."""
        self.account.jobs.create(JobCreate.model_validate({"id": job_id, "poolInfo": {"poolId": "pool"}, **more}))
        self.passes()

    def task(self, task_id: str, job_id: str = "job", **more: Any) -> None:
        """Add a task."""
        self.account.tasks.create(job_id, TaskCreate.model_validate({"id": task_id, "commandLine": "x", **more}))
        self.passes()

    def passes(self, seconds: float = 0) -> None:
        """Let time pass, and take the commands that nodes get."""
        self.now += timedelta(seconds=seconds)
        self.account.advance()
        for command in self.account.take_commands():
            if isinstance(command, RunTask):
                self.running[command.task_id] = command
                self.started.append(command)
            elif isinstance(command, StopTask):
                self.stopping.append(command.run)
        self.account.take_changes()

    def ends(self, task_id: str, exit_code: int | None = 0, **more: Any) -> None:
        """Let a node report the end of a running task."""
        self.account.end_task(self.running.pop(task_id).run, TaskEnd(exit_code, **more))
        self.passes()

    def restarts(self) -> None:
        """Start the service anew with what was stored, which is a reboot to all nodes."""
        old = self.account.state
        tasks = [(job_id, task) for job_id, of_job in old.tasks.items() for task in of_job.all.values()]
        self.__post_init__()
        self.account.restore(old.pools.values(), old.jobs.values(), tasks, old.schedules.values())
        self.running.clear()
        self.passes()

    def job_state(self, job_id: str = "job") -> str:
        """Return the state of a job."""
        return self.account.state.job(job_id).state.value

    def task_state(self, task_id: str, job_id: str = "job") -> str:
        """Return the state of a task."""
        return self.account.state.task(job_id, task_id).state.value


@pytest.fixture
def machine() -> Machine:
    """A machine with one pool of one node and four slots."""
    made = Machine()
    made.pool()
    return made


@pytest.fixture
def new_machine() -> type[Machine]:
    """Make machines without any pool."""
    return Machine


@dataclass
class Service:
    """A running Batch service."""

    child: Child
    endpoint: str
    data_dir: Path

    def client(self, key: str = ACCOUNT_KEY) -> BatchClient:
        """Return a client of the unchanged SDK, which does not retry: tests want to see every answer."""
        credential = AzureNamedKeyCredential(ACCOUNT_NAME, key)
        return BatchClient(self.endpoint, credential, retry_total=0)

    def asynchronous_client(self) -> BlockingClient:
        """Return a client of the unchanged asynchronous SDK, to be called like the other."""
        return BlockingClient(self.endpoint, AzureNamedKeyCredential(ACCOUNT_NAME, ACCOUNT_KEY))

    def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request without signature; return status and JSON of the answer."""
        address = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None


@pytest.fixture(scope="package")
def new_data_dir() -> Iterator[Callable[[], Path]]:
    """Make directories that any user can enter, as pytest's own cannot: root's tasks are another user's."""
    with tempfile.TemporaryDirectory(prefix="batch-tests-") as root:
        Path(root).chmod(0o755)
        yield lambda: Path(tempfile.mkdtemp(dir=root)).resolve()


@contextlib.contextmanager
def _started_services(new_data_dir: Callable[[], Path]) -> Iterator[Callable[..., Service]]:
    children: list[Child] = []

    def start(*options: str, data_dir: Path | None = None) -> Service:
        port = Ports.choose(AUTO).batch
        folder = data_dir or new_data_dir()
        folder.chmod(0o755)
        command = (sys.executable, "-m", "local.batch", "--port", str(port), "--data-dir", str(folder), *options)
        endpoint = f"http://127.0.0.1:{port}"
        program = Program("batch", command, dict(os.environ), folder / "service.log", f"{endpoint}/_local/health")
        children.append(Child(program))
        children[-1].wait_ready()
        return Service(children[-1], endpoint, folder)

    yield start
    for child in children:
        child.stop()


@pytest.fixture(scope="module")
def start_service(new_data_dir: Callable[[], Path]) -> Iterator[Callable[..., Service]]:
    """Start services with options of the command line; they are stopped after the last test of the file."""
    with _started_services(new_data_dir) as start:
        yield start


@pytest.fixture(scope="package")
def service(new_data_dir: Callable[[], Path]) -> Iterator[Service]:
    """A service for all tests; each takes jobs of its own, in the pool `local` or `containers`."""
    with _started_services(new_data_dir) as start:
        yield start("--pool", "local:1:8", "--container-pool", "containers:1:8")


@pytest.fixture
def client(service: Service) -> BatchClient:
    """A client of the service."""
    return service.client()


@pytest.fixture(params=["sync", "aio"])
def either_client(request: pytest.FixtureRequest, service: Service) -> Iterator[BatchClient | BlockingClient]:
    """Each of the two clients of the SDK in turn."""
    with service.client() if request.param == "sync" else service.asynchronous_client() as client:
        yield client


@pytest.fixture
def virtual_machine() -> models.VirtualMachineConfiguration:
    """What pools must say of their nodes, although all are this machine."""
    image = models.BatchVmImageReference(publisher="canonical", offer="ubuntu-24_04-lts", sku="server")
    return models.VirtualMachineConfiguration(image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04")


@pytest.fixture
def container_machine() -> models.VirtualMachineConfiguration:
    """What a pool for container tasks must say of its nodes."""
    image = models.BatchVmImageReference(publisher="microsoft-dsvm", offer="ubuntu-hpc", sku="2404", version="latest")
    containers = models.BatchContainerConfiguration(type="dockerCompatible")
    return models.VirtualMachineConfiguration(
        image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04", container_configuration=containers
    )


@pytest.fixture
def new_job(client: BatchClient) -> Callable[..., str]:
    """Create jobs with ids of their own in the pool `local`."""

    def create(**more: Any) -> str:
        job_id = f"job-{uuid.uuid4().hex[:12]}"
        pool_info = models.BatchPoolInfo(pool_id=more.pop("pool_id", "local"))
        client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=pool_info, **more))
        return job_id

    return create


@pytest.fixture
def new_container(azurite: AzuriteEndpoints) -> Callable[[], Container]:
    """Create containers."""
    return lambda: Container(BlobServiceClient.from_connection_string(azurite.connection_string))


@pytest.fixture
def container(new_container: Callable[[], Container]) -> Container:
    """A container of its own for each test."""
    return new_container()


@pytest.fixture
def temporary_link() -> Iterator[Path]:
    """A path in the temporary directory that tasks may link; whatever is there goes after the test."""
    link = Path(f"/tmp/test-{uuid.uuid4().hex}")
    yield link
    link.unlink(missing_ok=True)


@pytest.fixture
def run_task(client: BatchClient, new_job: Callable[..., str]) -> Callable[..., models.BatchTask]:
    """Run one task in a job of its own, in the pool for it, and return it completed; its job's id is in its URL."""

    def run(command_line: str, **more: Any) -> models.BatchTask:
        job_id = new_job(pool_id="containers" if more.get("container_settings") else "local")
        client.create_task(job_id, models.BatchTaskCreateOptions(id="task", command_line=command_line, **more))
        return completed(client, job_id, "task")

    return run


@pytest.fixture
def wait_completed(client: BatchClient) -> Callable[[str, str], models.BatchTask]:
    """Wait for a task to complete."""
    return lambda job_id, task_id: completed(client, job_id, task_id)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a condition that only asking again can show."""
    return until


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """Whether a process runs; one that has ended and that nobody has asked after does not."""

    def check(process_id: int) -> bool:
        try:
            stat = Path(f"/proc/{process_id}/stat").read_text()
        except FileNotFoundError:
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    return check


def completed(client: BatchClient, job_id: str, task_id: str) -> models.BatchTask:
    """Wait for a task to complete, and return it."""
    until(lambda: client.get_task(job_id, task_id).state == "completed")
    return client.get_task(job_id, task_id)


def until(condition: Callable[[], bool]) -> None:
    """Ask until a condition holds, or fail."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "This did not happen in time."
        time.sleep(POLL_SECONDS)
