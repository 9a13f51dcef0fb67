"""`get`: what is fetched, what is not, and that no file is ever half of one."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from batchrun.client.apps import App
from batchrun.client.crate.metadata import METADATA
from batchrun.client.downloads import PIECE, UNFINISHED, Download, RemoteFile, listed
from batchrun.client.runs import Runs
from local.__main__ import main
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

NUMBERS = itertools.count()


@pytest.fixture
def container(azurite):
    """An empty container."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        yield blobs.create_container(f"get-{next(NUMBERS)}")


@pytest.fixture
def fetch(container, tmp_path):
    """Fetch what is in the container into a folder."""

    def fetch(files: list[RemoteFile] | None = None, source: object = None) -> Download:
        download = Download(source or container, tmp_path / "out", lambda _: None)
        download.fetch(list(listed(container, "run/")) if files is None else files)
        return download

    return fetch


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their paths."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_fetched_whole_with_the_time_of_their_blobs(container, fetch, tmp_path) -> None:
    """Large ones in pieces; empty ones and long names are files as well."""
    contents = {
        "a.txt": b"a",
        "empty": b"",
        "deep/er/ü b#%.txt": b"deep",
        "n" * 255: b"long",
        "large.bin": os.urandom(2 * PIECE + 7),
        "exact.bin": os.urandom(PIECE),
    }
    for name, content in contents.items():
        container.upload_blob(f"run/{name}", content)
    container.upload_blob("other/x", b"x")

    done = fetch()

    assert tree(tmp_path / "out") == contents
    assert (done.fetched, done.present, done.problems) == (len(contents), 0, [])
    modified = container.get_blob_client("run/a.txt").get_blob_properties().last_modified.timestamp()
    assert (tmp_path / "out" / "a.txt").stat().st_mtime == modified


def test_what_is_there_with_the_same_size_and_time_is_not_fetched_again(container, fetch, tmp_path) -> None:
    """What was changed or removed is."""
    for name in ("same", "longer", "later", "gone"):
        container.upload_blob(f"run/{name}", name.encode())
    fetch()
    (tmp_path / "out" / "longer").write_text("changed a lot")
    (tmp_path / "out" / "later").write_text("LATER")
    (tmp_path / "out" / "gone").unlink()
    before = (tmp_path / "out" / "same").stat().st_ino

    done = fetch()

    assert (done.fetched, done.present) == (3, 1)
    assert tree(tmp_path / "out") == {name: name.encode() for name in ("same", "longer", "later", "gone")}
    assert (tmp_path / "out" / "same").stat().st_ino == before


@pytest.mark.parametrize(
    "name", ["../up", "a/../../up", "/abs", "a//b", ".", "a/.", "a\\..\\b", "line\nbreak", "", "nul\0"]
)
def test_a_name_that_leaves_the_folder_is_not_written(container, fetch, tmp_path, name) -> None:
    """Storage gives the names; the other files come."""
    container.upload_blob("run/good", b"good")
    [good] = listed(container, "run/")
    bad = RemoteFile("run/good", name, good.bytes, good.etag, good.modified)

    done = fetch([bad, good])

    assert tree(tmp_path) == {"out/good": b"good"}
    assert len(done.problems) == 1
    assert "outside of" in done.problems[0]


def test_a_link_in_the_folder_is_no_way_out_of_it(container, fetch, tmp_path) -> None:
    """Neither that of a folder nor that of a file."""
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "out" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "file").symlink_to(tmp_path / "kept")
    container.upload_blob("run/folder/x", b"x")
    container.upload_blob("run/file", b"new")

    done = fetch()

    assert [problem.partition(" ")[0] for problem in done.problems] == ["folder/x"]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (tmp_path / "kept").read_text() == "kept"
    assert (tmp_path / "out" / "file").read_bytes() == b"new"
    assert not (tmp_path / "out" / "file").is_symlink()


def test_a_blob_that_is_gone_or_replaced_leaves_nothing(container, fetch, tmp_path) -> None:
    """Not an empty file: it was listed, and removed before it was read."""
    for name in ("gone", "replaced", "good"):
        container.upload_blob(f"run/{name}", name.encode())
    files = list(listed(container, "run/"))
    container.delete_blob("run/gone")
    container.upload_blob("run/replaced", b"another", overwrite=True)

    done = fetch(files)

    assert tree(tmp_path / "out") == {"good": b"good"}
    assert sorted(problem.partition(" ")[0] for problem in done.problems) == ["gone", "replaced"]


def test_a_name_that_is_a_file_and_a_folder_keeps_nothing_else_back(container, fetch, tmp_path) -> None:
    """Storage can have both, a file system cannot."""
    for name in ("a", "a/b", "c"):
        container.upload_blob(f"run/{name}", b"x")

    done = fetch()

    assert len(done.problems) == 1
    assert "cannot be written" in done.problems[0]
    assert (tmp_path / "out" / "c").read_bytes() == b"x"


class Source:
    """A container of which the piece that begins at `at` is answered by `answer`."""

    def __init__(self, container: object, at: int, answer: Callable[[], object]) -> None:
        self._container = container
        self._at = at
        self._answer = answer

    def download_blob(self, blob: str, *, offset: int, **options: object) -> object:
        """The piece, or what is to happen instead."""
        if offset == self._at:
            return self._answer()
        return self._container.download_blob(blob, offset=offset, **options)


def test_a_storage_that_fails_or_an_interruption_leaves_nothing_half_written(container, fetch, tmp_path) -> None:
    """Files that were whole before stay."""
    container.upload_blob("run/a", b"whole")
    container.upload_blob("run/large", bytes(4 * PIECE))
    first = threading.Event()

    for failure in (HttpResponseError("refused"), KeyboardInterrupt()):

        def fail(failure: BaseException = failure) -> object:
            first.set()
            raise failure

        with pytest.raises(type(failure)):
            fetch(source=Source(container, 3 * PIECE, fail))
        assert tree(tmp_path / "out") in ({"a": b"whole"}, {})
        assert first.is_set()

    assert fetch().problems == []
    assert (tmp_path / "out" / "large").stat().st_size == 4 * PIECE


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also where a shell has started the tests in the background and ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_it_soon_and_leaves_nothing_half_written(container, fetch, tmp_path) -> None:
    """Pieces that wait are not fetched any more."""
    container.upload_blob("run/large", bytes(40 * PIECE))
    asked: list[int] = []

    class Interrupting:
        def download_blob(self, blob: str, *, offset: int, **options: object) -> object:
            asked.append(offset)
            if offset == 0:
                os.kill(os.getpid(), signal.SIGINT)
            return container.download_blob(blob, offset=offset, **options)

    with pytest.raises(KeyboardInterrupt):
        fetch(source=Interrupting())

    assert tree(tmp_path / "out") == {}
    assert len(asked) < 40


def test_a_full_disk_is_told_and_leaves_nothing_half_written(container, fetch, tmp_path) -> None:
    """The other pieces of that file are not fetched any more; other files are."""
    container.upload_blob("run/large", bytes(2 * PIECE))
    container.upload_blob("run/small", b"small")

    def fail() -> object:
        def no_room() -> bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return SimpleNamespace(readall=no_room)

    done = fetch(source=Source(container, PIECE, fail))

    assert tree(tmp_path / "out") == {"small": b"small"}
    assert done.problems == [f"{tmp_path / 'out' / 'large'} cannot be written: No space left on device."]


@pytest.fixture(scope="module")
def ref(stack, tmp_path_factory):
    """A complete run with some files, and an open run's status that was left behind."""
    file = tmp_path_factory.mktemp("manifest") / "get-run.yaml"
    file.write_text("commands: ['mkdir d; echo 1 > a.csv; echo 2 > d/b.csv; echo 3 > c.txt']\noutputFiles: ['**']")
    with Runs.of(App.of_stack(stack.data_dir.path)) as runs:
        found = runs.inbox.drop(file).ref
        wait_for(lambda: runs.results.record(found) and not runs.open_run(found.id))
    with BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        blobs.get_blob_client("results", f"{found.folder}/status.json").upload_blob(b"")
    return found


@pytest.fixture
def get(stack, capsys, tmp_path, monkeypatch):
    """Run `get` in a folder of its own; returns its exit code and what it wrote on stdout and stderr."""
    data_dir = stack.data_dir.path.resolve()
    monkeypatch.chdir(tmp_path)

    def get(*arguments: str) -> tuple[int, str, str]:
        code = main(["get", *arguments, "--data-dir", str(data_dir)])
        return code, *capsys.readouterr()

    return get


def test_the_results_of_a_run_are_fetched_into_a_folder_of_its_name(get, ref, tmp_path) -> None:
    """All but its status, which is that of an open run; and only once."""
    code, printed, errors = get(ref.id)

    names = set(tree(tmp_path / ref.id))
    assert (code, errors) == (0, "")
    assert {name for name in names if name.startswith("outputs/")} == {
        f"outputs/task/{name}" for name in ("a.csv", "d/b.csv", "c.txt")
    }
    assert {"record.json", "report.html", "manifest.yaml"} <= names
    assert "status.json" not in names
    assert printed.endswith(f"{len(names)} files fetched: {ref.id}/\n")
    assert get(ref.id)[1].endswith(f"0 files fetched, {len(names)} were there already: {ref.id}/\n")


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*.csv"], {"outputs/task/a.csv", "outputs/task/d/b.csv"}),
        (["outputs/*/*.csv"], {"outputs/task/a.csv"}),
        (["outputs/task/d"], {"outputs/task/d/b.csv"}),
        (["{record,tasks}.json", "regex:.*/c\\.txt"], {"record.json", "outputs/task/c.txt"}),
    ],
)
def test_patterns_are_those_of_manifests(get, ref, tmp_path, patterns, names) -> None:
    assert get(ref.id, *patterns, "--out", "to")[0] == 0
    assert set(tree(tmp_path / "to")) == names


def test_patterns_that_match_nothing_or_are_none_are_told(get, ref, tmp_path) -> None:
    assert get(ref.id, "*.nothing") == (1, "", f"{ref.id} has no results that match.\n")
    code, _, errors = get(ref.id, "{a,{b}}")
    assert (code, errors) == (2, "The pattern '{a,{b}}' has a group in a group: {a,{b,c}} is written {a,b,c}.\n")
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_says_how_to_go_on(get, ref, tmp_path, monkeypatch) -> None:
    """By a command that works when pasted."""

    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Download, "_read", interrupt)
    code, printed, _ = get(ref.id, "*.csv", "--crate", "--out", "the folder")

    assert code == 130
    last = printed.splitlines()[-1]
    assert last.startswith("0 of 3 files are in the folder, all of them whole. To go on: python -m local get")
    assert last.endswith(f"{ref.id} '*.csv' --out 'the folder' --crate")
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(UNFINISHED)] == []


def parts_of_crate(folder: Path) -> dict[str, dict[str, object]]:
    """The files that a crate describes, by their paths."""
    graph = json.loads((folder / METADATA).read_text())["@graph"]
    return {unquote(each["@id"]): each for each in graph if "File" in each["@type"]}


def test_a_crate_describes_all_that_was_fetched(get, ref, tmp_path) -> None:
    """The same each time, with what the record has of the files."""
    code, printed, errors = get(ref.id, "--crate", "--out", "to")

    folder = tmp_path / "to"
    assert (code, errors) == (0, "")
    assert printed.endswith(f"What ran is described in to/{METADATA}\n")
    parts = parts_of_crate(folder)
    assert set(parts) == set(tree(folder)) - {METADATA}
    assert {name: int(str(part["contentSize"])) for name, part in parts.items()} == {
        name: len(content) for name, content in tree(folder).items() if name != METADATA
    }
    assert parts["outputs/task/d/b.csv"]["md5"] == hashlib.md5(b"2\n").hexdigest()
    assert ref.id in (folder / METADATA).read_text()
    first = (folder / METADATA).read_bytes()
    assert get(ref.id, "--crate", "--out", "to")[0] == 0
    assert (folder / METADATA).read_bytes() == first
    assert [path for path in folder.iterdir() if path.name.startswith(UNFINISHED)] == []


def test_a_crate_of_some_files_has_these_and_the_manifest(get, ref, tmp_path) -> None:
    assert get(ref.id, "*.csv", "--crate", "--out", "to")[0] == 0
    names = {"outputs/task/a.csv", "outputs/task/d/b.csv", "manifest.yaml"}
    assert set(tree(tmp_path / "to")) == {*names, METADATA}
    assert set(parts_of_crate(tmp_path / "to")) == names
    assert get(ref.id, "*.nothing", "--crate") == (1, "", f"{ref.id} has no results that match.\n")


def test_a_file_that_could_not_be_fetched_is_not_in_the_crate(get, ref, tmp_path, monkeypatch) -> None:
    read = Download._read

    def without_one(self: Download, file: RemoteFile, start: int) -> bytes:
        if file.name.endswith("a.csv"):
            raise ResourceNotFoundError
        return read(self, file, start)

    monkeypatch.setattr(Download, "_read", without_one)
    assert get(ref.id, "*.csv", "--crate", "--out", "to")[0] == 1
    assert set(parts_of_crate(tmp_path / "to")) == {"outputs/task/d/b.csv", "manifest.yaml"}


def test_a_run_that_is_not_complete_has_no_crate(get, stack, tmp_path) -> None:
    """Nothing is fetched."""
    run_id = "get-open-20260101t000000-0123abcd"
    with BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        blob = blobs.get_blob_client("results", f"get-open/{run_id}/report.html")
        blob.upload_blob(b"")
        code, printed, errors = get(run_id, "--crate")
        blob.delete_blob()
    assert (code, printed) == (1, "")
    assert errors.startswith(f"{run_id} is not complete: --crate describes runs that are.")
    assert list(tmp_path.iterdir()) == []


def test_a_crate_that_cannot_be_written_is_told(get, ref, tmp_path) -> None:
    (tmp_path / "to" / METADATA).mkdir(parents=True)
    code, _, errors = get(ref.id, "*.csv", "--crate", "--out", "to")
    assert code == 1
    assert errors == f"to/{METADATA} cannot be written: Is a directory.\n"
    assert "to/outputs/task/a.csv" in {f"to/{name}" for name in tree(tmp_path / "to")}
    assert [path for path in (tmp_path / "to").iterdir() if path.name.startswith(UNFINISHED)] == []
