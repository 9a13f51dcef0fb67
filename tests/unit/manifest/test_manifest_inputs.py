"""Inputs of a flow: their defaults are their values."""

import json

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest


def read(**properties: object) -> object:
    flow = {"inputs": [{"id": "i", **properties}], "commands": ["x"]}
    return read_manifest(json.dumps(flow), "x.json").flow.inputs[0].defaults


def test_an_input_that_is_not_required_may_have_no_value() -> None:
    assert read(required=False) is None


def test_values_limit_a_selection() -> None:
    assert read(type="SELECT", values=["a", "b"], defaults="b") == "b"
    assert read(type="SELECT", values=["a"], allowCustomValue=True, defaults="b") == "b"
    assert read(type="SELECT", values=[{"label": "A", "value": "a"}], defaults="a") == "a"


def test_a_default_with_an_expression_is_checked_once_it_is_rendered() -> None:
    assert read(type="INT", min=1, defaults="{{ vars.n }}") == "{{ vars.n }}"
    assert read(type="ARRAY", itemType="INT", defaults=["{{ vars.n }}", "2"]) == ["{{ vars.n }}", 2]


def test_the_first_value_may_be_the_default() -> None:
    assert read(type="MULTISELECT", values=["a", "b"], autoSelectFirst=True) == ["a"]
    assert read(type="SELECT", values=[{"label": "A", "value": "a"}, "b"], autoSelectFirst=True) == "a"
    assert read(type="SELECT", values=["a", "b"], autoSelectFirst=True, defaults="b") == "b"


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"type": "INT", "defaults": "1.5"}, "inputs[0].defaults: expected a whole number, as its type is INT"),
        ({"type": "INT", "min": 1, "defaults": 0}, "inputs[0].defaults: must be at least 1, not 0"),
        ({"type": "SELECT", "values": ["a"], "defaults": "b"}, "inputs[0].defaults: 'b' is not one of its values: a"),
        (
            {"type": "SELECT", "values": [{"label": "A"}], "defaults": "A"},
            "inputs[0].values[0]: expected text, found a map",
        ),
        ({"type": "MULTISELECT", "values": ["a"], "defaults": ["a", "b"]}, "'b' is not one of its values"),
        ({"type": "ION", "defaults": "x"}, "inputs[0].type: inputs of type ION are not supported here: use JSON"),
        (
            {"type": "FORM", "inputs": []},
            "inputs[0].type: inputs of type FORM are not supported here: write its inputs",
        ),
        ({"type": "SECRET", "defaults": "x"}, "write {{ secret('NAME') }} where it is used"),
        ({"name": "n", "defaults": "x"}, "inputs[0].name: not supported here: this is the old name of `id`"),
        ({"type": "TEXT", "defaults": "x"}, "inputs[0].type: expected 'STRING', 'INT'"),
    ],
)
def test_problems_of_inputs(properties: dict[str, object], problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(**properties)
    assert problem in str(caught.value)
