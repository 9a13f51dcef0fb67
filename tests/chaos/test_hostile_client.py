"""What is typed, and what stands in storage, is refused in words or done: nothing reaches the terminal but text."""

from __future__ import annotations

import json
import random
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from batchrun.__main__ import main
from batchrun.cli.open import RunServer
from local.stack.azurite import AzuriteEndpoints
from shared.settings import Containers
from tests.chaos.doors import RUN, TERMINAL, texts
from tests.chaos.hostile import DOCUMENTS, ESCAPES, LONG, NAMES, TRAVERSALS
from tests.support.pure import ENVIRON

pytestmark = pytest.mark.slow

BATCH, BATCHES = 10, 40
SECRET = "the-value-of-a-hostile-secret"
FLOW = "id: etl\nnamespace: company.team\ninputs: [{id: i}, {id: f, type: FILE}]\ntasks: [{id: t, commands: [x]}]\n"
TYPED = (
    *NAMES, *TRAVERSALS, *TERMINAL, *ESCAPES[:12], "--", "--help=x", "-rf", "--out", "-", "CON", "aux.yaml", "a:b",
    "nul", "LPT1.txt", "x.", "x ", "a%2fb", "%00", "%0d%0a", "*", "?", "[a", "{a", "~root", "$HOME", "\udcff", "a|b",
    "@/etc/passwd", "i=@/etc/passwd", "i=\x1b[31m", "i=" + LONG * 200, "f=@../x", "=", "i", "2026-99-99", "9" * 400,
    "flow.yaml", "a/b/c", "company.team/etl", "company.team/../etl", "company.team/etl\x1b[31m", "-1d", "1e9d",
    "https://x\x1b[31m.blob", "http://[", "AccountName=x;AccountKey=\x1b[31m", RUN, RUN[:-1],
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=!",
)  # fmt: skip
COMMANDS = (
    ["run", "X"], ["run", "flow.yaml", "-i", "X"], ["run", "flow.yaml", "-i", "i=X"], ["check", "X"],
    ["run", "flow.yaml", "-i", "f=@X"], ["run", "flow.yaml", "--label", "X"], ["run", "flow.yaml", "--out", "X"],
    ["check", "company.team/etl", "-i", "X"], ["show", "X"], ["logs", "X"], ["logs", RUN, "X"], ["get", "X"],
    ["get", RUN, "X"], ["retry", "X"], ["retry", RUN, "--task", "X"], ["cancel", "X"],
    ["flows", "get", "X"], ["flows", "rm", "X"], ["flows", "ls", "X"], ["flows", "put", "X"], ["ns", "ls", "X"],
    ["ns", "get", "X"], ["ns", "put", "X", "src"], ["ns", "put", "acme", "X"], ["ns", "put", "acme", "src", "--to=X"],
    ["ns", "rm", "acme", "X"], ["ns", "ls", "acme", "X"], ["use", "X"], ["use", "x", "--storage", "X"],
    ["ls", "--app", "X"], ["ls", "--data-dir", "X"], ["ls", "--flow", "X"], ["ls", "--since", "X"],
    ["ls", "--state", "X"], ["open", "X"],
    ["completion", "X"], ["X"], ["doctor", "X"], ["ls", "X"], ["flows", "X"],
)  # fmt: skip
READING = (
    ["ls", "--all"], ["ls", "--all", "--json"], ["show", RUN], ["show", RUN[:-1]], ["logs", RUN], ["get", RUN],
    ["retry", RUN], ["ls", "--flow", "etl"], ["flows", "ls"], ["show", "-"], ["open"],
)  # fmt: skip


@dataclass(frozen=True)
class Shell:
    """A folder, in which commands are run with an app whose storage holds what a test puts there."""

    blobs: BlobServiceClient
    containers: dict[str, str]
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def put(self, container: str, name: str, content: bytes) -> None:
        """Write a blob."""
        self.blobs.get_blob_client(self.containers[container], name).upload_blob(content, overwrite=True)

    def run(self, *arguments: str) -> str:
        """Run a command: it ends by itself, and what it prints are printable characters."""
        before = self._around()
        try:
            code = main(list(arguments))
        except SystemExit as end:
            code = int(str(end.code))
        printed = "".join(self.capsys.readouterr())
        what = f"{arguments!a:.300}: {printed!a:.2000}"
        assert code in (0, 1, 2, 3, 130), what
        assert not code or printed, what
        assert "Traceback" not in printed, what
        assert all(line.isprintable() for line in printed.split("\n")), what
        assert SECRET not in printed, what
        assert self._around() == before, what
        return printed

    def _around(self) -> set[Path]:
        """What is beside the folder."""
        return set(self.folder.parent.rglob("*")) - set(self.folder.rglob("*"))


@pytest.fixture
def shell(
    azurite: AzuriteEndpoints,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Shell]:
    """An app without a host, and a folder below others with a flow and a file in it."""
    prefix = uuid.uuid4().hex[:8]
    names = {name: f"{prefix}-{name}" for name in Containers.__dataclass_fields__}
    folder = tmp_path / "a" / "b" / "here"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "x").write_text("x")
    (folder / "flow.yaml").write_text(FLOW)
    settings = {
        **ENVIRON,
        **{f"{name.upper()}_CONTAINER": container for name, container in names.items()},
        "RunStorage": azurite.connection_string,
        "BATCH_ACCOUNT_ENDPOINT": "http://127.0.0.1:9",
        "SECRET_HOSTILE": SECRET,
    }
    (tmp_path / "a" / "stack.json").write_text(json.dumps({"settings": settings}))
    monkeypatch.setenv("BATCHRUN_STACK", str(tmp_path / "a" / "stack.json"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("batchrun.client._connections.PAUSE_SECONDS", 0)
    monkeypatch.setattr("batchrun.cli.cancel.CANCEL_SECONDS", 0)
    monkeypatch.setattr(RunServer, "serve_forever", _interrupted)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # as `batchrun` does with its own
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        for container in names.values():
            blobs.create_container(container)
        yield Shell(blobs, names, folder, capsys)


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(1, BATCHES))])
def test_what_is_typed_is_refused_in_words_or_done(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, injected: Callable[[int], None], seed: int
) -> None:
    """Promise: no traceback, no escape sequence on the terminal, and no file anywhere but in this folder."""
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    monkeypatch.setattr("batchrun.cli._watching.NewRuns.until_complete", lambda _: [])  # no host would run them
    chance = random.Random(f"typed {seed}")
    for _ in range(BATCH):
        typed = chance.choice(TYPED)
        if "\0" not in typed:  # which no command line can hold
            shell.run(*(word.replace("X", typed) for word in chance.choice(COMMANDS)))
    injected(BATCH)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(1, BATCHES))])
def test_lines_of_the_ledger_are_left_out_or_shown(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, injected: Callable[[int], None], seed: int
) -> None:
    """Promise: one that cannot be read hides no other, and none breaks out of the list or the page."""
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    chance = random.Random(seed)
    for content in texts("ledger", seed, BATCH):
        shell.put("results", "_runs/2026-11-28.jsonl", content)
        shell.run(*READING[0])
        shell.run(*chance.choice(READING))
    injected(BATCH)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(1, BATCHES))])
def test_the_card_of_an_app_is_refused_or_believed(
    shell: Shell, azurite: AzuriteEndpoints, monkeypatch: pytest.MonkeyPatch, injected: Callable[[int], None], seed: int
) -> None:
    """Promise: whoever can write it sends nobody elsewhere, and breaks nothing."""
    monkeypatch.delenv("BATCHRUN_STACK")
    monkeypatch.setenv("BATCHRUN_STORAGE", azurite.connection_string)
    shell.containers["card"] = "results"
    if not shell.blobs.get_container_client("results").exists():
        shell.blobs.create_container("results")
    for content in texts("card", seed, BATCH):
        shell.put("card", "_app.json", content)
        shell.run("ls")
    shell.run("doctor")
    injected(BATCH)


@pytest.mark.parametrize("content", DOCUMENTS[:6], ids=ascii)
def test_a_damaged_record_is_told(shell: Shell, content: bytes) -> None:
    """Promise: one of a newer version, too, is no traceback."""
    shell.put("results", f"etl/{RUN}/record.json", content)
    for command in (["show", RUN], ["logs", RUN], ["retry", RUN], ["get", RUN, "--crate"], ["cancel", RUN], ["ls"]):
        assert "its Record, cannot be read: " in shell.run(*command)
