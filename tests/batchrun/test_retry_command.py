"""`retry`: what failed runs again, shown and downloaded like a run; on a stack that is up, named by its file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError

from batchrun.client.refs import RunRef
from batchrun.client.runs import Runs
from local.__main__ import main as local
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

Command = Callable[..., tuple[int, str, str]]
NEVER, SECOND = datetime.min.replace(tzinfo=UTC), timedelta(seconds=1)
FLOW = """\
id: {id}
namespace: acme.retry
inputs: [{{id: rows, type: INT, defaults: 1}}]
tasks:
- id: make
  type: io.kestra.plugin.scripts.shell.Commands
  commands: [echo made > made.txt]
  outputFiles: [made.txt]
- id: check
  type: io.kestra.plugin.scripts.shell.Commands
  namespaceFiles: {{enabled: true}}
  commands: [test -e {id}-ok]
"""


@pytest.fixture
def failed(command: Command, runs: Runs) -> Callable[[str], RunRef]:
    """A run whose second task failed, because a file of its namespace was not there yet."""

    def run(name: str) -> RunRef:
        with contextlib.suppress(ResourceNotFoundError):
            runs.namespaces._container.delete_blob(f"acme.retry/{name}-ok")
        Path(f"{name}.yaml").write_text(FLOW.format(id=name))
        assert command("run", f"{name}.yaml", "-i", "rows=7", "--out", f"first-{name}")[0] == 1
        runs.namespaces._container.upload_blob(f"acme.retry/{name}-ok", b"", overwrite=True)
        return runs.find(record_in(f"first-{name}")["runId"])

    return run


def record_in(folder: str) -> dict:
    return json.loads(Path(folder, "record.json").read_text())


def taken(folder: str) -> dict[str, str | None]:
    return {task["id"]: task["takenFrom"] for task in record_in(folder)["tasks"]}


def test_what_failed_runs_again_and_the_results_are_complete(command: Command, failed: Callable[[str], RunRef]) -> None:
    """Its inputs are those of the earlier run; a task that is named runs again too."""
    first = failed("r-once")
    code, printed, errors = command("retry", first.id, "--out", "again")
    assert (code, errors) == (0, "")
    record = record_in("again")
    assert f"SUCCESS  {record['runId']}" in printed
    assert record["runId"].startswith("r-once-")
    assert record["manifest"]["name"] == "r-once.yaml"
    assert record["retryOf"] == {"runId": first.id, "results": first.folder}
    assert record["inputs"] == {"rows": 7}
    assert taken("again") == {"make": first.id, "check": None}
    assert Path("again/outputs/make/made.txt").read_text() == "made\n"

    assert command("retry", record["runId"], "--task", "make", "--task", "make", "--out", "all")[0] == 0
    assert taken("all") == {"make": None, "check": None}


def test_the_latest_run_is_retried_without_waiting(command: Command, failed, runs: Runs) -> None:
    """By the local program as well; the id of the new run is printed."""
    wait_for(lambda: datetime.now(UTC) >= max((run.dropped for run in runs.results.runs()), default=NEVER) + SECOND)
    first = failed("r-latest")
    code, printed, errors = command("retry", "-", "--no-wait")
    ref = runs.find(printed.strip())
    assert (code, ref.id.startswith("r-latest-"), ref.id != first.id) == (0, True, True)
    assert f"{ref.id} goes on. To cancel it: " in errors
    record = wait_for(lambda: runs.results.record(ref))
    assert record.retry_of
    assert record.retry_of.run_id == first.id


def test_python_m_local_has_it_too(stack, failed, capsys) -> None:
    first = failed("r-local")
    where = ("--data-dir", str(stack.data_dir.path))
    assert local(["retry", first.id, "--out", "again", *where]) == 0
    assert taken("again")["make"] == first.id
    capsys.readouterr()
    assert local(["retry", first.id, "--task", "mak", *where]) == 2


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--task", "mak"], 2, '--task mak: {id} has no such task; did you mean "make"?\n'),
        (["--task", "x", "--task", "y"], 2, "--task x: {id} has no such task; it has: make, check\n--task y: "),
        (["--task", "check[0]"], 2, "--task check[0]: {id} has no such task"),
        (["--out", "r-wrong.yaml"], 2, "--out: r-wrong.yaml cannot hold results"),
    ],
)  # fmt: skip
def test_what_can_be_seen_before_is_not_dropped(
    command: Command, failed, runs: Runs, options: list[str], code: int, said: str
) -> None:
    first = failed("r-wrong")
    before = len([run for run in runs.results.runs() if run.name == "r-wrong"])
    found, printed, errors = command("retry", first.id, *options)
    assert (found, printed) == (code, "")
    assert errors.startswith(said.format(id=first.id))
    assert len([run for run in runs.results.runs() if run.name == "r-wrong"]) == before


def test_what_the_app_refuses_is_said_in_words_of_the_command(command: Command, failed, runs: Runs) -> None:
    """Nothing to run; files that are gone; a run that was rejected, whose tasks are not known."""
    assert command("retry", failed("r-nothing").id, "--out", "good")[0] == 0
    code, printed, _ = command("retry", record_in("good")["runId"])
    assert code == 1
    assert "    every task of the earlier run has ended well: say with `--task` which tasks run again\n" in printed

    first = failed("r-gone")
    runs.results._container.delete_blob(f"{first.folder}/outputs/make/made.txt")
    code, printed, _ = command("retry", first.id)
    assert code == 1
    assert "'outputs/make/made.txt' is not in the results of" in printed
    assert printed.partition("to run again what made it, ")[2].startswith("`--task make`\n")
    assert command("retry", first.id, "--task", "make")[0] == 0


def test_a_run_that_is_open_is_said(command: Command, runs: Runs) -> None:
    Path("r-open.yaml").write_text("commands: [sleep 600]")
    run_id = command("run", "r-open.yaml", "--no-wait")[1].strip()
    assert command("retry", run_id)[::2] == (
        1,
        f"{run_id} is still open: wait until it has ended. What it does: python -m batchrun show {run_id}\n".replace(
            "python -m batchrun", "batchrun"
        ),
    )
    wait_for(lambda: runs.open_run(run_id))
    assert command("retry", run_id)[0] == 1
    assert command("cancel", run_id)[0] == 0
    assert command("retry", "nobody")[2].startswith("There is no run 'nobody'")


def test_the_results_of_a_retry_need_a_folder_of_their_own(command: Command, failed) -> None:
    first = failed("r-out")
    assert command("retry", first.id, "--out", "first-r-out")[::2] == (
        2,
        "--out: first-r-out is not empty. Choose a folder that is empty or does not exist yet.\n",
    )
