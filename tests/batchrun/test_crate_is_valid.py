"""Crates are valid: `roc-validator` of PyPI, which its profiles' authors recommend, finds nothing that is required."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from batchrun.client.crate.metadata import METADATA, RunDocuments
from tests.batchrun import crates
from tests.batchrun.crates import Crate
from tests.conftest import unavailable

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
VALIDATOR = ROOT / ".clients" / "roc-validator" / "bin" / "python"
NOT_KNOWN = {
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The Action SHOULD have an agent that is a Person or Organization",
    "The Root Data Entity SHOULD have a link to a Contextual Entity representing the `author` of the RO-Crate",
    "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
    "Web-based Data Entities SHOULD have a `contentSize` property",
    "Web-based Data Entities SHOULD have a `sdDatePublished` property to indicate when the absolute URL was accessed",
}
"""What is recommended, and what no record knows."""
NOT_SO = {
    "The Action SHOULD have a result",
    "The Action SHOULD have an endTime in ISO 8601 format",
    "FormalParameter SHOULD be referenced from a data entity or PropertyValue via exampleOfWork",
    "The Main Workflow SHOULD comply with Bioschemas ComputationalWorkflow profile version 1.0 or later",
    "The README.md SHOULD be about the crate",
    "The README.md SHOULD have text/markdown as its encodingFormat",
}
"""What is recommended, and would not be true: of actions without any, of inputs without a value, of a README.md."""


def hostile_flow() -> RunDocuments:
    """A run of a flow, with texts of all kinds in it; one crate, for each takes the validator a second."""
    flow, hostile = crates.flow_run(), crates.hostile_run().record
    joined = {"tasks": (*flow.record.tasks, *hostile.tasks), "labels": flow.record.labels | hostile.labels}
    values = {name: getattr(flow.record, name) | getattr(hostile, name) for name in ("inputs", "outputs")}
    return replace(flow, record=flow.record.model_copy(update={**joined, **values}))


RUNS = {"flow": hostile_flow(), "single": crates.single_run(), "rejected": crates.rejected_run()}


def without_instrument(folder: Path) -> Path:
    """A crate that is not valid: nothing says what was executed."""
    Crate(crates.single_run()).write(folder)
    document = json.loads((folder / METADATA).read_text())
    for each in document["@graph"]:
        each.pop("instrument", None)
    (folder / METADATA).write_text(json.dumps(document))
    (folder / "record.json").unlink()
    return folder


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> dict[str, list[dict[str, str]]]:
    """What the validator says of each crate, without a network."""
    if not VALIDATOR.exists():
        unavailable("roc-validator is not installed; `make .clients/roc-validator/.packages` does it")
    folder = tmp_path_factory.mktemp("crates")
    written = {name: Crate(run).write(folder / name) for name, run in RUNS.items()}
    written["broken"] = without_instrument(folder / "broken")
    command = [VALIDATOR, ROOT / "tests" / "clients" / "roc_validator.py", *written.values()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return dict(zip(written, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", RUNS)
def test_a_crate_has_all_that_is_required(judged, name: str) -> None:
    """By its profile, and by those that this one extends."""
    assert [each for each in judged[name] if each["severity"] == "REQUIRED"] == []


@pytest.mark.parametrize("name", RUNS)
def test_a_crate_has_what_is_recommended_as_far_as_it_is_known(judged, name: str) -> None:
    """That a file of the web cannot be fetched here is no fault of the crate."""
    found = {each["message"] for each in judged[name]}
    assert {each for each in found - NOT_KNOWN - NOT_SO if not each.startswith("Web-based Data Entity ")} == set()


def test_what_is_not_valid_is_found(judged) -> None:
    required = {each["message"] for each in judged["broken"] if each["severity"] == "REQUIRED"}
    assert any("MUST have an instrument" in message for message in required)
    assert any("does not include the Data Entity 'record.json'" in message for message in required)
