"""What is printed of a task while it runs, look by look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

from azure.batch.models import BatchNodeFile, BatchTask, BatchTaskExecutionInfo, BatchTaskState, FileProperties

from batchrun.cli.logs import _Lines, _PrintedLogs
from batchrun.client.refs import RunRef
from batchrun.client.tasks import BatchTasks

if TYPE_CHECKING:
    import pytest

AT = datetime(2026, 11, 23, tzinfo=UTC)


def account_with(stdout: bytes, start: int) -> BatchTasks:
    """An account with one task that runs for the n-th time, of which Batch has this output; it counts no lost nodes."""
    info = BatchTaskExecutionInfo(retry_count=0, requeue_count=0, start_time=AT + timedelta(minutes=start))
    task = BatchTask(id="t", state=BatchTaskState.RUNNING, execution_info=info)
    size = FileProperties(content_length=len(stdout), last_modified=AT)

    def download(*_: str, ocp_range: str) -> list[bytes]:
        start, end = map(int, ocp_range.removeprefix("bytes=").split("-"))
        return [stdout[start : end + 1]]

    client = SimpleNamespace(
        list_tasks=lambda *_, **__: [task],
        list_task_files=lambda *_: [BatchNodeFile(name="stdout.txt", properties=size)],
        download_task_file=download,
    )
    return BatchTasks(client, str)


def test_a_task_whose_node_was_lost_is_read_from_the_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    """On another node its logs are empty at first; until then, each line is printed once."""
    runs = SimpleNamespace()
    logs = _PrintedLogs(runs, RunRef("m-1", "m.yaml"), _Lines(str))
    for stdout, start in ((b"first\n", 0), (b"first\nsecond\n", 0), (b"first\n", 1), (b"first\nsecond\n", 1)):
        runs.tasks = account_with(stdout, start)
        for task in runs.tasks.of_job("m-1-1"):
            logs._print_task(task)
    assert capsys.readouterr().out.splitlines() == ["t out | first", "t out | second"] * 2
