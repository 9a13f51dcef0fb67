"""Inputs of a flow: their defaults are their values."""

import json

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest


def read(**properties: object) -> object:
    flow = {"inputs": [{"id": "i", **properties}], "commands": ["x"]}
    return read_manifest(json.dumps(flow), "x.json").flow.inputs[0].defaults


@pytest.mark.parametrize(
    ("input_type", "given", "value"),
    [
        ("STRING", "a", "a"),
        ("STRING", 1.5, "1.5"),
        ("STRING", True, "true"),
        ("INT", "12", 12),
        ("INT", 12, 12),
        ("FLOAT", "1.5", 1.5),
        ("FLOAT", 1, 1.0),
        ("BOOL", "true", True),
        ("BOOLEAN", False, False),
        ("ARRAY", "[1, 2]", [1, 2]),
        ("ARRAY", [1, 2], [1, 2]),
        ("JSON", '{"a": 1}', {"a": 1}),
        ("JSON", {"a": 1}, {"a": 1}),
        ("YAML", "a: [1]", {"a": [1]}),
        ("DATETIME", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("DATETIME", "2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00Z"),
        ("DATETIME", "2026-01-31T12:00:00.5+02:00", "2026-01-31T10:00:00.500Z"),
        ("DATE", "2026-01-31", "2026-01-31"),
        ("TIME", "12:30", "12:30"),
        ("DURATION", "PT5M", "PT5M"),
        ("URI", "https://example.com", "https://example.com"),
        ("EMAIL", "a@example.com", "a@example.com"),
        ("INT", "{{ vars.n }}", "{{ vars.n }}"),
    ],
)
def test_a_default_is_read_as_a_value_of_its_type(input_type: str, given: object, value: object) -> None:
    assert read(type=input_type, defaults=given) == value


def test_an_input_that_is_not_required_may_have_no_value() -> None:
    assert read(required=False) is None


def test_values_limit_a_selection() -> None:
    assert read(type="SELECT", values=["a", "b"], defaults="b") == "b"
    assert read(type="SELECT", values=["a"], allowCustomValue=True, defaults="b") == "b"
    assert read(type="SELECT", values=[{"label": "A", "value": "a"}], defaults="a") == "a"


def test_the_first_value_may_be_the_default() -> None:
    assert read(type="SELECT", values=[{"label": "A", "value": "a"}, "b"], autoSelectFirst=True) == "a"
    assert read(type="SELECT", values=["a", "b"], autoSelectFirst=True, defaults="b") == "b"


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({}, "inputs[0].defaults: no values are asked for: give the input `defaults`, or set `required: false`"),
        ({"type": "INT", "defaults": "1.5"}, "inputs[0].defaults: expected a whole number, as its type is INT"),
        ({"type": "INT", "defaults": 1.5}, "expected a whole number"),
        ({"type": "FLOAT", "defaults": "nan"}, "expected a number"),
        ({"type": "BOOL", "defaults": "maybe"}, "expected true or false"),
        ({"type": "ARRAY", "defaults": "{}"}, "expected a list"),
        ({"type": "JSON", "defaults": "{"}, "expected JSON"),
        ({"type": "YAML", "defaults": "a: ["}, "expected YAML"),
        ({"type": "DATE", "defaults": "31.1.2026"}, "expected a date such as 2026-01-31"),
        ({"type": "DATETIME", "defaults": "0001-01-01T00:00:00+14:00"}, "expected a date and time"),
        ({"type": "DURATION", "defaults": "5m"}, "expected an ISO 8601 duration"),
        ({"type": "URI", "defaults": "x"}, "expected an address"),
        ({"type": "STRING", "defaults": [1]}, "expected text"),
        ({"type": "SELECT", "values": ["a"], "defaults": "b"}, "inputs[0]: 'b' is not one of its values: a"),
        (
            {"type": "SELECT", "values": [{"label": "A"}], "defaults": "A"},
            "inputs[0].values[0]: expected text, found a map",
        ),
        ({"type": "MULTISELECT", "values": ["a"], "defaults": ["a", "b"]}, "'b' is not one of its values"),
        ({"type": "FILE", "defaults": "x"}, "inputs[0].type: inputs of type FILE are not supported here: put the file"),
        ({"type": "SECRET", "defaults": "x"}, "write {{ secret('NAME') }} where it is used"),
        ({"name": "n", "defaults": "x"}, "inputs[0].name: not supported here: this is the old name of `id`"),
        ({"type": "TEXT", "defaults": "x"}, "inputs[0].type: expected 'STRING', 'INT'"),
    ],
)
def test_problems_of_inputs(properties: dict[str, object], problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(**properties)
    assert problem in str(caught.value)
