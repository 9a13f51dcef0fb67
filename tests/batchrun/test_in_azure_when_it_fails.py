"""Every verb on an app in Azure whose storage, or whose Batch account, refuses, is slow, does not answer, or goes away.

Something that does so stands in front of Azurite and of the local Batch service; the app itself does not notice.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from batchrun.__main__ import main
from batchrun.cli._web import RunServer
from batchrun.client.downloads import UNFINISHED
from shared.documents.names import results_folder
from tests.batchrun.deployed import Deployed, deployed_app
from tests.batchrun.weather import Gateway, Weather
from tests.integration.identity import BATCH_HOST, STORAGE_HOST, Certificate
from tests.integration.test_identity import azure_of, batch, certificate, storage
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

__all__ = ["batch", "certificate", "storage"]

DENIED = "<?xml version='1.0'?><Error><Code>AuthorizationPermissionMismatch</Code><Message>No.</Message></Error>"
BATCH_DENIED = json.dumps({"code": "PermissionDenied", "message": {"lang": "en-us", "value": "No."}})
VERBS = ("run", "run -i", "retry", "flows put", "logs -f", "cancel", "get", "open", "open list", "doctor")
LARGE = 6_000_000
ENDS = "id: {name}\ncommands: [sleep 1, 'head -c {large} /dev/zero > large.bin', echo said]\noutputFiles: [large.bin]\n"
WITH_A_FILE = (
    "id: {name}\nnamespace: acme\ninputs: [{{id: data, type: FILE}}]\ntasks: [{{id: t, commands: [sleep 1, cat in],"
    " inputFiles: {{in: '{{{{ inputs.data }}}}'}}}}]\n"
)


Until = Callable[[str, str], bool]


@dataclass(frozen=True)
class Place:
    """An app, what stands in front of its services, and a run of it that has ended."""

    deployed: Deployed
    gateways: dict[str, Gateway]
    ended: str

    def drop(self, name: str, text: str) -> str:
        """A run that Batch has; its id."""
        azure = self.deployed.azure
        run = azure.drop(f"{name}.yaml", text)
        status = azure.blobs.get_blob_client(azure.container("results"), f"{results_folder(name, run)}/status.json")
        wait_for(lambda: status.exists() and json.loads(status.download_blob().readall())["state"] == "RUNNING")
        return run

    def container(self, name: str) -> str:
        """How messages name a container."""
        return f"the container '{self.deployed.azure.container(name)}' of the storage account devstoreaccount1"


@pytest.fixture(scope="module")
def place(certificate: Certificate, storage: dict[str, str], batch: dict[str, str]) -> Iterator[Place]:
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        azure = stack.enter_context(azure_of(certificate, storage, batch, patch))
        deployed = stack.enter_context(deployed_app(azure, patch))
        refusals = {STORAGE_HOST: ("application/xml", DENIED), BATCH_HOST: ("application/json", BATCH_DENIED)}
        made: dict[str, Gateway] = {}
        for name, host in (("storage", STORAGE_HOST), ("batch", BATCH_HOST)):
            made[name] = Gateway(deployed.ports[host], refusals[host])
            deployed.ports[host] = stack.enter_context(made[name].run(certificate))
        run = azure.drop("past.yaml", ENDS.format(name="past", large=LARGE))
        record = f"{results_folder('past', run)}/record.json"
        runs = azure.blobs.get_container_client(azure.container("runs"))
        wait_for(azure.blobs.get_blob_client(azure.container("results"), record).exists)
        wait_for(lambda: not runs.get_blob_client(f"{run}.json").exists())
        yield Place(deployed, made, run)


@pytest.fixture(autouse=True)
def here(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A folder of its own, a person without much patience, and fair weather at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("batchrun.client._connections.RETRIES", 1)
    monkeypatch.setattr("batchrun.client._connections.PAUSE_SECONDS", 0.05)
    yield
    for gateway in place.gateways.values():
        gateway.change(Weather.FAIR)


@dataclass(frozen=True)
class Told:
    """How a command ended, and all that it has said."""

    code: int
    text: str


@pytest.fixture
def verb(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str, str, Weather], Told]:
    """Do something with the app in a weather that begins with the command, or with a request that it makes."""

    def done(verb: str, service: str, weather: Weather, path: str = "", until: Until | None = None) -> Told:
        arguments = _command(place, verb)
        if weather is Weather.SILENT:
            monkeypatch.setattr("batchrun.client._connections.READ_SECONDS", 3)
        seen: list[str] = []
        _browse(monkeypatch, seen, path)
        until = until or (_until(verb, service) if weather is Weather.GONE else lambda _method, _path: True)
        place.gateways[service].change(weather, until)
        code = main(arguments)
        printed = capsys.readouterr()
        return Told(code, "\n".join([printed.out, printed.err, *seen]))

    return done


def _command(place: Place, verb: str) -> list[str]:
    name = f"m{os.urandom(3).hex()}"
    text = ENDS.format(name=name, large=9)
    Path(f"{name}.yaml").write_text(WITH_A_FILE.format(name=name) if verb in ("run -i", "flows put") else text)
    Path(f"{name}.txt").write_text(name)
    commands: dict[str, Callable[[], list[str]]] = {
        "run": lambda: ["run", f"{name}.yaml", "--out", "out"],
        "run -i": lambda: ["run", f"{name}.yaml", "-i", f"data=@{name}.txt", "--out", "out"],
        "retry": lambda: ["retry", place.ended, "--task", "past", "--out", "out"],
        "flows put": lambda: ["flows", "put", f"{name}.yaml"],
        "logs -f": lambda: ["logs", place.drop(name, text), "-f"],
        "cancel": lambda: ["cancel", place.drop(name, f"id: {name}\ncommands: [sleep 600]")],
        "get": lambda: ["get", place.ended, "--out", "out"],
        "open": lambda: ["open", place.ended],
        "open list": lambda: ["open"],
        "doctor": lambda: ["doctor"],
    }
    return commands[verb]()


def _until(verb: str, service: str) -> Callable[[str, str], bool]:
    """When a service that goes away does so: where most would be half done."""
    if service == "batch":
        return lambda _method, _path: True
    ends = {
        "run": r"GET .*/record\.json",
        "run -i": r"PUT .*comp=block&",
        "retry": r"PUT .*\.yaml",
        "flows put": r"PUT .*\.yaml",
        "logs -f": r"GET .*/record\.json",
        "cancel": r"PUT .*\.cancel",
        "get": r"GET .*/large\.bin",
        "open": r"GET .*/report\.html",
        "open list": r"GET .*comp=list",
        "doctor": r"DELETE .*",
    }
    return lambda method, path: bool(re.match(ends[verb], f"{method} {path}"))


def _browse(monkeypatch: pytest.MonkeyPatch, seen: list[str], path: str) -> None:
    """A browser that asks for the address, or for a path in place of the report; then comes Ctrl-C."""
    opened: list[str] = []

    def interrupted(self: RunServer) -> None:
        thread = threading.Thread(target=RunServer.__mro__[1].serve_forever, args=(self,), daemon=True)
        thread.start()
        parts = urlsplit(opened[0])
        connection = http.client.HTTPConnection(parts.hostname, parts.port)
        connection.request("GET", parts.path.replace("report.html", path or "report.html"))
        answer = connection.getresponse()
        try:
            seen.append(f"{answer.status} {answer.read().decode()}")
        except http.client.IncompleteRead:
            seen.append("the browser knows that this is not the whole file")
        connection.close()
        self.shutdown()
        raise KeyboardInterrupt

    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    monkeypatch.setattr(RunServer, "serve_forever", interrupted)


READER = "you need the role 'Storage Blob Data Reader' on "
CONTRIBUTOR = "you need the role 'Storage Blob Data Contributor' on "
ACCOUNT = "The Batch account local "
ROLE = f"{ACCOUNT}refuses: you need the role 'Azure Batch Account Reader' on it."
NO_ANSWER = f"The app of https://{STORAGE_HOST} does not answer."
HIDDEN = "its tasks cannot be shown. "
GOES_ON = ("goes on. To cancel it: ", "To fetch its results: ")

NOTHING_DROPPED = "Nothing has been dropped."
CONTAINERS = ("inbox", "results", "runs", "namespaces", "flows", "uploads")

EXPECTED: dict[tuple[str, str, Weather], tuple[int, tuple[str, ...]]] = {
    **{(verb, "storage", Weather.REFUSES_READS): (3, (READER + "{results}",)) for verb in VERBS},
    **{(verb, "storage", Weather.SILENT): (3, (NO_ANSWER,)) for verb in VERBS},
    ("run", "storage", Weather.REFUSES_WRITES): (3, (CONTRIBUTOR + "{inbox}",)),
    ("run -i", "storage", Weather.REFUSES_WRITES): (3, (CONTRIBUTOR + "{uploads}", NOTHING_DROPPED)),
    ("retry", "storage", Weather.REFUSES_WRITES): (3, (CONTRIBUTOR + "{inbox}",)),
    ("flows put", "storage", Weather.REFUSES_WRITES): (3, (CONTRIBUTOR + "{flows}",)),
    ("cancel", "storage", Weather.REFUSES_WRITES): (3, (CONTRIBUTOR + "{inbox}", "To go on: ")),
    ("doctor", "storage", Weather.REFUSES_WRITES): (1, (CONTRIBUTOR + "{inbox}", CONTRIBUTOR + "{namespaces}")),
    ("run", "storage", Weather.GONE): (3, (NO_ANSWER, *GOES_ON)),
    ("run -i", "storage", Weather.GONE): (3, (NO_ANSWER, NOTHING_DROPPED)),
    ("retry", "storage", Weather.GONE): (
        3,
        (NO_ANSWER, "retry of past-", "may have been dropped, or not. To see it: "),
    ),
    ("flows put", "storage", Weather.GONE): (3, (NO_ANSWER,)),
    ("logs -f", "storage", Weather.GONE): (3, (NO_ANSWER, "To go on: ")),
    ("cancel", "storage", Weather.GONE): (3, (NO_ANSWER, "To go on: ")),
    ("get", "storage", Weather.GONE): (3, (NO_ANSWER, "files are in out, all of them whole. To go on: ")),
    ("open", "storage", Weather.GONE): (0, (f"502 {NO_ANSWER}",)),
    ("open list", "storage", Weather.GONE): (3, (NO_ANSWER,)),
    ("doctor", "storage", Weather.GONE): (1, (NO_ANSWER,)),
    **{(verb, "batch", Weather.REFUSES_READS): (0, (HIDDEN + ROLE,)) for verb in ("run", "run -i", "retry")},
    ("logs -f", "batch", Weather.REFUSES_READS): (0, (ROLE, "out | said")),
    ("doctor", "batch", Weather.REFUSES_READS): (1, (ROLE,)),
    **{
        (verb, "batch", each): (0, (f"{HIDDEN}{ACCOUNT}does not answer.",))
        for each in (Weather.SILENT, Weather.GONE)
        for verb in ("run", "run -i", "retry")
    },
    **{
        ("logs -f", "batch", each): (0, (f"{ACCOUNT}does not answer.", "out | said"))
        for each in (Weather.SILENT, Weather.GONE)
    },
    **{("doctor", "batch", each): (1, (f"{ACCOUNT}does not answer.",)) for each in (Weather.SILENT, Weather.GONE)},
}
"""What does not end as in fair weather: the exit code, and what is said."""
FAIR = {
    "run": "SUCCESS",
    "run -i": "SUCCESS",
    "retry": "SUCCESS",
    "flows put": " stored",
    "logs -f": "out | said",
    "cancel": "is cancelled: KILLED.",
    "get": "files fetched: out/",
    "open": "200 <!doctype html>",
    "open list": "200 <!doctype html>",
    "doctor": " ok  pool local",
}


SLOW = {case for case in EXPECTED if case[2] is Weather.SILENT and case[0] not in ("run", "get", "doctor")}
CASES = [
    pytest.param(
        *case,
        marks=() if case in EXPECTED.keys() - SLOW else pytest.mark.chaos,
        id="-".join((*case[:2], case[2].name)),
    )
    for case in itertools.product(VERBS, ("storage", "batch"), Weather)
    if case[2] is not Weather.FAIR
]


@pytest.mark.parametrize(("name", "service", "weather"), CASES)
def test_what_fails_is_told_with_what_to_do_and_the_rest_is_done(
    place: Place, verb: Callable[[str, str, Weather], Told], name: str, service: str, weather: Weather
) -> None:
    """Who lacks a role is told which, on what; nothing on disk is half of a file."""
    code, said = EXPECTED.get((name, service, weather), (0, (FAIR[name],)))
    told = verb(name, service, weather)
    assert told.code == code, told.text
    for text in said:
        places = {each: place.container(each) for each in CONTAINERS}
        assert text.format(**places).lower() in told.text.lower(), told.text
    files = [path for path in Path("out").rglob("*") if path.is_file()]
    assert not [path for path in files if path.name.startswith(UNFINISHED)]
    assert {path.stat().st_size for path in files if path.name == "large.bin"} <= {9, LARGE}
    if code == 0 and name in ("run", "run -i", "retry", "get"):
        assert [path.name for path in files if path.name == "record.json"]


@pytest.mark.parametrize(
    ("name", "code", "says_why"),
    [
        *(("run", 0, True), ("logs -f", 0, True), ("cancel", 3, True), ("get", 0, False), ("open", 0, False)),
        *(("open list", 3, True), ("doctor", 1, True)),
    ],
)
def test_without_the_role_on_runs_what_has_ended_can_be_had_all_the_same(
    place: Place, verb: Callable[..., Told], name: str, code: int, says_why: bool
) -> None:
    """And a run is watched by what its results say of it."""
    runs = f"/{place.deployed.azure.container('runs')}"
    told = verb(name, "storage", Weather.REFUSES_READS, until=lambda _, path: runs in path)
    assert told.code == code, told.text
    assert (f"{READER}{place.container('runs')}" in told.text) is says_why
    assert code or FAIR[name].lower() in told.text.lower()


def test_a_stored_flow_that_a_person_may_not_read_is_checked_by_the_app(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which is said in one line; what is wrong is told by the record, at its place."""
    flows = place.deployed.azure.container("flows")
    place.deployed.azure.put("flows", "acme/hidden.yaml", "id: hidden\nnamespace: acme\ncomands: [x]\n")
    place.gateways["storage"].change(Weather.REFUSES_READS, lambda _, path: f"/{flows}" in path)
    assert main(["run", "acme/hidden", "--out", "out"]) == 1
    printed, told = capsys.readouterr()
    reason = f"Storage refuses: {READER}{place.container('flows')}. (AuthorizationPermissionMismatch)"
    assert told == f"Only the app can read acme/hidden, so only the app checks it. ({reason})\n"
    assert "    flows/acme/hidden.yaml:3:1: comands: unknown property" in printed
    assert main(["flows", "get", "acme/hidden"]) == 3
    assert reason in capsys.readouterr().err


def test_a_list_says_why_it_has_no_tasks(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """Once, and nothing else is missing; so does the view of one run. Its logs are not to be had."""
    run = place.drop("listed", "id: listed\ncommands: [sleep 600]")
    place.gateways["batch"].change(Weather.REFUSES_READS)
    assert main(["ls"]) == 0
    printed, told = capsys.readouterr()
    assert run in printed
    assert told.count(f"Tasks of open runs cannot be shown. {ROLE}") == 1
    assert main(["show", run]) == 0
    assert f"  {HIDDEN}{ROLE}" in capsys.readouterr().out
    assert main(["logs", run]) == 3
    assert ROLE in capsys.readouterr().err
    assert main(["cancel", run]) == 0


def test_a_file_that_breaks_off_in_the_browser_is_not_taken_for_a_whole_one(
    place: Place, verb: Callable[..., Told]
) -> None:
    """Its first part has been sent: there is no way back to an error page, which would be in the middle of the file."""

    def is_second_part(_method: str, path: str) -> bool:
        return "large.bin" in path and sum("large.bin" in each for each in place.gateways["storage"].seen) > 1

    told = verb("open", "storage", Weather.GONE, "outputs/past/large.bin", is_second_part)
    assert (told.code, told.text.splitlines()[-1]) == (0, "the browser knows that this is not the whole file")


@pytest.mark.parametrize("name", ["run", "run -i", "retry", "cancel"])
def test_a_person_without_the_role_to_write_leaves_nothing_behind(
    place: Place, verb: Callable[[str, str, Weather], Told], name: str
) -> None:
    """No manifest, no request, and no folder of results."""
    verb(name, "storage", Weather.REFUSES_WRITES)
    azure = place.deployed.azure
    assert list(azure.blobs.get_container_client(azure.container("inbox")).list_blob_names()) == []
    assert not Path("out").exists()
