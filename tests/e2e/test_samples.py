"""The gallery: what samples/README.md says of each sample is so."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from batchrun.__main__ import main as batchrun
from local.__main__ import main
from tests.e2e.conftest import DroppedRun

pytestmark = pytest.mark.sampled

SAMPLES = Path(__file__).parents[2] / "samples"
MANIFESTS = sorted(path for path in SAMPLES.iterdir() if path.suffix in (".yaml", ".json"))
ROW = re.compile(
    r"\| \[(?P<name>[^]]+)\]\((?P=name)\) \| .+ \| (?:`(?P<state>[A-Z]+)`|needs (?:that registry|PyPI)) \|"
)
IN_README = {row["name"]: row["state"] for row in ROW.finditer((SAMPLES / "README.md").read_text())}
RUNNABLE = {name: state for name, state in IN_README.items() if state}


def test_the_table_names_every_sample_once_and_no_other():
    rows = [line for line in (SAMPLES / "README.md").read_text().splitlines() if line.startswith("| [")]

    assert len(rows) == len(IN_README)
    assert sorted(IN_README) == [path.name for path in MANIFESTS]


@pytest.mark.parametrize("sample", MANIFESTS, ids=lambda path: path.name)
def test_check_refuses_no_sample(sample, capsys):
    assert main(["check", str(sample)]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("sample", [path for path in MANIFESTS if path.suffix == ".yaml"], ids=lambda path: path.name)
def test_every_sample_begins_with_a_comment_on_what_it_shows(sample):
    """And tells editors where the schema is that checks and completes it."""
    comment = [line for line in sample.read_text().splitlines() if line.startswith("#")]

    assert sample.read_text().startswith("# ")
    assert "# yaml-language-server: $schema=../docs/manifest.schema.json" in comment


@pytest.fixture(scope="module")
def run_of(stack, drop_into) -> Callable[[str], DroppedRun]:
    """The runs of all samples: dropped at once, each looked at by its test."""
    with BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        for file in filter(Path.is_file, (SAMPLES / "namespaces").rglob("*")):
            name = file.relative_to(SAMPLES / "namespaces").as_posix()
            blobs.get_blob_client("namespaces", name).upload_blob(file.read_bytes(), overwrite=True)
    runs = {name: drop_into(stack, f"gallery/{name}", (SAMPLES / name).read_bytes()) for name in RUNNABLE}
    return runs.__getitem__


@pytest.mark.parametrize(("name", "state"), RUNNABLE.items(), ids=RUNNABLE)
def test_a_sample_ends_as_its_row_says(run_of, name, state):
    """With plain processes: /bin/sh, and the Python of the PATH."""
    record = run_of(name).record()

    assert record["state"] == state, json.dumps(record, indent=2)


def values(record: dict, task: str) -> dict:
    """What a task printed."""
    [found] = [each for each in record["tasks"] if each["id"] == task]
    return found["outputs"]["vars"]


def test_etl_passes_files_on_and_counts_bad_rows(run_of):
    record = run_of("etl-csv.yaml").record()

    assert values(record, "transform") == {"bad_rows": 1}
    assert values(record, "load") == {"rows": 4, "totals": {"books": 50.58, "music": 20.82}}


def test_orders_are_chosen_by_inputs_and_may_be_those_of_a_file(run_of, stack, tmp_path, monkeypatch):
    """By the commands in the comment of the sample, in their order; its defaults are those of the gallery."""
    assert values(run_of("inputs.yaml").record(), "total") == {"orders": 4, "gross": 71.4}
    monkeypatch.setenv("BATCHRUN_STACK", str(stack.data_dir.description.resolve()))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").symlink_to(SAMPLES)
    (tmp_path / "orders.csv").write_text("day,category,net\n2026-12-01,games,100\n")
    found = []
    for line in re.findall(r"^# (batchrun .*)$", (SAMPLES / "inputs.yaml").read_text(), re.MULTILINE):
        command = shlex.split(line)[1:]
        out = ["--out", f"out-{len(found)}"] if command[0] in ("run", "retry") else []
        if command[0] == "retry":
            command[1] = found[-1]["runId"]
        assert batchrun([*command, *out]) == 0
        if out:
            found.append(json.loads((tmp_path / out[1] / "record.json").read_text()))
    assert [values(record, "total") for record in found] == [
        {"orders": 2, "gross": 20.82},
        {"orders": 1, "gross": 107.0},
        {"orders": 2, "gross": 47.0},
        {"orders": 2, "gross": 47.0},
    ]


def test_words_are_counted_over_all_parts(run_of):
    run = run_of("word-count.yaml")
    run.record()

    assert run.read("outputs/merge/words.txt").splitlines()[:3] == ["4 the", "3 dog", "3 fox"]


def test_strips_become_one_image(run_of):
    run = run_of("image-tiles.yaml")
    run.record()
    image = run.results.download_blob(f"{run.folder}/outputs/merge/mandelbrot.png").readall()

    assert image.startswith(b"\x89PNG")
    assert run.read("logs/merge/stdout.txt") == "8 strips, 320 x 192 pixels\n"


def test_the_sweep_finds_the_best_parameters_and_reports_metrics(run_of):
    record = run_of("parameter-sweep.yaml").record()

    assert values(record, "best") == {"tried": 4, "rate": 0.5}
    items = record["tasks"][0]["items"]["records"]
    assert [{metric["name"] for metric in item["metrics"]} for item in items] == [{"steps", "training"}] * 4


def test_a_printed_list_decides_the_fan_out(run_of):
    record = run_of("values-decide.yaml").record()

    assert [job["reason"] for job in record["jobs"]] == ["first", "values", "fan-out"]
    assert values(record, "summary") == {"invoices": 3}


def test_tasks_share_a_directory(run_of):
    run = run_of("working-directory.yaml")
    record = run.record()

    assert [sorted(task["outputs"]["outputFiles"]) for task in record["tasks"]] == [
        [], [], ["site/cities.txt", "site/index.txt"], [],
    ]  # fmt: skip
    assert run.read("logs/publish/stdout.txt") == "Lagos: 88 F\nLima: 66 F\nOslo: 25 F\n"
    assert run.read("outputs/count/site/cities.txt") == "3\n"


def test_namespace_files_are_found(run_of):
    items = run_of("namespace-files.yaml").record()["tasks"][0]["items"]["records"]

    assert [item["outputs"]["vars"] for item in items] == [{"rows": 3, "mean": 2.0}, {"rows": 2, "mean": 15.0}]


def test_a_stopped_task_leaves_its_checkpoints(run_of):
    run = run_of("time-limit.yaml")
    record = run.record()

    assert record["tasks"][0]["failure"]["code"] == "TimeLimitExceeded"
    assert run.read("outputs/time-limit/checkpoints.txt").startswith("checkpoint 1\n")
