"""A manifest in the inbox becomes outputs, logs and a record in the results: the whole stack, nothing replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

pytestmark = pytest.mark.sampled

ROOT = Path(__file__).parents[2]
SEED_FLOW = ROOT.parent / "shared" / "seed-flow.yaml"


def test_sample_environment_info(drop) -> None:
    """Secrets, variables, namespace files, an inline program, printed values, an output file."""
    run = drop("samples/environment-info.yaml", (ROOT / "samples/environment-info.yaml").read_bytes())
    record = run.record()
    assert record["state"] == "SUCCESS"
    (task,) = record["tasks"]
    assert task["outputs"]["vars"]["working_directory"] == f"/tmp/{run.id}-environment"
    assert json.loads(run.read("outputs/environment/environment_info.json")) == task["outputs"]["vars"]
    assert run.read("logs/environment/stdout.txt").startswith("Hello from Azure Batch\n")
    assert run.names() == {
        "manifest.yaml",
        "record.json",
        "report.html",
        "logs/environment/stdout.txt",
        "logs/environment/stderr.txt",
        "outputs/environment/environment_info.json",
    }


@pytest.mark.skipif(not SEED_FLOW.exists(), reason="Kestra's documented example is not beside this checkout")
def test_kestras_documented_example_runs_byte_for_byte(drop) -> None:
    record = drop("seed-flow.yaml", SEED_FLOW.read_bytes()).record()
    assert record["state"] == "SUCCESS"
    (task,) = record["tasks"]
    assert set(task["outputs"]["vars"]) == {"host", "platform", "OS", "python_version"}
    assert list(task["outputs"]["outputFiles"]) == ["environment_info.json"]


def test_nothing_of_a_run_is_left_but_its_results(drop, stack) -> None:
    run = drop("left.yaml", "commands: [echo hi]\ninputFiles: {a: b}\noutputFiles: [a]")
    assert run.record()["state"] == "SUCCESS"
    blobs = BlobServiceClient.from_connection_string(stack.settings["RunStorage"])
    for container in ("inbox", "runs", "staging"):
        names = list(blobs.get_container_client(container).list_blob_names())
        assert [name for name in names if "left" in name] == []


def test_exit_code_is_kept_with_outputs_and_logs(drop) -> None:
    run = drop(
        "seven.yaml", "id: t\ncommands: [echo out, echo err >&2, echo made > made.txt, exit 7]\noutputFiles: [made.txt]"
    )
    record = run.record()
    (task,) = record["tasks"]
    assert (record["state"], task["state"], task["exitCode"]) == ("FAILED", "FAILED", 7)
    assert task["failure"] == {
        "category": "user",
        "code": "CommandsFailed",
        "message": "the commands ended with exit code 7",
    }
    assert run.read("outputs/t/made.txt") == "made\n"
    assert (run.read("logs/t/stdout.txt"), run.read("logs/t/stderr.txt")) == ("out\n", "err\n")


def test_time_limit_stops_the_commands_and_keeps_what_they_made(drop) -> None:
    run = drop("slow.yaml", "id: t\ntimeout: PT1S\ncommands: [echo a > a.txt, sleep 600]\noutputFiles: [a.txt]")
    record = run.record()
    assert (record["state"], record["tasks"][0]["failure"]["code"]) == ("FAILED", "TimeLimitExceeded")
    assert run.read("outputs/t/a.txt") == "a\n"


def test_tasks_run_in_order_and_the_rest_is_skipped_after_a_failure(drop) -> None:
    text = "tasks: [{id: a, commands: [echo a]}, {id: b, commands: [exit 3]}, {id: c, commands: [echo c]}]"
    record = drop("order.yaml", text).record()
    assert record["state"] == "FAILED"
    assert [(task["id"], task["state"]) for task in record["tasks"]] == [
        ("a", "SUCCESS"),
        ("b", "FAILED"),
        ("c", "SKIPPED"),
    ]
    assert record["tasks"][0]["ended"] <= record["tasks"][1]["started"]


def test_a_named_output_that_is_missing_is_a_warning(drop) -> None:
    record = drop("missing.yaml", "commands: [echo hi]\noutputFiles: [nothing.txt, '*.csv']").record()
    assert record["state"] == "WARNING"
    assert [warning["message"] for warning in record["warnings"]] == ["the output file 'nothing.txt' was not made"]


def test_globs_bring_back_folders(drop) -> None:
    commands = "mkdir -p d/e, echo 1 > d/a.txt, echo 2 > d/e/b.txt, echo 3 > c.csv"
    text = f"id: t\ncommands: [{commands}]\noutputFiles: ['d/**/*.txt', '*.csv']"
    run = drop("globs.yaml", text)
    assert set(run.record()["tasks"][0]["outputs"]["outputFiles"]) == {"d/a.txt", "d/e/b.txt", "c.csv"}
    assert run.read("outputs/t/d/e/b.txt") == "2\n"


def test_namespace_files_lie_in_the_working_directory_under_input_files(drop, stack) -> None:
    namespaces = BlobServiceClient.from_connection_string(stack.settings["RunStorage"]).get_container_client(
        "namespaces"
    )
    namespaces.upload_blob("e2e.files/lib/a.txt", b"from namespace", overwrite=True)
    namespaces.upload_blob("e2e.files/b.txt", b"hidden", overwrite=True)
    text = (
        "id: t\nnamespace: e2e.files\nnamespaceFiles: {enabled: true}\ninputFiles: {b.txt: from input}\n"
        "commands: ['cat {{ workingDir }}/lib/a.txt', echo, cat b.txt]"
    )
    run = drop("namespace.yaml", text)
    assert run.record()["state"] == "SUCCESS"
    assert run.read("logs/t/stdout.txt") == "from namespace\nfrom input"


def test_secrets_reach_the_task_but_nothing_of_ours(drop, stack) -> None:
    """The value is written by the task itself, so its log has it; record, report and the kept manifest do not."""
    key = stack.settings["SECRET_AZURE_ACCESS_KEY"]
    text = (
        "id: t\nenv: {KEY: \"{{ secret('AZURE_ACCESS_KEY') }}\"}\n"
        'commands: [\'echo $KEY\', \'echo "::{\\"outputs\\": {\\"key\\": \\"$KEY\\"}}::"\']'
    )
    run = drop("secret.yaml", text)
    assert run.record()["tasks"][0]["outputs"]["vars"] == {"key": "******"}
    assert key in run.read("logs/t/stdout.txt")
    assert key not in run.read("record.json") + run.read("manifest.yaml") + run.read("report.html")
    functions_log = (stack.data_dir.path / "logs" / "functions.log").read_text()
    assert key not in functions_log


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("broken.yaml", "a: [1,\n", "this is not valid YAML"),
        ("empty.yaml", "", "the manifest is empty"),
        ("nothing.yaml", "id: x\n", "a manifest has `tasks`"),
        ("typo.yaml", "id: x\ncommand: [a]\ncommands: [b]\n", 'unknown property; did you mean "commands"?'),
        (
            "pool.yaml",
            "commands: [a]\ntaskRunner:\n  poolId: none\n",
            "there is no pool 'none' in the Batch account; its pools are: local",
        ),
        ("slots.yaml", "commands: [a]\nrequiredSlots: 99\n", "the nodes of pool 'local' have"),
        ("broken.json", '{"commands": [}', "this is not valid JSON"),
    ],
)
def test_bad_manifests_are_rejected_with_place_and_reason(drop, name: str, text: str, message: str) -> None:
    run = drop(f"rejected/{name}", text)
    record = run.record()
    assert record["state"] == "REJECTED"
    assert any(message in error["message"] and error["line"] for error in record["errors"])
    assert run.names() == {"manifest.yaml", "record.json", "report.html"}
    assert run.read("manifest.yaml") == text


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"#" * (1024 * 1024 + 1)], ids=["not UTF-8", "over 1 MiB"])
def test_what_cannot_be_a_manifest_is_rejected_and_kept(drop, content: bytes) -> None:
    run = drop("rejected/blob.yaml", content)
    assert run.record()["state"] == "REJECTED"
    assert run.results.download_blob(f"{run.folder}/manifest.yaml").readall() == content


def test_the_same_manifest_dropped_twice_makes_two_runs(drop) -> None:
    text = "commands: [echo hi]"
    first = drop("twice.yaml", text)
    assert first.record()["state"] == "SUCCESS"
    second = drop("twice.yaml", text)
    assert second.record()["state"] == "SUCCESS"
    assert first.id != second.id


def test_blobs_that_are_no_manifests_are_left_alone(drop, stack) -> None:
    drop("readme.txt", "commands: [echo hi]")
    assert drop("after.yaml", "commands: [echo hi]").record()["state"] == "SUCCESS"
    inbox = BlobServiceClient.from_connection_string(stack.settings["RunStorage"]).get_container_client("inbox")
    assert inbox.get_blob_client("readme.txt").exists()
