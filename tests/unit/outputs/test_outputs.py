"""Which staged blobs are a task's, and where they go."""

import pytest

from shared.documents.names import is_safe
from shared.outputs.files import StagedBlob, StagedFiles, files_of
from shared.plan.planner import manifest_of, plan_round

RUN = "env-20261122t121314-3f9a1c2b"


@pytest.fixture
def files(run_of, settings):
    def build(patterns: list[str], *names: str):
        run = run_of(f"id: t\ncommands: [x]\noutputFiles: {patterns}")
        task = plan_round(manifest_of(run), run, settings).tasks[0]
        return files_of(task, StagedFiles(StagedBlob(f"{RUN}/{name}", 1, None) for name in names))

    return build


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(f"out/t/0/{RUN}/in/t/data/a.csv", id="named after its place in the working directory"),
        pytest.param("out/t/0/a.csv", id="named after the literal part of the pattern"),
    ],
)
def test_both_ways_in_which_batch_may_name_a_blob_are_understood(files, name: str) -> None:
    (file,) = files(["data/*.csv"], name).outputs
    assert (file.path, file.destination) == ("data/a.csv", "outputs/t/data/a.csv")


def test_named_files(files) -> None:
    found = files(["data/a.txt", "b.txt"], "out/t/0/a.txt")
    assert [file.path for file in found.outputs] == ["data/a.txt"]
    assert found.missing == ("b.txt",)


def test_a_glob_may_match_nothing(files) -> None:
    assert files(["*.csv"]).missing == ()


def test_a_file_that_two_patterns_match_is_one_output(files) -> None:
    assert len(files(["a.txt", "*.txt"], "out/t/0/a.txt", "out/t/1/a.txt").outputs) == 1


def test_logs_and_other_tasks_blobs(files) -> None:
    found = files(["*"], "std/t/stdout.txt", "std/t2/stdout.txt", "out/t2/0/x", "std/t/other.txt")
    assert [file.destination for file in found.logs.values()] == ["logs/t/stdout.txt"]
    assert found.outputs == ()


@pytest.mark.parametrize("path", ["../x", "a/../x", "a//b", "/x", "./x", "a\\b", ""])
def test_names_that_lead_out_of_their_folder_are_left_out(files, path: str) -> None:
    assert not is_safe(path)
    assert files(["*"], f"out/t/0/{path}").outputs == ()
