"""`open`: what the server on the loopback interface gives, to whom, and until when."""

from __future__ import annotations

import http.client
import re
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, ContentSettings

from batchrun.cli import open as open_verb
from batchrun.cli._web import RunServer
from batchrun.client.apps import App
from batchrun.client.refs import RunRef
from batchrun.client.results import RunResults
from batchrun.client.runs import Runs
from local.__main__ import main
from shared.errors import RunUnreadable
from tests.support.waiting import WAIT_SECONDS, wait_for

pytestmark = pytest.mark.sampled

RUN = RunRef("m-20261128t100000-0a1b2c3d", "team/m/m-20261128t100000-0a1b2c3d")
OTHER = "m-20261128t110000-99999999"


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(address: str, method: str = "GET", **headers: str) -> Answer:
    """Ask for an address exactly as it is written: dots in it stay."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=WAIT_SECONDS)
    connection.putrequest(method, address.partition(parts.netloc)[2] or "/", skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = Answer(answer.status, dict(answer.getheaders()), answer.read())
    connection.close()
    return found


@pytest.fixture(scope="module")
def server(azurite):
    """A server for one run, in a container that has another run and a file beside it."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        container = blobs.create_container("opened")
        for name in ("report.html", "outputs/a/x.csv", "outputs/a/ü #%.txt", "outputs/a/site/index.html"):
            container.upload_blob(f"{RUN.folder}/{name}", f"<p>{name}</p>")
        svg = ContentSettings(content_type="image/svg+xml")
        container.upload_blob(f"{RUN.folder}/outputs/a/x.svg", "<svg/>", content_settings=svg)
        container.upload_blob(f"{RUN.folder}/large", bytes(9_000_000))
        container.upload_blob(f"team/m/{OTHER}/report.html", "another")
        container.upload_blob("_app.json", "{}")
        with RunServer(RunResults(container), lambda run_id: RUN if run_id == RUN.id else None) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield server
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("name", "asked", "content_type"),
    [
        ("report.html", "report.html", "text/html; charset=utf-8"),
        ("outputs/a/x.csv", "outputs/a/x.csv", "text/csv; charset=utf-8"),
        ("outputs/a/ü #%.txt", "outputs/a/%C3%BC%20%23%25.txt?x#y", "text/plain; charset=utf-8"),
    ],
)
def test_files_of_the_run_are_given_in_a_sandbox(server, name, asked, content_type) -> None:
    """What tasks have made may be a page with scripts: it has no access to others. No other site may read any."""
    answer = ask(server.address(f"{RUN.folder}/{asked}"))

    assert (answer.status, answer.body.decode()) == (200, f"<p>{name}</p>")
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Content-Security-Policy"].startswith("sandbox ")
    assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_what_storage_knows_of_a_type_counts_and_large_files_are_whole(server) -> None:
    assert ask(server.address(f"{RUN.folder}/outputs/a/x.svg")).headers["Content-Type"] == "image/svg+xml"
    assert len(ask(server.address(f"{RUN.folder}/large")).body) == 9_000_000


@pytest.mark.parametrize(
    "path",
    [
        f"{RUN.folder}/no",
        f"{RUN.folder}",
        f"{RUN.id}/report.html",
        f"team/{RUN.folder}/report.html",
        f"team/m/{OTHER}/report.html",
        f"{RUN.folder}/../{OTHER}/report.html/{RUN.folder}/report.html",
        f"{RUN.folder}/",
        f"{RUN.folder}/../{OTHER}/report.html",
        f"{RUN.folder}/..%2F{OTHER}/report.html",
        f"{RUN.folder}/%2e%2e/%2e%2e/%2e%2e/_app.json",
        f"{RUN.folder}/outputs/..\\..\\x",
        f"{RUN.folder}//report.html",
        f"{RUN.folder}/a%00b",
        f"{OTHER}/report.html",
        "",
        "..",
        "%",
    ],
)
def test_only_files_of_the_run_are_given(server, path) -> None:
    assert ask(server.address(path)).status == 404


def test_without_the_token_or_by_another_name_of_the_host_nothing_is_given(server) -> None:
    """A page of another site may resolve its own name to this machine."""
    good = server.address(f"{RUN.folder}/report.html")
    assert server.server_address[0] == "127.0.0.1"
    for address in (good.replace(server.token, "x"), good.replace(server.token, "ü%C3"[1:]), f"http://{server.host}/"):
        assert ask(address).status == 403
    for host in ("evil.example", f"localhost:{server.server_port}", "127.0.0.1", ""):
        assert ask(good, Host=host).status == 403
    assert len(server.token) >= 32


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_but_get_is_answered(server, method) -> None:
    answer = ask(server.address(f"{RUN.folder}/report.html"), method)
    assert (answer.status, "Access-Control-Allow-Origin" in answer.headers) == (501, False)


@pytest.fixture
def opened(stack, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Run `open`; its browser asks for the address, and for more that depends on the answer; then comes Ctrl-C."""

    def opened(*arguments: str, then: Callable[[str], object] = ask) -> tuple[int, object, str, str]:
        answers: list[object] = []

        def browse(address: str) -> bool:
            def look() -> None:
                answers.append(then(address))
                done.set()

            threading.Thread(target=look, daemon=True).start()
            return True

        def interrupted(self: RunServer) -> None:
            thread = threading.Thread(target=RunServer.__mro__[1].serve_forever, args=(self,), daemon=True)
            thread.start()
            assert done.wait(WAIT_SECONDS)
            self.shutdown()
            raise KeyboardInterrupt

        done = threading.Event()
        monkeypatch.setattr(webbrowser, "open", browse)
        monkeypatch.setattr(RunServer, "serve_forever", interrupted)
        code = main(["open", *arguments, "--data-dir", str(stack.data_dir.path)])
        return code, answers[0] if answers else None, *capsys.readouterr()

    return opened


@pytest.fixture(scope="module")
def ended(stack, tmp_path_factory):
    """A complete run."""
    return run_to_its_end(stack, tmp_path_factory.mktemp("manifest"), "open-ended", "commands: [echo hi]")


def run_to_its_end(stack, folder: Path, name: str, text: str) -> RunRef:
    """Drop a manifest, and wait until its run is complete."""
    file = folder / f"{name}.yaml"
    file.write_text(text)
    with Runs.of(App.of_stack(stack.data_dir.path)) as runs:
        ref = runs.inbox.drop(file).ref
        wait_for(lambda: runs.results.record(ref) and not runs.open_run(ref.id))
    return ref


def test_the_report_of_a_run_is_there_until_ctrl_c(opened, ended) -> None:
    """With the files that it links to."""
    code, answer, printed, _ = opened(ended.id[:-2])

    assert (code, answer.status) == (0, 200)
    assert ended.id.encode() in answer.body
    assert printed.startswith("Opened http://127.0.0.1:")
    _, log, *_ = opened("-", then=lambda address: ask(address.replace("report.html", "logs/task/stdout.txt")))
    assert log.body == b"hi\n"


def test_the_report_of_a_retry_leads_to_that_of_the_earlier_run(opened, stack, tmp_path) -> None:
    """Of a manifest with another name, in which characters mean something in addresses; and from there to the first."""
    first = run_to_its_end(stack, tmp_path, "open #1 ünï", "id: t\ncommands: [exit 3]")
    second = run_to_its_end(stack, tmp_path, "open-second", f"retry: '{first.folder}'")
    third = run_to_its_end(stack, tmp_path, "open-third", f"retry: '{second.folder}'")

    def look(address: str) -> list[Answer]:
        answers = [ask(address)]
        for _ in range(2):
            link = re.search(rb'Retry of <a href="([^"]*)"', answers[-1].body)[1].decode()
            address = urljoin(address, link)
            answers.append(ask(address))
        return answers

    _, answers, *_ = opened(third.id, then=look)
    titles = [re.search(rb"<title>(.*?)</title>", answer.body)[1].decode() for answer in answers]
    assert titles == [f"FAILED · t · {run.id}" for run in (third, second, first)]


def test_without_a_run_it_is_a_list_that_links_to_reports(opened, ended) -> None:
    """Its script is its own, by a nonce that no other page has."""

    def look(address: str) -> list[Answer]:
        return [ask(address), ask(f"{address}{ended.folder}/report.html"), ask(address), ask(f"{address}m/{OTHER}/x")]

    code, (page, report, again, unknown), *_ = opened(then=look)

    assert (code, page.status, report.status, again.status, unknown.status) == (0, 200, 200, 200, 404)
    assert f'"id":"{ended.id}"'.encode() in page.body
    nonces = {answer.headers["Content-Security-Policy"].partition("'nonce-")[2][:22] for answer in (page, again)}
    assert len(nonces) == 2


def test_a_run_that_is_open_has_no_report_yet(opened, stack, tmp_path) -> None:
    (tmp_path / "open-runs.yaml").write_text(f"commands: ['until [ -e {tmp_path}/gate ]; do sleep 0.05; done']")
    with Runs.of(App.of_stack(stack.data_dir.path)) as runs:
        ref = runs.inbox.drop(tmp_path / "open-runs.yaml").ref
        wait_for(lambda: runs.open_run(ref.id))
    code, answer, printed, errors = opened(ref.id)
    (tmp_path / "gate").touch()

    assert (code, answer, printed) == (1, None, "")
    assert errors.startswith(f"{ref.id} has not ended: its report is written when it has. Until then: python -m local ")


def test_storage_that_fails_is_told_in_the_browser(server, monkeypatch) -> None:
    for error in (HttpResponseError("refused"), open_verb.ClientError("refused"), RunUnreadable("refused")):

        def fail(*_arguments: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(server.results, "opened", fail)
        answer = ask(server.address(f"{RUN.folder}/report.html"))
        assert (answer.status, answer.body) == (502, b"refused\n")
