"""Storage refuses to read its own account, as it does behind some firewalls: copies are made another way."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError

from shared.storage import copies
from shared.storage.copies import Copies, CopyMethod, CopySource, CopyState

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

pytestmark = pytest.mark.sampled

CODE = "CannotVerifyCopySource"
TEXT = (
    "id: t\ncommands: ['cat {{ workingDir }}/a.txt given.txt > out.bin']\nnamespaceFiles: {enabled: true}\n"
    "inputFiles: {given.txt: ' given'}\noutputFiles: [out.bin]"
)
FLOW = f"id: f\nnamespace: n.s\ntasks:\n- {{id: t, {', '.join(TEXT.splitlines()[1:])}}}"


def is_copy_blob(request: Any) -> bool:
    return "x-ms-copy-source" in request.headers and "comp" not in parse_qs(urlsplit(request.url).query)


def is_block_from_url(request: Any) -> bool:
    return "x-ms-copy-source" in request.headers and not is_copy_blob(request)


class Refusing(BaseHTTPRequestHandler):
    """Answers as storage does that may not read the source of a copy."""

    code = CODE

    def do_PUT(self) -> None:
        """Refuse."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>refused</Message></Error>".encode()
        self.send_response(403)
        self.send_header("x-ms-error-code", self.code)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Any]]]:
    """Let some requests of an app's storage client be refused; returns all requests, as they are sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def patch(blobs: Any, *kinds: Callable[[Any], bool], code: str = CODE) -> list[Any]:
        monkeypatch.setattr(Refusing, "code", code)
        transport, requests = blobs._pipeline._transport, []
        send = transport.send

        def sent(request: Any, **options: Any) -> Any:
            requests.append(request)
            if any(is_refused(request) for is_refused in kinds):
                request.url = f"http://127.0.0.1:{server.server_port}/"
            return send(request, **options)

        monkeypatch.setattr(transport, "send", sent)
        return requests

    yield patch
    server.shutdown()
    thread.join()
    server.server_close()


def run_of_flow(world: Any) -> dict[str, Any]:
    world.put("namespaces", "n.s/a.txt", "from the namespace,")
    run = world.accept(text=FLOW)
    world.finish()
    record = world.record(run)
    assert record["state"] == "SUCCESS", record
    results = world._storage.get_container_client(world.settings.containers.results)
    assert results.download_blob(f"m/{run}/outputs/t/out.bin").readall() == b"from the namespace, given"
    assert results.download_blob(f"m/{run}/logs/t/stdout.txt").readall() == b""
    return record


def test_what_storage_refuses_to_copy_is_put_in_blocks_and_no_byte_passes_through_the_app(world, refuse) -> None:
    requests = refuse(world.app.copies._blobs, is_copy_blob)
    record = run_of_flow(world)
    assert record["warnings"] == []
    assert world.app.copies.method is CopyMethod.BLOCKS_FROM_URL
    assert not [request for request in requests if request.method == "GET" and request.url.endswith("/out.bin")]
    assert sum(map(is_copy_blob, requests)) <= 16, "one refusal is enough, apart from calls that are under way"


def test_where_that_is_refused_too_the_app_copies_and_the_record_says_so(world, refuse) -> None:
    refuse(world.app.copies._blobs, is_copy_blob, is_block_from_url)
    record = run_of_flow(world)
    (warning,) = record["warnings"]
    assert "passed through the function app" in warning["message"]
    assert world.app.copies.method is CopyMethod.BLOCKS_THROUGH_APP


def test_a_manifest_that_is_not_text_is_copied_that_way_as_well(world, refuse) -> None:
    refuse(world.app.copies._blobs, is_copy_blob)
    run = world.accept(text=b"\xff\xfe not text")
    results = world._storage.get_container_client(world.settings.containers.results)
    assert results.download_blob(f"m/{run}/manifest.yaml").readall() == b"\xff\xfe not text"
    assert world.record(run)["state"] == "REJECTED"


def test_any_other_refusal_is_an_error(world, refuse) -> None:
    """A missing role is not a firewall: nothing else would work either."""
    refuse(world.app.copies._blobs, is_copy_blob, code="AuthorizationPermissionMismatch")
    source, destination = large_blob(world)
    with pytest.raises(HttpResponseError) as refused:
        world.app.copies.copy(source, destination)
    assert refused.value.error_code == "AuthorizationPermissionMismatch"
    assert world.app.copies.method is CopyMethod.COPY_BLOB


CONTENT = bytes(range(250)) * 4


def large_blob(world: Any) -> tuple[CopySource, BlobClient]:
    """A blob of 1,000 bytes, and where it is copied to."""
    storage, names = world.app.copies._blobs, world.settings.containers
    storage.get_blob_client(names.staging, "large").upload_blob(CONTENT, metadata={"a": "b"})
    return CopySource(names.staging, "large"), storage.get_blob_client(names.results, "copy")


@pytest.fixture(params=[CopyMethod.BLOCKS_FROM_URL, CopyMethod.BLOCKS_THROUGH_APP])
def in_blocks(world, monkeypatch, request) -> Copies:
    """Copies in blocks of 300 bytes."""
    monkeypatch.setattr(copies, "BYTES_FROM_URL", 300)
    monkeypatch.setattr(copies, "BYTES_THROUGH_APP", 300)
    monkeypatch.setattr(copies, "BLOCKS_AT_ONCE", 1)
    made = Copies(world.app.copies._blobs, world.settings.storage.blob_endpoint)
    made.method = request.param
    return made


def test_a_copy_that_time_did_not_suffice_for_goes_on_where_it_was(world, in_blocks, monkeypatch) -> None:
    """Blocks that are there are not put again; each call here has the time for two of the four."""
    source, destination = large_blob(world)
    clock = itertools.count()
    monkeypatch.setattr(copies, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    states = [in_blocks.copy(source, destination, deadline=next(clock) + 2) for _ in range(2)]
    assert states == [CopyState.UNFINISHED, CopyState.DONE]
    assert destination.download_blob().readall() == CONTENT
    assert destination.get_blob_properties().metadata == {"a": "b"}


def test_blocks_become_a_blob_once(world, in_blocks) -> None:
    """Whoever is late must not replace what was recorded."""
    source, destination = large_blob(world)
    assert in_blocks.copy(source, destination) is CopyState.DONE
    with pytest.raises(ResourceExistsError):
        in_blocks.copy(source, destination)
    assert in_blocks.copy(source, destination, overwrite=True) is CopyState.DONE


def test_blocks_of_a_version_that_is_gone_are_not_mixed_with_those_of_the_next(world, in_blocks) -> None:
    source, destination = large_blob(world)
    original = world.app.copies._blobs.get_blob_client(source.container, source.blob)
    planned = CopySource(source.container, source.blob, original.get_blob_properties().etag)
    assert in_blocks.copy(planned, destination, deadline=0) is CopyState.UNFINISHED
    original.upload_blob(CONTENT[::-1], overwrite=True)
    with pytest.raises(ResourceModifiedError):
        in_blocks.copy(planned, destination)
    assert in_blocks.copy(source, destination) is CopyState.DONE
    assert destination.download_blob().readall() == CONTENT[::-1]


def test_an_empty_blob_has_no_blocks(world, in_blocks) -> None:
    storage, names = world.app.copies._blobs, world.settings.containers
    storage.get_blob_client(names.staging, "empty").upload_blob(b"")
    destination = storage.get_blob_client(names.results, "copy")
    assert in_blocks.copy(CopySource(names.staging, "empty"), destination) is CopyState.DONE
    assert destination.download_blob().readall() == b""
