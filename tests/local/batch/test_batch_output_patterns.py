"""Which files an output pattern matches, and what its blobs are called."""

from __future__ import annotations

import pytest

from local.batch.models.task import OutputFile
from local.batch.node.blob_naming import BlobNaming, named_files
from local.batch.node.directories import TaskDirectories, task_root
from local.batch.node.globs import FilePattern


@pytest.fixture
def directories(tmp_path):
    """A task's directories with some files."""
    made = TaskDirectories.of(tmp_path, "pool", "node", task_root("job", "task"))
    made.create()
    made.stdout.write_text("o")
    made.stderr.write_text("e")
    for name in ("a.txt", "b.csv", ".hidden.txt", "out/a.txt", "out/deep/c.txt", "out/.git/d.txt", "out/x[1].txt"):
        file = made.working / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return made


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.txt", ["a.txt"]),
        ("nothing.txt", []),
        ("out", []),
        ("*.txt", ["a.txt"]),
        (".*.txt", [".hidden.txt"]),
        ("?.*", ["a.txt", "b.csv"]),
        ("[ab].*", ["a.txt", "b.csv"]),
        ("[!a].*", ["b.csv"]),
        ("[b-z].*", ["b.csv"]),
        ("*/a.txt", ["out/a.txt"]),
        ("**/*.txt", ["a.txt", "out/a.txt", "out/deep/c.txt", "out/x[1].txt"]),
        ("out/**/*", ["out/a.txt", "out/deep/c.txt", "out/x[1].txt"]),
        ("out/**/c.txt", ["out/deep/c.txt"]),
        ("out/*", ["out/a.txt", "out/x[1].txt"]),
        ("out/**", []),
        ("out/x[[]1].txt", ["out/x[1].txt"]),
        ("**/.git/*.txt", ["out/.git/d.txt"]),
        ("../std*.txt", ["../stderr.txt", "../stdout.txt"]),
        ("../stdout.txt", ["../stdout.txt"]),
        ("*.*x*", ["a.txt"]),
        ("*a*.*t*t", ["a.txt"]),
        ("**/out/**/deep/**/*.txt", ["out/deep/c.txt"]),
        ("**/**/**/c.*", ["out/deep/c.txt"]),
        ("[z-a].txt", []),
        ("out[!a-]a.txt", []),
        ("out[+-9]a.txt", []),
        ("[!-c].*", ["a.txt", "b.csv"]),
        ("out/.[!_]*/*", ["out/.git/d.txt"]),
    ],
)
def test_a_pattern_matches_files(directories, pattern, names):
    """`*` and `?` stay within a folder, `**` does not; names with a leading dot need one in the pattern."""
    found = FilePattern.parse(pattern, directories.working).files()
    assert [file.resolve() for file in found] == [(directories.working / name).resolve() for name in names]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("**/" * 30 + "x", "x"), ("**/" + "*a" * 30 + "x", "a" * 200 + "x"), ("**/*a/" * 15 + "x", "x")],
)
def test_many_wildcards_are_no_burden(tmp_path, pattern, name):
    """Every way to share a name out among them would take for ever, and the service with it."""
    folder = tmp_path / ("aa/" * 40)
    folder.mkdir(parents=True)
    for made in ("x", "a" * 200, "a" * 200 + "x"):
        (folder / made).touch()
    assert FilePattern.parse(pattern, tmp_path).files() == [folder / name]


@pytest.mark.parametrize(
    ("pattern", "path", "naming", "blobs"),
    [
        ("a.txt", "dest/name.txt", BlobNaming.WORKING_DIRECTORY, ["dest/name.txt"]),
        ("out/a.txt", None, BlobNaming.WORKING_DIRECTORY, ["a.txt"]),
        ("out/*.txt", "dest", BlobNaming.WORKING_DIRECTORY, ["dest/out/a.txt", "dest/out/x[1].txt"]),
        ("out/*.txt", "dest", BlobNaming.LITERAL_FOLDER, ["dest/a.txt", "dest/x[1].txt"]),
        ("out/**/c.txt", None, BlobNaming.LITERAL_FOLDER, ["deep/c.txt"]),
        ("../std*.txt", "logs/", BlobNaming.WORKING_DIRECTORY, ["logs/stderr.txt", "logs/stdout.txt"]),
        ("$FOLDER/a.txt", "x", BlobNaming.WORKING_DIRECTORY, ["x"]),
    ],
)
def test_blobs_are_named_after_files(directories, pattern, path, naming, blobs):
    """Without wildcards the path is the blob's name; with them it is a folder. Variables are expanded first."""
    output = OutputFile.model_validate(
        {
            "filePattern": pattern,
            "destination": {"container": {"containerUrl": "http://x/c", "path": path}},
            "uploadOptions": {"uploadCondition": "TaskCompletion"},
        }
    )
    named = named_files(output, directories, {"FOLDER": "out"}, naming)
    assert [blob for _, blob in named] == blobs
