"""The outputs of a flow: in the record and in RunEnded; and what a run ends as if they cannot be rendered."""

from __future__ import annotations

import pytest

from shared import poll_runs
from shared.masking import Masker

pytestmark = pytest.mark.sampled

PRINTS = """'echo ''::{"outputs": {"n": 7, "t": "a-t0ken-that-nobody-may-see"}}::''', 'echo "{}" > a.json'"""
FLOW = f"id: f\nnamespace: n.s\ntasks:\n- {{id: a, commands: [{PRINTS}], outputFiles: [a.json]}}\noutputs:\n"


def run(world, outputs: str, text: str = FLOW) -> dict:
    """The record of a run of these outputs."""
    accepted = world.accept(text=text + outputs)
    world.finish()
    return world.record(accepted)


def test_they_are_in_the_record_and_told_to_others_and_secrets_are_masked(make_world) -> None:
    world = make_world(SECRET_TOKEN="a-t0ken-that-nobody-may-see")
    record = run(
        world,
        "- {id: n, type: INT, value: '{{ outputs.a.vars.n }}'}\n"
        "- {id: t, type: STRING, value: '{{ outputs.a.vars.t }}'}\n"
        "- {id: read, type: JSON, value: \"{{ read(outputs.a.outputFiles['a.json']) }}\"}\n"
        "- {id: file, type: FILE, value: \"{{ outputs.a.outputFiles['a.json'] }}\"}\n",
    )
    assert (record["state"], record["failure"]) == ("SUCCESS", None)
    file = record["outputs"].pop("file")
    assert file.endswith(f"/{record['runId']}/outputs/a/a.json")
    assert record["outputs"] == {"n": 7, "t": "******", "read": {}}
    (told,) = world.outbox.ends
    masked = Masker.of(world.settings).mask_all(told.outputs)  # as the topic's client does
    assert masked == {**record["outputs"], "file": file}
    assert file.removesuffix("/outputs/a/a.json") + "/record.json" == told.record
    assert "published by the flow" in world.text("results", f"m/{record['runId']}/report.html")


def test_a_run_that_ended_well_fails_if_they_cannot_be_rendered(world) -> None:
    record = run(world, "- {id: o, type: INT, value: '{{ outputs.a.vars.nope }}'}")
    assert (record["state"], record["tasks"][0]["state"], record["outputs"]) == ("FAILED", "SUCCESS", {})
    assert (record["failure"]["code"], record["failure"]["category"]) == ("OutputsNotRendered", "user")
    assert (
        "the flow's outputs cannot be rendered; outputs[0].value: 'nope' does not exist" in record["failure"]["message"]
    )
    assert world.outbox.ends[0].failure.message == "the outputs of the flow cannot be rendered"


def test_one_that_is_not_required_is_null_and_a_warning_says_why(world) -> None:
    record = run(world, "- {id: o, type: INT, value: '{{ outputs.a.vars.nope }}', required: false}")
    assert (record["state"], record["outputs"]) == ("SUCCESS", {"o": None})
    assert [warning["path"] for warning in record["warnings"]] == ["outputs[0].value"]


@pytest.mark.parametrize(
    ("value", "outputs", "warnings"),
    [("{{ outputs.a.exitCode }}", {"o": 3}, []), ("{{ outputs.b.vars.n }}", {}, ["outputs"])],
)
def test_a_run_that_failed_has_them_as_far_as_they_can_be_rendered(world, value, outputs, warnings) -> None:
    text = "id: f\ntasks:\n- {id: a, commands: [exit 3]}\n- {id: b, commands: [x]}\noutputs:\n"
    record = run(world, f"- {{id: o, type: INT, value: '{value}'}}", text)
    assert (record["state"], record["failure"], record["outputs"]) == ("FAILED", None, outputs)
    assert [warning["path"] for warning in record["warnings"]] == warnings


def test_a_cancelled_run_has_none(world) -> None:
    accepted = world.accept(text="tasks:\n- {id: a, commands: [sleep 60]}\noutputs: [{id: o, type: INT, value: 1}]")
    world.put("inbox", f"{accepted}.cancel")
    poll_runs.poll(world.app)
    world.finish()
    record = world.record(accepted)
    assert (record["state"], record["outputs"], record["warnings"]) == ("KILLED", {}, [])
