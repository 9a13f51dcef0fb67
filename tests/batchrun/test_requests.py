"""What `run -i` drops: a request with the flow inside, whose lines are those of the flow's file plus a constant."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.cli.check import check
from batchrun.client.pools import Pools
from batchrun.client.refs import RunRef
from batchrun.client.requests import Drop, as_it_is, of_retry, of_stored, with_flow_inside
from local.stack.settings import default_settings
from shared.documents.manifest_blob import manifest_blob
from shared.documents.record import RunProblem
from shared.manifest._source import read_source
from shared.manifest.request import read_request
from shared.settings import Settings

pytestmark = pytest.mark.sampled

NOW = datetime(2026, 1, 31, tzinfo=UTC)
NO_VALUE = "the input 'rows' has no value: give it one by -i rows=VALUE, or give it `defaults`"
GIVEN = {"rows": "10", "a.b": "{{ not rendered }} \"'\\ \t\n\r\x85\u2028\u2029\ufeff\x7f\x00 ü 😀"}


def wrapped(text: str, name: str = "etl.yaml", **labels: str) -> Drop:
    return with_flow_inside(Path("here") / name, text, NOW, GIVEN, labels)


def flow_in(drop: Drop) -> object:
    """The flow that the app finds in a request, which has the values as they were given."""
    text = drop.manifest.text
    assert text is not None
    request = read_request(text, as_json=drop.blob.endswith(".json")).request
    assert request.inputs == GIVEN
    return request.flow


SAME = [
    "id: a\ncommands: [x]\n",
    "id: a\ncommands: [x]",
    "id: a\r\n\r\nscript: |\r\n  one\r\n\r\n  two\r\ntasks: []\r\n",
    "---\nid: a\n",
    "--- # a comment\nid: a\n...\n",
    "# comment\n\n%YAML 1.1\n---\nid: a\n# at the end",
    "--- {id: a,\nb: c\n}\n",
    "%TAG ! tag:example.com,2000:\n---\nid: a\n",
    "    id: a\n    b: c\n",
    "id: a\nscript: |2\n    indented\n   less\n",
    "id: a\nscript: |+\n  kept\n\n\n",
    "id: a\nscript: |\n  no end",
    "id: a\nscript: >-\n  folded\n   more\n\n  end\n# comment\nb: c",
    "id: a\nscript: |\n  one\n   \n \n  two\n",
    'id: "over\nlines\n\n  of text"\nb: plain\n  text\n',
    "id: &x a\nb: *x\n",
    '{\n"id": "a",\n\t"b": [1,\n2]\n}\n',
    'id: a\nb: "line\u2028separator"\nc: d\n',
    "id: a\nscript: |\n  one\u2028  two\x85  three\n",
    "id: a\rb: c\r",
    "? id\n: a\n",
    "!!map\nid: a\n",
    "id: a\nscript: |\n  --- not a marker\n  ...\n",
    "id: ---\nb: ...\n",
]  # fmt: skip


@pytest.mark.parametrize("text", SAME)
def test_the_flow_inside_is_the_flow_of_the_file(text: str) -> None:
    """Whatever YAML allows, ends of lines and documents included."""
    expected = json.dumps(read_source(text).data)
    assert json.dumps(flow_in(wrapped(text))) == expected
    assert json.dumps(flow_in(wrapped(text, team="data"))) == expected


@pytest.mark.parametrize("text", ["id: a\n---\nid: b\n", "---\nid: a\n---\nid: b\n", "id: a\n...\nid: b\n"])
def test_two_documents_stay_two(text: str) -> None:
    """Of which the app takes neither."""
    [error] = errors_of(wrapped(text))
    assert "expected a single document" in error.message or "did not find expected <document start>" in error.message


def test_lines_stay_as_they_are() -> None:
    """Empty ones are empty, and those of Windows end as they did."""
    drop = with_flow_inside(Path("etl.yaml"), "---\r\nid: a\r\n\r\nb: c", NOW, {"rows": "1"}, {"k": "v"})
    assert drop.content == (b'inputs: {"rows": "1"}\nlabels: {"k": "v"}\nflow:\n     \r\n  id: a\r\n\r\n  b: c')
    assert (drop.own_lines, drop.indent, drop.blob, drop.name) == (3, 2, "etl.yaml", "etl.yaml")


def test_json_stays_json() -> None:
    text = '{"id": "a",\n\t"tasks": [{"commands": ["x"]}]}\n'
    drop = wrapped(text, "etl.json", k="v")
    assert json.loads(drop.content) == {"inputs": GIVEN, "labels": {"k": "v"}, "flow": json.loads(text)}
    assert flow_in(drop) == json.loads(text)


def errors_of(drop: Drop) -> list[RunProblem]:
    return list(check(drop, Settings.from_environ(default_settings({})), Pools()).errors)


MISTAKES = [
    ("etl.yaml", "id: a\ncomands: [x]\ninputs: [{id: rows, type: INT}, {id: a.b}]\n"),
    ("etl.yaml", "---\ninputs: [{id: rows}, {id: a.b}]\ntasks:\n- id: t\n  commands: ['{{ inputs.row }}']\n"),
    ("etl.yaml", "inputs: [{id: rows, type: IN}, {id: a.b}]\ncommands: 3\n"),
    ("etl.yaml", "inputs: [{id: rows}, {id: a.b}]\r\ncommands: [x]\r\nenv: {a-b: c}\r\n"),
    ("etl.json", '{"inputs": [{"id": "rows"}, {"id": "a.b"}],\n  "commands": ["{{ nothing }}"]}'),
    ("etl.json", '{"inputs": [{"id": "rows"}, {"id": "a.b"}], "commands": 3}'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), MISTAKES)
def test_mistakes_are_where_the_file_has_them(name: str, text: str) -> None:
    """And say the same as of the file alone, given that its inputs have values."""
    with_defaults = text.replace("id: rows", "id: rows, defaults: 1").replace("id: a.b", "id: a.b, defaults: x")
    with_defaults = with_defaults.replace('"id": "rows"', '"id": "rows", "defaults": "1"')
    with_defaults = with_defaults.replace('"id": "a.b"', '"id": "a.b", "defaults": "x"')
    alone = errors_of(as_it_is(Path(name), with_defaults.encode(), NOW))
    inside = errors_of(wrapped(text, name))
    assert [(each.message, each.path, each.line) for each in inside] == [
        (each.message, each.path, each.line) for each in alone
    ]
    for each in inside:
        if each.path and "inputs" not in each.path and each.line:
            shown = text.splitlines()[each.line - 1][(each.column or 1) - 1 :]
            assert shown.strip()


def test_columns_are_those_of_the_file() -> None:
    [error] = errors_of(wrapped("inputs: [{id: rows}, {id: a.b}]\ncommands: [x]\nenv: {a-b: c}\n"))
    assert (error.path, error.line, error.column) == ("env.a-b", 3, 12)
    [error] = errors_of(
        wrapped('{"inputs": [{"id": "rows"}, {"id": "a.b"}], "commands": ["x"], "env": {"a-b": "c"}}', "m.json")
    )
    assert (error.path, error.line, error.column) == ("env.a-b", 1, 79)


@pytest.mark.parametrize(
    ("inputs", "labels", "found"),
    [
        ({"rows": "many"}, {}, [("-i rows", "expected a whole number, as its type is INT")]),
        ({"rows": "1", "row": "2"}, {}, [("-i row", "the flow has no input 'row'; did you mean \"rows\"?")]),
        ({"rows": "0"}, {"k": "v"}, [("-i rows", "must be at least 1, not 0")]),
        (
            {"a.b": "1"},
            {},
            [("inputs[0].defaults", NO_VALUE)],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_stored", [True, False])
def test_what_is_wrong_with_a_value_names_its_option(
    inputs: dict[str, str], labels: dict[str, str], found: list[tuple[str, str]], is_stored: bool
) -> None:
    text = "id: f\nnamespace: n\ninputs:\n- {id: rows, type: INT, min: 1}\n- {id: a.b, defaults: x}\ncommands: [x]\n"
    drop = with_flow_inside(Path("f.yaml"), text, NOW, inputs, labels)
    if is_stored:
        drop = replace(of_stored("n/f", NOW, inputs, labels), flow=manifest_blob("n/f.yaml", "", text.encode()))
    errors = errors_of(drop)
    assert [(each.path, each.message) for each in errors] == found
    places = {(each.file, each.line, each.column) for each in errors if (each.path or "").startswith("inputs")}
    assert places <= {("flows/n/f.yaml" if is_stored else None, 4, 3)}


def test_what_a_record_says_of_a_retry_is_in_words_of_options() -> None:
    ref = RunRef("etl-20260131t120000-0123abcd", "team/etl/etl-20260131t120000-0123abcd")
    drop = of_retry(ref, ["load"], NOW)
    assert (drop.blob, drop.name) == ("etl.yaml", f"retry of {ref.id}")
    assert drop.content.decode() == f'retry: "{ref.folder}"\nfrom: ["load"]\n'
    lost = RunProblem(
        message="'x' is not there any more; to run again what made it, add to the request: `from: [load, each]`",
        path="retry", line=1, column=8,
    )  # fmt: skip
    shown = drop.own_position(lost)
    assert (shown.path, shown.line) == (None, None)
    assert shown.message.endswith("to run again what made it, `--task load --task each`")
    unknown = RunProblem(message="the flow has no task 'lod'", path="from[0]", line=2, column=8)
    assert drop.own_position(unknown).path == "--task"


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_every_value_arrives_as_it_was_given(values: dict[str, str]) -> None:
    drop = with_flow_inside(Path("f.yaml"), "id: a\n", NOW, {"a": "b", **values}, {})
    assert drop.manifest.text is not None
    assert read_request(drop.manifest.text, as_json=False).request.inputs == {"a": "b", **values}
