"""Run requests: a stored flow, or one in the request itself, with values for its inputs."""

from __future__ import annotations

import hashlib

import pytest

from shared.steps import resolve_request
from tests.integration.conftest import World

pytestmark = pytest.mark.sampled

ETL = """\
id: etl
namespace: company.team
labels: {team: data, kind: flow}
inputs:
  - {id: rows, type: INT, defaults: 1}
  - {id: day, type: DATE, defaults: "{{ now('yyyy-MM-dd') }}"}
tasks:
  - id: load
    type: io.kestra.plugin.scripts.shell.Commands
    commands: ["echo '::{\\"outputs\\":{\\"rows\\":{{ inputs.rows }}, \\"day\\":\\"{{ inputs.day }}\\"}}::'"]
"""


def in_request(flow: str, **values: str) -> str:
    """A request with the flow inside."""
    lines = "".join(f"  {line}\n" for line in flow.splitlines())
    return f"flow:\n{lines}" + "".join(f"{name}: {value}\n" for name, value in values.items())


def values_of(record: dict) -> dict:
    """What the only task has printed."""
    [task] = record["tasks"]
    return task["outputs"]["vars"]


def test_a_stored_flow_runs_with_the_values_of_the_request(world: World) -> None:
    """The version that was read is the one that runs; its text is in the results, its version in the record."""
    world.put("flows", "company.team/etl.yaml", ETL)
    run = world.accept("r.yaml", "flow: company.team/etl\ninputs: {rows: 10, day: 2026-01-31}\nlabels: {kind: mine}\n")
    world.remove("flows", "company.team/etl.yaml")  # it is not read again
    world.finish()

    record = world.record(run, "r.yaml")
    assert record["state"] == "SUCCESS", record
    assert values_of(record) == {"rows": 10, "day": "2026-01-31"}
    assert record["inputs"] == {"rows": 10, "day": "2026-01-31"}
    assert record["labels"] == {"team": "data", "kind": "mine"}
    source = record["flow"].pop("source")
    assert record["flow"] == {"id": "etl", "namespace": "company.team"}
    assert (source["name"], source["sha256"]) == ("company.team/etl.yaml", hashlib.sha256(ETL.encode()).hexdigest())
    assert source["etag"].startswith("0x")
    assert world.text("results", f"r/{run}/flow.yaml") == ETL
    assert world.text("results", f"r/{run}/manifest.yaml").startswith("flow: company.team/etl\n")


def test_a_flow_in_the_request_runs_with_its_values(world: World) -> None:
    run = world.accept("r.yaml", in_request(ETL, inputs="{rows: '7'}"))
    world.finish()
    record = world.record(run, "r.yaml")
    assert values_of(record)["rows"] == 7
    assert record["flow"]["source"] is None
    assert f"r/{run}/flow.yaml" not in world.names("results")


def test_a_task_in_the_request_is_a_flow_too(world: World) -> None:
    """The task form is short for a flow, wherever it stands."""
    run = world.accept("r.json", '{"flow": {"id": "short", "commands": ["exit 0"]}}')
    world.finish()
    assert world.record(run, "r.json")["state"] == "SUCCESS"


@pytest.mark.parametrize(
    ("request_text", "stored", "problems"),
    [
        (
            "flow: company.team/etl\ninputs: {row: 10, day: tomorrow, rows: many}\n",
            ETL,
            [
                ("inputs.row", 2, None, "the flow has no input 'row'; did you mean \"rows\"?"),
                ("inputs.day", 2, None, "expected a date such as 2026-01-31, as its type is DATE"),
                ("inputs.rows", 2, None, "expected a whole number, as its type is INT"),
            ],
        ),
        (
            "flow: company.team/elt\n",
            ETL,
            [("flow", 1, None, "there is no stored flow 'company.team/elt'; did you mean \"company.team/etl\"?")],
        ),
        (
            "flow: company.team/etl\n",
            ETL.replace("company.team", "other.team"),
            [
                (
                    "namespace",
                    2,
                    "flow.yaml",
                    "the flow is stored as 'company.team/etl', so its namespace must be 'company.team', and not",
                )
            ],
        ),
        (
            "flow: company.team/etl\n",
            ETL.replace("commands:", "comands:"),
            [("tasks[0].comands", 10, "flow.yaml", 'unknown property; did you mean "commands"?')],
        ),
        (
            "flow: company.team/etl\n",
            "flow:\n  commands: [ls]\n",
            [("flow", 2, "flow.yaml", "a stored flow is a flow itself, not a run request")],
        ),
        (
            "flow: company.team/etl\n",
            "x" * (1024 * 1024 + 1),
            [("flow", 1, None, "the stored flow 'company.team/etl'")],
        ),
        ("flow: company.team/etl\n", "", [(None, 1, "flow.yaml", "the manifest is empty")]),
        (
            "flow: etl\ninput: {}\n",
            ETL,
            [
                ("flow", 1, None, "expected the name of a stored flow, as in company.team/etl"),
                ("input", 2, None, 'unknown property; did you mean "inputs"?'),
            ],
        ),
        (
            "flow:\n",
            ETL,
            [(None, 1, None, "a run request names a `flow`, or in `retry` an earlier run: this has neither")],
        ),
        (
            "flow: a/b\nretry: x/x-20260131t120000-0123abcd\n",
            ETL,
            [(None, 1, None, "a run request has either `flow` or `retry`: leave one out")],
        ),
        (
            in_request(ETL.replace("INT", "IN"), inputs="{rows: 1}"),
            ETL,
            [("flow.inputs[0].type", 6, None, "expected 'STRING'")],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_file_and_its_line(
    world: World, request_text: str, stored: str, problems: list[tuple[str | None, int, str | None, str]]
) -> None:
    """All at once; the run is rejected."""
    world.put("flows", "company.team/etl.yaml", stored)
    run = world.accept("r.yaml", request_text)
    record = world.record(run, "r.yaml")
    assert record["state"] == "REJECTED"
    found = [(each["path"], each["line"], each["file"], each["message"]) for each in record["errors"]]
    assert len(found) == len(problems), found
    for (*place, message), (*wanted, beginning) in zip(sorted(found, key=str), sorted(problems, key=str), strict=True):
        assert place == wanted
        assert message.startswith(beginning), message


def test_what_cannot_be_understood_at_acceptance_is_recorded_and_not_left_in_the_inbox(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the app, too, must not keep a manifest where nobody is told of it."""

    def fails(*_: object, **__: object) -> None:
        raise KeyError("This was asked for.")

    monkeypatch.setattr(resolve_request, "find_request", fails)
    run = world.accept("r.yaml", in_request(ETL))
    world.finish()
    assert world.record(run, "r.yaml")["state"] == "SUCCESS"
    assert world.names("inbox") == []
