"""Where `python -m local run` puts results, and what it refuses before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchrun.client.apps import App
from batchrun.client.refs import RunRef
from batchrun.client.result_folders import ResultFolders
from batchrun.errors import UsageError

RUN = RunRef("m-1", "m/m-1")
APP = App({}, "{} {}".format, results=Path("data/results"))


@pytest.mark.parametrize(
    ("out", "is_only_one", "folder"),
    [(None, True, "data/results/m/m-1"), (Path("out"), True, "out"), (Path("out"), False, "out/m")],
)
def test_where_results_of_a_run_go(out, is_only_one, folder):
    """One run has `--out` for itself."""
    assert ResultFolders(out, is_only_one=is_only_one).of(RUN, APP) == Path(folder)


@pytest.mark.parametrize(
    ("out", "reason"),
    [("used", "is not empty"), ("file", "Not a directory"), ("file/below", "Not a directory")],
)
def test_a_folder_that_cannot_be_the_runs_own_is_refused(tmp_path, out, reason):
    """Files of two runs must not be mixed, and a run must not end without its results."""
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "record.json").touch()
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=f"--out: .*{reason}"):
        ResultFolders(tmp_path / out, is_only_one=True).check(["m.yaml"])


@pytest.mark.parametrize("out", ["new", "new/below", "empty"])
def test_a_folder_that_is_new_or_empty_is_taken(tmp_path, out):
    """With several runs this holds for the folder of each."""
    (tmp_path / "empty").mkdir()

    ResultFolders(tmp_path / out, is_only_one=True).check(["m.yaml"])
    (tmp_path / "empty" / "other").mkdir()
    ResultFolders(tmp_path / out, is_only_one=False).check(["m.yaml"])
