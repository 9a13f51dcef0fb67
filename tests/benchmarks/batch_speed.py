"""How fast the local Batch service answers one client: `python -m tests.benchmarks.batch_speed`, by hand.

The client is the unchanged SDK in a process of its own, as is the service. No task runs: what is measured is the
service. Each line is one measurement and what is expected of it on two cores.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from azure.batch import BatchClient, models
from azure.core.credentials import AzureNamedKeyCredential

from local.batch import ACCOUNT_KEY, ACCOUNT_NAME
from local.stack.child import Child, Program
from local.stack.ports import AUTO, Ports

CALLS = 1000
TASKS = 10_000
JOBS = 5000
POOL = models.BatchPoolInfo(pool_id="none")


def main() -> None:
    """Start a service, measure, stop it."""
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder)) as endpoint:
        client = BatchClient(endpoint, AzureNamedKeyCredential(ACCOUNT_NAME, ACCOUNT_KEY), retry_total=0)
        _one_by_one(client)
        _in_collections(client)
        _beside_waiting_tasks(client)
        _list_jobs(client)


def _one_by_one(client: BatchClient) -> None:
    client.create_job(models.BatchJobCreateOptions(id="calls", pool_info=POOL))
    with _measured("create_task", CALLS, "at least 500/s"):
        for number in range(CALLS):
            client.create_task("calls", _task(number))
    with _measured("get_task", CALLS, "at least 500/s"):
        for number in range(CALLS):
            client.get_task("calls", str(number))


def _in_collections(client: BatchClient) -> None:
    client.create_job(models.BatchJobCreateOptions(id="many", pool_info=POOL))
    with _measured("create_tasks", TASKS, "10,000 in a few seconds"):
        client.create_tasks("many", [_task(number) for number in range(TASKS)])
    with _measured("list_tasks", TASKS, ""):
        assert sum(1 for _ in client.list_tasks("many")) == TASKS
    with _measured("get_job_task_counts", 1, ""):
        assert client.get_job_task_counts("many").task_counts.active == TASKS


def _beside_waiting_tasks(client: BatchClient) -> None:
    """With free slots, and thousands of tasks that need more of them."""
    client.create_job(models.BatchJobCreateOptions(id="waiting", pool_info=models.BatchPoolInfo(pool_id="local")))
    client.create_tasks("waiting", [_task(number, slots=2) for number in range(TASKS)])
    with _measured("create_task beside 10,000 that fit nowhere", CALLS, "at least 500/s"):
        for number in range(TASKS, TASKS + CALLS):
            client.create_task("waiting", _task(number, slots=2))


def _list_jobs(client: BatchClient) -> None:
    with _measured("create_job", JOBS, ""):
        for number in range(JOBS):
            client.create_job(models.BatchJobCreateOptions(id=f"job-{number}", pool_info=POOL))
    with _measured("list_jobs, ids of those not completed", JOBS, "well under a second for all"):
        assert sum(1 for _ in client.list_jobs(filter="state ne 'completed'", select=["id"])) >= JOBS
    with _measured("list_jobs, everything", JOBS, "well under a second for all"):
        assert sum(1 for _ in client.list_jobs()) >= JOBS


def _task(number: int, slots: int = 1) -> models.BatchTaskCreateOptions:
    return models.BatchTaskCreateOptions(id=str(number), command_line="/bin/sh -c true", required_slots=slots)


@contextmanager
def _measured(name: str, count: int, expected: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds = time.perf_counter() - begin
    print(f"{name:40} {seconds:7.3f} s  {count / seconds:8.0f}/s  {expected}")


@contextmanager
def _service(folder: Path) -> Iterator[str]:
    port = Ports.choose(AUTO).batch
    options = ("--port", str(port), "--data-dir", str(folder), "--pool", "local:1:1", "--active-job-quota", "10000")
    endpoint = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "local.batch", *options)
    child = Child(Program("batch", command, {}, folder / "service.log", f"{endpoint}/_local/health"))
    child.wait_ready()
    try:
        yield endpoint
    finally:
        child.stop()


if __name__ == "__main__":
    main()
