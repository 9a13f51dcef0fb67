"""Ctrl-C in every verb, wherever it may take long: nothing is half written, and it is said how to go on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.pipeline.transport import RequestsTransport

from batchrun.__main__ import main
from batchrun.client.downloads import UNFINISHED
from batchrun.client.refs import RunRef
from tests.batchrun.weather import Gateway, Weather
from tests.support.waiting import WAIT_SECONDS, wait_for

pytestmark = pytest.mark.sampled

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(stack, tmp_path, monkeypatch) -> None:
    """A folder with a manifest and files, from which the stack is found by its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHRUN_STACK", str(stack.data_dir.description.resolve()))
    (tmp_path / "src").mkdir()
    for number in range(40):
        (tmp_path / "src" / f"{number}.txt").write_text(f"content of {number}")


@pytest.fixture
def dropped(runs) -> Iterator[Callable[[str, str], RunRef]]:
    """Drop a manifest, and wait until the run is open; what is still open at the end is cancelled."""
    refs: list[RunRef] = []

    def drop(name: str, text: str) -> RunRef:
        Path(f"{name}.yaml").write_text(text)
        ref = runs.inbox.drop(Path(f"{name}.yaml")).ref
        refs.append(ref)
        wait_for(lambda: runs.open_run(ref.id) or runs.results.record(ref))
        return ref

    yield drop
    for ref in refs:
        if runs.open_run(ref.id):
            runs.inbox.cancel(ref)


@pytest.fixture
def ended(dropped, runs) -> RunRef:
    """A complete run with some files."""
    ref = dropped("ended", "commands: ['for n in 1 2 3 4 5; do echo $n > $n.csv; done']\noutputFiles: ['*.csv']")
    wait_for(lambda: runs.results.record(ref) and not runs.open_run(ref.id))
    return ref


@pytest.fixture
def interrupted(monkeypatch, capsys) -> Callable[..., str]:
    """Run a command that is interrupted by the first request that a pattern matches; all that it printed."""

    def run(pattern: str, *arguments: str) -> str:
        send = RequestsTransport.send

        def sent(self: RequestsTransport, request: Any, **options: Any) -> Any:
            if re.search(pattern, f"{request.method} {request.url}"):
                raise KeyboardInterrupt
            return send(self, request, **options)

        with monkeypatch.context() as patch:
            patch.setattr(RequestsTransport, "send", sent)
            assert main(list(arguments)) == 130
        printed = capsys.readouterr()
        assert not [path for path in Path().rglob("*") if path.name.startswith(UNFINISHED)]
        return printed.out + printed.err

    return run


def command_in(printed: str, before: str) -> list[str]:
    """The arguments of the command that a message ends with."""
    [line] = [line for line in printed.splitlines() if before in line]
    words = shlex.split(line.partition(before)[2])
    return words[words.index("batchrun") + 1 :]


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (r"GET .*/pools", ""),
        (r"PUT .*/inbox/", "runs.yaml may have been dropped, or not. To see it: "),
        (r"GET .*/record\.json", "goes on. To cancel it: "),
        (r"GET .*/logs/runs/stdout\.txt", "is complete. To fetch its results: "),
    ],
    ids=["check", "drop", "watch", "download"],
)
def test_run(interrupted, stage, said, capsys) -> None:
    """What is in the inbox is removed, what runs goes on, and what has ended is there."""
    Path("runs.yaml").write_text("id: runs\ncommands: [echo, sleep 1]")
    printed = interrupted(stage, "run", "runs.yaml", "--out", "out")
    had_not_started = "had not started: its manifest was removed" in printed
    assert said in printed or (had_not_started and "goes on" in said)
    if not had_not_started and said.endswith(": "):
        assert main(command_in(printed, said)) in (0, 1)
    capsys.readouterr()


UPLOADS = (
    "id: given\ninputs: [{id: data, type: FILE}]\n"
    "tasks: [{id: t, inputFiles: {in: '{{ inputs.data }}'}, commands: [cat in]}]\n"
)


@pytest.mark.parametrize(
    ("name", "stage"),
    [("asked", r"HEAD .*/uploads/"), ("sent", r"PUT .*/uploads/.*comp=block&"), ("made", r"PUT .*comp=blocklist")],
)
def test_run_that_uploads_a_file(interrupted, runs, name, stage) -> None:
    """Nothing has been dropped; the same command does all of it."""
    Path(f"{name}.yaml").write_text(UPLOADS.replace("given", name))
    Path("data.txt").write_bytes(os.urandom(16))
    command = ["run", f"{name}.yaml", "-i", "data=@data.txt", "--out", "out"]
    assert interrupted(stage, *command).endswith("Nothing has been dropped.\n")
    assert not [run for run in runs.inbox.waiting() if run.ref.name == name]
    assert not [run for run in runs.open() if run.id.startswith(name)]
    assert main(command) == 0


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (r"GET .*/_runs/", ""),
        (r"PUT .*/inbox/", " may have been dropped, or not. To see it: "),
        (r"GET .*/ended-[^/]*/record\.json", "goes on. To cancel it: "),
        (r"GET .*/3\.csv", "is complete. To fetch its results: "),
    ],
    ids=["find", "drop", "watch", "download"],
)
def test_retry(interrupted, ended, stage, said, capsys) -> None:
    """As `run`; but the record of the earlier run is read first."""
    others = f"(?!.*{ended.id}){stage}" if "ended" in stage else stage
    printed = interrupted(others, "retry", ended.id, "--task", "task", "--out", "again")
    had_not_started = "had not started: its manifest was removed" in printed
    assert said in printed or (had_not_started and "goes on" in said)
    if not had_not_started and said.endswith(": "):
        assert main(command_in(printed, said)) in (0, 1)
    capsys.readouterr()


@pytest.mark.parametrize("stage", [r"GET .*/pools", r"GET .*/int\.yaml", r"PUT .*/int\.yaml"])
def test_flows_that_are_put(interrupted, runs, stage, capsys) -> None:
    """Those that are stored are named; the same command stores the others."""
    for name in ("first", "int"):
        Path(f"{name}.yaml").write_text(f"id: {name}\nnamespace: acme.int\ncommands: [echo]\n")
    printed = interrupted(stage, "flows", "put", "first.yaml", "int.yaml")
    names = {flow.name for flow in runs.flows.all("acme.int")}
    assert names == ({"acme.int/first"} if "acme.int/first stored" in printed else set())
    assert main(["flows", "put", "first.yaml", "int.yaml"]) == 0
    interrupted(r"GET .*/int\.yaml", "flows", "get", "acme.int/int", "--out", "down")
    interrupted(r"DELETE .*/int\.yaml", "flows", "rm", "acme.int/first", "acme.int/int")
    assert [flow.name for flow in runs.flows.all("acme.int")] == ["acme.int/int"]
    runs.flows.remove("acme.int/int")
    capsys.readouterr()


@pytest.mark.parametrize("stage", [r"GET .*/_runs/", r"GET .*/record\.json", r"GET .*/tasks"])
def test_logs_that_are_followed(interrupted, dropped, stage, capsys) -> None:
    ref = dropped("followed", "commands: [sleep 2]")
    wait_for(lambda: "RUNNING" in _printed(capsys, "show", ref.id))
    printed = interrupted(stage, "logs", ref.id, "-f")
    if "_runs" not in stage:
        assert command_in(printed, "To go on: ") == ["logs", ref.id, "-f"]


def _printed(capsys, *arguments: str) -> str:
    main(list(arguments))
    return capsys.readouterr().out


@pytest.mark.parametrize("stage", [r"PUT .*\.cancel", r"GET .*/record\.json"], ids=["asking", "waiting"])
def test_cancel(interrupted, dropped, stage, capsys) -> None:
    """The command that goes on cancels all of them."""
    one, two = (dropped(name, "commands: [sleep 600]") for name in ("one", "two"))
    printed = interrupted(stage, "cancel", one.id, two.id)
    again = command_in(printed, "To go on: ")
    assert again == ["cancel", one.id, two.id]
    assert main(again) == 0
    assert capsys.readouterr().out.count("is cancelled: KILLED.") == 2


def test_cancel_that_waits_says_what_will_happen_all_the_same(monkeypatch, dropped, capsys) -> None:
    ref = dropped("waited", "commands: [sleep 600]")

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("batchrun.cli.cancel.time.sleep", interrupt)
    assert main(["cancel", ref.id]) == 130
    errors = capsys.readouterr().err
    assert f"{ref.id} will be cancelled all the same.\n" in errors
    assert command_in(errors, "To go on: ") == ["cancel", ref.id]


def test_get(interrupted, ended) -> None:
    assert "To go on" not in interrupted(r"GET .*comp=list", "get", ended.id)
    printed = interrupted(r"GET .*/3\.csv", "get", ended.id, "*.csv", "--out", "to")
    again = command_in(printed, "To go on: ")
    assert again == ["get", ended.id, "*.csv", "--out", "to"]
    assert main(again) == 0
    assert {path.read_text().strip() for path in Path("to").rglob("*.csv")} == set("12345")


def test_files_of_namespaces(interrupted, capsys) -> None:
    """Put, listed, fetched and removed: each goes on where it was interrupted."""
    printed = interrupted(r"PUT .*/7\.txt", "ns", "put", "acme.int", "src", "--to", "deep")
    again = command_in(printed, "of 40 files are in acme.int, all of them whole. To go on: ")
    assert again == ["ns", "put", "acme.int", "src", "--to", "deep"]
    assert main(again) == 0
    interrupted(r"GET .*comp=list", "ns", "ls", "acme.int")
    printed = interrupted(r"GET .*/7\.txt", "ns", "get", "acme.int", "--out", "down")
    again = command_in(printed, "To go on: ")
    assert main(again) == 0
    assert len(list(Path("down").rglob("*.txt"))) == 40
    printed = interrupted(r"DELETE .*/7\.txt", "ns", "rm", "acme.int", "deep/**")
    again = command_in(printed, "of 40 files are removed from acme.int. To go on: ")
    assert again == ["ns", "rm", "acme.int", "deep/**"]
    capsys.readouterr()
    assert main(again) == 0
    assert _printed(capsys, "ns", "ls").count("acme.int") == 0


@pytest.mark.parametrize(
    ("stage", "arguments"),
    [
        (r"GET .*/_app\.json", ["doctor"]),
        (r"DELETE ", ["doctor"]),
        (r"GET .*/pools", ["doctor"]),
        (r"GET .*comp=list", ["ls"]),
        (r"GET .*/_runs/", ["ls", "--all"]),
        (r"GET .*/_runs/", ["show", "-"]),
        (r"GET .*comp=list", ["open"]),
        (r"GET .*/record\.json", ["open", "ended"]),
        (r"GET .*/pools", ["check", "m.yaml"]),
    ],
)
def test_what_only_reads_has_nothing_to_go_on_with(interrupted, ended, stage, arguments) -> None:
    """It ends as programs do that are interrupted, without a traceback."""
    Path("m.yaml").write_text("commands: [echo]")
    names = [ended.id if each == "ended" else each for each in arguments]
    assert "Traceback" not in interrupted(stage, *names)


@dataclass(frozen=True)
class Between:
    """What stands between commands and storage, and the description of a stack whose storage is behind it."""

    gateway: Gateway
    description: Path

    def interrupt(self, until: Callable[[str, str], bool], *arguments: str) -> tuple[int, str]:
        """Run a command, and send it SIGINT while it waits for an answer to such a request."""
        self.gateway.change(Weather.SILENT, until)
        environ = {**os.environ, "BATCHRUN_STACK": str(self.description), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "batchrun", *arguments]
        with subprocess.Popen(command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
            assert self.gateway.reached.wait(WAIT_SECONDS)
            run.send_signal(signal.SIGINT)
            self.gateway.change(Weather.FAIR)
            printed, _ = run.communicate(timeout=WAIT_SECONDS)
        assert "Traceback" not in printed
        return run.returncode, printed


@pytest.fixture
def between(stack, tmp_path) -> Iterator[Between]:
    settings = dict(stack.settings)
    blob = re.search(r"BlobEndpoint=(http://[^;]+);", settings["RunStorage"])
    assert blob is not None
    gateway = Gateway(urlsplit(blob[1]).port or 0, ("", ""))
    with contextlib.ExitStack() as running:
        port = running.enter_context(gateway.run(None))
        through = blob[1].replace(f":{urlsplit(blob[1]).port}/", f":{port}/")
        settings["RunStorage"] = settings["RunStorage"].replace(f"BlobEndpoint={blob[1]};", f"BlobEndpoint={through};")
        file = tmp_path / "described" / "stack.json"
        file.parent.mkdir()
        file.write_text(json.dumps({"settings": settings}))
        yield Between(gateway, file)


def test_sigint_while_files_go_up(between, capsys) -> None:
    def is_third(method: str, _path: str) -> bool:
        return method == "PUT" and sum("PUT" in each for each in between.gateway.seen) > 2

    code, printed = between.interrupt(is_third, "ns", "put", "acme.sig", "src")
    assert code == 130
    again = command_in(printed, "of 40 files are in acme.sig, all of them whole. To go on: ")
    there = _printed(capsys, "ns", "ls", "acme.sig").splitlines()
    assert len(there) < 40
    assert main(again) == 0
    assert main(["ns", "get", "acme.sig"]) == 0
    assert {path.read_text() for path in Path("acme.sig").iterdir()} == {f"content of {n}" for n in range(40)}
    assert main(["ns", "rm", "acme.sig", "**"]) == 0


def test_sigint_while_a_file_is_uploaded(between, runs) -> None:
    """Of its pieces, storage has made nothing; the next time all of it goes up."""
    Path("given.yaml").write_text(UPLOADS.replace("given", "piecewise"))
    content = os.urandom(20 * 1024 * 1024)
    Path("large.bin").write_bytes(content)

    def is_third(method: str, _path: str) -> bool:
        return method == "PUT" and sum("comp=block&" in each for each in between.gateway.seen) > 2

    code, printed = between.interrupt(is_third, "run", "given.yaml", "-i", "data=@large.bin")
    assert (code, printed) == (130, "Uploading large.bin, 20.0 MiB\nNothing has been dropped.\n")
    blob = f"{hashlib.sha256(content).hexdigest()}/large.bin"
    assert not runs.uploads._container.get_blob_client(blob).exists()
    assert main(["run", "given.yaml", "-i", "data=@large.bin", "--out", "whole"]) == 0
    assert Path("whole/logs/t/stdout.txt").read_bytes() == content


def test_sigint_while_results_come_down(between, ended) -> None:
    code, printed = between.interrupt(lambda _, path: path.endswith("3.csv"), "get", ended.id, "--out", "to")
    assert code == 130
    assert not [path for path in Path("to").rglob("*") if path.name.startswith(UNFINISHED)]
    assert all(path.stat().st_size for path in Path("to").rglob("*.csv"))
    assert main(command_in(printed, "To go on: ")) == 0


def test_sigint_while_cancel_waits(between, dropped, capsys) -> None:
    """The request has been made: the run is cancelled whoever waits for it."""
    ref = dropped("signalled", "commands: [sleep 600]")

    def is_waiting(_method: str, path: str) -> bool:
        return path.endswith("record.json") and any("PUT" in each for each in between.gateway.seen)

    code, printed = between.interrupt(is_waiting, "cancel", ref.id)
    assert (code, f"{ref.id} will be cancelled all the same.\n" in printed) == (130, True)
    main(command_in(printed, "To go on: "))
    told = capsys.readouterr()
    assert "is cancelled: KILLED." in told.out or "has ended already: KILLED." in told.err
