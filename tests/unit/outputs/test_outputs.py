"""Which staged blobs are a task's, and where they go."""

import pytest

from shared.documents.names import is_safe
from shared.documents.states import State
from shared.outputs.files import StagedBlob, StagedFiles, files_of
from shared.outputs.outcome import Outcome
from shared.outputs.printed import Printed
from shared.outputs.record_tasks import task_record
from shared.plan._output_globs import output_glob
from shared.plan.plan_round import plan_round, submitted_round
from shared.plan.run_manifest import manifest_of

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


@pytest.mark.parametrize("entry", ["results", "results/"])
def test_a_folder_that_brought_files_was_made(files, entry: str) -> None:
    """By whichever of its patterns; it is missing only if none brought anything."""
    index = len(output_glob(entry).patterns) - 1
    found = files([entry], f"out/t/{index}/{RUN}/in/t/results/.a")
    assert ([file.path for file in found.outputs], found.missing) == (["results/.a"], ())
    assert files([entry]).missing == (entry,)


def test_a_group_names_nothing(files) -> None:
    """As in Kestra, any of its texts may match nothing; what each of them brings is found."""
    found = files(["{a,b}.csv"], "out/t/0/a.csv")
    assert ([file.path for file in found.outputs], found.missing) == (["a.csv"], ())
    others = [index for index, text in enumerate(output_glob("{a,b}.csv").patterns) if text == "b.csv"]
    assert [file.path for file in files(["{a,b}.csv"], f"out/t/{others[0]}/b.csv").outputs] == ["b.csv"]


def test_the_apps_own_files_are_no_outputs(files) -> None:
    assert files(["*"], "out/t/0/._t.py", "out/t/0/._upstream/a/x").outputs == ()


@pytest.mark.parametrize("name", ["a\tb.txt", "a\nb", "a\\b", "d/a\x7fb", "x" * 501])
def test_names_that_cannot_be_kept_make_a_warning_and_are_told(files, name: str) -> None:
    found = files(["**"], f"out/t/0/{name}", f"out/t/1/{name}")
    assert (found.outputs, found.unsafe) == ((), (name,))


def test_too_many_names_that_cannot_be_kept_are_counted(files, run_of, settings) -> None:
    """A record has room for some of them."""
    found = files(["*"], *(f"out/t/0/a\t{number}" for number in range(250)))
    run = run_of("id: t\ncommands: [x]")
    task = submitted_round(manifest_of(run), run, settings).tasks[0]
    record = task_record(task, Outcome(State.SUCCESS), found, Printed())
    assert (record.state, len(record.warnings)) == (State.WARNING, 101)
    assert record.warnings[-1] == "150 more output files are left out for their names"


def test_a_slash_that_was_a_backslash_is_noticed(files) -> None:
    """Storage takes one for the other; a pattern of its own says which names have one, or a bracket, which is fine."""
    last = len(output_glob("**").patterns)
    brought = [f"out/t/{index}/{RUN}/in/t/{name}" for index in (0, last) for name in ("d/a/b", "x[1]", "d/x[1]")]
    found = files(["**"], *brought, f"out/t/0/{RUN}/in/t/d/b")
    assert ([file.path for file in found.outputs], found.unsafe) == (["x[1]", "d/x[1]", "d/b"], ("d/a\\b",))
