"""Run documents and parts that an earlier version of the app stored, as storage held them.

During a deployment open runs pass from one version of the app to the next.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.documents.part import Part
from shared.documents.progress import Progress
from shared.documents.run import Run
from shared.documents.run_body import RunBody
from shared.plan.plan_round import plan_round, submitted_round
from shared.plan.round_plan import RoundPlan, SubmittedRound
from shared.plan.run_manifest import manifest_of

STORED = Path(__file__).parents[2] / "fixtures" / "run_documents"
RUNS = sorted(path.stem for path in STORED.glob("*.json") if path.stem != "part")


def stored(name: str) -> dict[str, Any]:
    return json.loads((STORED / f"{name}.json").read_text(encoding="utf-8"))


def run_of_stored(name: str) -> Run:
    document = stored(name)
    body = RunBody.model_validate_json(json.dumps(document["body"]))
    return Run(body, Progress.from_metadata(document["metadata"]))


def lost(before: object, after: object) -> object:
    """What a value has that another one lacks; fields may be gained."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {name: lost(value, after.get(name)) for name, value in before.items() if lost(value, after.get(name))}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [found for pair in zip(before, after, strict=True) if (found := lost(*pair))]
    return None if before == after else (before, "became", after)


@pytest.mark.parametrize("name", RUNS)
def test_a_stored_run_is_read_and_written_without_a_loss(name: str) -> None:
    document, run = stored(name), run_of_stored(name)
    assert not lost(document["body"], json.loads(run.body.to_json()))
    assert not lost(document["metadata"], run.progress.to_metadata())


def test_a_stored_part_is_read_and_written_without_a_loss() -> None:
    document = stored("part")
    assert not lost(document, json.loads(Part.model_validate(document).to_json()))


def test_what_was_read_from_outside_is_not_read_again(settings) -> None:
    plan = plan_round(*planning("queued-with-external-data"), settings)
    assert isinstance(plan, RoundPlan)
    (task,) = plan.tasks
    assert (task.name, sorted(task.input_files)) == ("make", ["conf.txt"])
    assert sorted(task.source_files) == ["conf.txt", "lib.py"]


@pytest.mark.parametrize(
    ("name", "tasks"), [("running-third-round", ["read"]), ("items-to-repeat", ["t[1]"]), ("cancelled", ["task"])]
)
def test_the_round_that_an_earlier_version_submitted_is_known(name: str, tasks: list[str], settings) -> None:
    """Numbers, names and patterns must be those that the tasks were submitted with."""
    submitted = submitted_round(*planning(name), settings)
    assert isinstance(submitted, SubmittedRound)
    assert [task.display_name for task in submitted.tasks] == tasks
    assert [task.number for task in submitted.tasks] == [1]


def planning(name: str) -> tuple:
    run = run_of_stored(name)
    return manifest_of(run), run
