"""Input files by address, and `read()`: files that lie elsewhere when the manifest is dropped."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.sampled

SHA256 = "7a2b1f1f0f3c40e2a9c3d8b0f6b1c2d3e4f5061728394a5b6c7d8e9f00112233"


@pytest.fixture
def web() -> Iterator[str]:
    """A web server with one file."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/data.txt" else 404)
            self.end_headers()
            self.wfile.write(b"from the web")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def allowing(make_world):
    """An app that may read the container `shared-data`."""
    world = make_world(ALLOWED_CONTAINERS="shared-data")
    container = world._storage.get_container_client("shared-data")
    if not container.exists():
        container.create_container()
    container.upload_blob("d/x.txt", b"from a blob", overwrite=True)
    return world


def run_text(world, text: str) -> dict:
    run = world.accept(text=text)
    world.finish()
    return world.record(run)


def test_files_come_from_namespaces_blobs_and_the_web(allowing, web: str) -> None:
    allowing.put("namespaces", "n.s/lib/a.txt", "from the namespace")
    allowing.put("namespaces", "other/b.txt", "from another")
    record = run_text(
        allowing,
        "id: t\nnamespace: n.s\nvariables: {name: lib/a.txt}\ninputFiles:\n"
        "  a.txt: nsfile:///{{ vars.name }}\n  deep/b.txt: nsfile://other/b.txt\n"
        f"  c.txt: blob://shared-data/d/x.txt\n  d.txt: {web}/data.txt\n"
        "commands:\n"
        '- \'echo "::{\\"outputs\\": {\\"all\\": \\"$(cat a.txt deep/b.txt c.txt d.txt)\\"}}::"\'',
    )
    assert record["state"] == "SUCCESS", record
    assert record["tasks"][0]["outputs"]["vars"]["all"] == "from the namespacefrom anotherfrom a blobfrom the web"


def test_the_value_of_a_file_input_is_an_address_for_input_files_and_read(allowing) -> None:
    allowing.put("namespaces", "n.s/a.txt", "from the namespace")
    record = run_text(
        allowing,
        "id: t\nnamespace: n.s\ninputs:\n- {id: own, type: FILE, defaults: 'nsfile:///a.txt'}\n"
        "- {id: other, type: FILE, allowedFileExtensions: [.txt], defaults: 'blob://shared-data/d/x.txt'}\n"
        "inputFiles: {a: '{{ inputs.own }}', b: '{{ inputs.other }}'}\ncommands:\n"
        '- \'echo "::{\\"outputs\\": {\\"all\\": \\"$(cat a b) {{ read(inputs.other) }}\\"}}::"\'',
    )
    assert record["state"] == "SUCCESS", record
    assert record["tasks"][0]["outputs"]["vars"]["all"] == "from the namespacefrom a blob from a blob"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nsfile:///none.txt", "there is no blob 'n.s/none.txt' in the container 'namespaces"),
        ("blob://shared-data/none", "there is no blob 'none' in the container 'shared-data'"),
        (
            "blob://others/x",
            "the container 'others' cannot be read; ALLOWED_CONTAINERS does not allow it",
        ),
    ],
)
def test_a_file_that_is_not_there_is_a_mistake_in_the_manifest(allowing, address: str, message: str) -> None:
    record = run_text(allowing, f"id: t\nnamespace: n.s\ncommands: [x]\ninputFiles:\n  a.txt: {address}")
    assert record["state"] == "REJECTED"
    (error,) = record["errors"]
    assert (error["path"], error["line"], error["message"].startswith(message)) == ("inputFiles.a.txt", 5, True)


def test_what_is_uploaded_for_a_run_may_always_be_named(world) -> None:
    """As a file and by read(), whatever ALLOWED_CONTAINERS says; and it stays where it is."""
    uploads, file = world.settings.containers.uploads, f"{SHA256}/data.csv"
    world.put("uploads", file, "a,b")
    record = run_text(
        world,
        f"id: t\ninputFiles: {{data.csv: 'blob://{uploads}/{file}'}}\n"
        f"commands: ['test $(cat data.csv){{{{ read(\"blob://{uploads}/{file}\") }}}} = a,ba,b']",
    )
    assert record["state"] == "SUCCESS", record
    assert world.names("uploads") == [file]


@pytest.mark.parametrize("name", ["flows", "namespaces", "staging", "results", "runs", "inbox"])
def test_no_glob_opens_the_apps_own_containers(make_world, name: str) -> None:
    """A stored flow is not read as a file, nor is a namespace but by nsfile://."""
    world = make_world(ALLOWED_CONTAINERS="*")
    container = getattr(world.settings.containers, name)
    for text, place in (
        (f"inputFiles: {{a: 'blob://{container}/n.s/f.yaml'}}", "inputFiles.a"),
        (f"env: {{A: '{{{{ read(\"blob://{container}/n.s/f.yaml\") }}}}'}}", "env.A"),
    ):
        record = run_text(world, f"id: t\ncommands: [x]\n{text}")
        (error,) = record["errors"]
        assert (record["state"], error["path"]) == ("REJECTED", place)
        reason = f"of the app's own only '{world.settings.containers.uploads}' can, and namespaces by nsfile://"
        assert f"the container '{container}' cannot be read; {reason}" in error["message"]


@pytest.mark.parametrize("name", ["flows", "uploads", "namespaces"])
def test_files_of_tasks_pass_through_none_of_the_apps_own_containers_but_staging(make_world, name: str) -> None:
    """Nodes would get an address that writes to all of it."""
    world = make_world(ALLOWED_CONTAINERS="*")
    container = getattr(world.settings.containers, name)
    text = f"id: t\ncommands: [x]\ntaskRunner: {{blobStorage: {{containerName: {container}}}}}"
    (error,) = run_text(world, text)["errors"]
    assert error["path"] == "taskRunner.blobStorage.containerName"
    assert error["message"].startswith("this container cannot be used here; name 'staging-")


def test_a_file_that_the_web_does_not_have_is_the_tasks_failure(world, web: str) -> None:
    record = run_text(world, f"id: t\ncommands: [x]\ninputFiles: {{a: '{web}/none'}}")
    assert (record["state"], record["tasks"][0]["state"]) == ("FAILED", "FAILED")


def test_input_files_may_be_a_text_that_renders_to_json(world) -> None:
    """What it holds is not rendered again."""
    record = run_text(
        world,
        "id: t\nvariables: {files: {a.txt: '{{ nothing }}'}}\ninputFiles: '{{ vars.files }}'\n"
        'commands: [\'test "$(cat a.txt)" = "{% raw %}{{ nothing }}{% endraw %}"\']',
    )
    assert record["state"] == "SUCCESS", record


def test_read_gives_the_text_of_a_namespace_file(world) -> None:
    world.put("namespaces", "n.s/items.json", '["a", "b"]')
    record = run_text(
        world, "id: t\nnamespace: n.s\nforeach: '{{ read(\"items.json\") }}'\ncommands: ['echo {{ item }}']"
    )
    assert [item["value"] for item in record["tasks"][0]["items"]["records"]] == ["a", "b"]


def test_read_gives_the_text_of_a_file_that_an_earlier_task_made(world) -> None:
    record = run_text(
        world,
        "tasks:\n- {id: a, commands: ['echo 41 > n.txt'], outputFiles: [n.txt]}\n"
        "- id: b\n  commands: ['test {{ read(outputs.a.outputFiles[\"n.txt\"]) | trim }} = 41']",
    )
    assert record["state"] == "SUCCESS", record
    assert [job["reason"] for job in record["jobs"]] == ["first", "values"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff\xfe", "big.txt cannot be read: it is not text in UTF-8"),
        (b"x" * (128 * 1024 + 1), "big.txt cannot be read: it has 131073 bytes, but the limit is 131072"),
        (None, "big.txt cannot be read: there is no such file"),
    ],
)
def test_what_cannot_be_read_is_a_mistake_in_the_manifest(world, text: bytes | None, message: str) -> None:
    if text is not None:
        world.put("namespaces", "n.s/big.txt", text)
    record = run_text(world, "id: t\nnamespace: n.s\ncommands: ['{{ read(\"big.txt\") }}']")
    assert record["state"] == "REJECTED"
    assert [(error["message"], error["line"]) for error in record["errors"]] == [(message, 3)]
