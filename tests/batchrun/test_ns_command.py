"""`ns`: files of namespaces go up, are listed, come down and are removed; on a stack that is up."""

from __future__ import annotations

import pytest

from batchrun.client.namespaces import files_below
from batchrun.errors import UsageError
from local.__main__ import main


@pytest.fixture
def ns(stack, capsys, tmp_path, monkeypatch):
    """Run `ns` in a folder of its own; returns its exit code and what it wrote on stdout and stderr."""
    data_dir = stack.data_dir.path.resolve()
    monkeypatch.chdir(tmp_path)

    def ns(*arguments: str) -> tuple[int, str, str]:
        code = main(["ns", "--data-dir", str(data_dir), *arguments])
        return code, *capsys.readouterr()

    return ns


@pytest.fixture
def source(tmp_path):
    """A folder of files."""
    folder = tmp_path / "src"
    (folder / "lib" / ".hidden").mkdir(parents=True)
    (folder / "main.py").write_text("main")
    (folder / "lib" / "ü a.py").write_text("lib")
    (folder / "lib" / ".hidden" / "x.txt").write_text("")
    return folder


def test_a_folder_goes_up_is_listed_comes_down_and_is_removed(ns, source, tmp_path) -> None:
    """Its files keep their paths; a file of the same name is replaced, others stay."""
    assert ns("put", "acme.ns", "src") == (0, "3 files put into acme.ns\n", "")
    (source / "main.py").write_text("changed")
    assert ns("put", "acme.ns", "src/main.py") == (0, "1 file put into acme.ns\n", "")
    assert ns("put", "acme.ns", "src/lib", "--to", "deep/er/")[0] == 0

    assert "acme.ns" in ns("ls")[1].splitlines()
    listed = ["deep/er/.hidden/x.txt", "deep/er/ü a.py", "lib/.hidden/x.txt", "lib/ü a.py", "main.py"]
    assert [line.partition("  ")[0] for line in ns("ls", "acme.ns")[1].splitlines()] == listed
    assert len(ns("ls", "acme.ns", "*.py")[1].splitlines()) == 3

    assert ns("get", "acme.ns", "*.py", "--out", "down") == (0, ns_fetched(3, "down"), "")
    assert (tmp_path / "down" / "main.py").read_text() == "changed"
    assert (tmp_path / "down" / "deep" / "er" / "ü a.py").read_text() == "lib"
    assert ns("get", "acme.ns")[0] == 0
    assert (tmp_path / "acme.ns" / "lib" / ".hidden" / "x.txt").read_text() == ""

    assert ns("rm", "acme.ns", "deep/**", "main.py")[1].splitlines() == [
        "removed deep/er/.hidden/x.txt",
        "removed deep/er/ü a.py",
        "removed main.py",
    ]
    assert len(ns("ls", "acme.ns")[1].splitlines()) == 2
    assert ns("rm", "acme.ns", "**")[0] == 0
    assert ns("ls", "acme.ns") == (1, "", "The namespace acme.ns has no files.\n")
    assert ns("rm", "acme.ns", "*.py") == (1, "", "The namespace acme.ns has no files that match.\n")


def ns_fetched(count: int, folder: str) -> str:
    return f"Downloading {count} files, 13 B\n{count} files fetched: {folder}/\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("put", "Acme", "src"), "'Acme' is not a namespace"),
        (("ls", "a/b"), "'a/b' is not a namespace"),
        (("rm", "..", "**"), "'..' is not a namespace"),
        (("put", "acme.no", "nowhere"), "There is no file or folder nowhere."),
        (("put", "acme.no", "src/main.py", "src"), "would both become main.py"),
        (("put", "acme.no", "src", "--to", "../x"), "no file of a task can have this name"),
        (("get", "acme.no", "{a"), "The pattern '{a' has a group without its end"),
    ],
)
@pytest.mark.usefixtures("source")
def test_wrong_usage_ends_with_2_and_changes_nothing(ns, arguments, reason) -> None:
    code, printed, errors = ns(*arguments)
    assert (code, printed) == (2, "")
    assert reason in errors
    assert "acme.no" not in ns("ls")[1].splitlines()


def test_links_to_folders_are_not_followed(source) -> None:
    """They may lead in a circle, or anywhere; a link to a file is that file."""
    (source / "circle").symlink_to(source)
    (source / "link.py").symlink_to(source / "main.py")
    (source / "broken").symlink_to("nowhere")
    assert {file.name for file in files_below([source], "")} == {
        "main.py",
        "link.py",
        "lib/ü a.py",
        "lib/.hidden/x.txt",
    }
    with pytest.raises(UsageError, match="There is no file or folder"):
        files_below([source / "broken"], "")
