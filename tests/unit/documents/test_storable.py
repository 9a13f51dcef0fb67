"""Values that come from outside go into documents: those that these could not hold are refused where they come in."""

from __future__ import annotations

import json

import pytest

from shared.documents.items import Item
from shared.documents.storable import MAX_DEPTH, check_storable
from shared.errors import ManifestError
from shared.manifest.inputs import Input
from shared.plan.plan_round import plan_round
from shared.plan.run_manifest import manifest_of


def nested(levels: int) -> str:
    """JSON of lists in lists."""
    return "[" * levels + "]" * levels


TOO_DEEP = pytest.param(nested(MAX_DEPTH + 1), "it is nested deeper than 50 levels", id="too deep")
HALF = pytest.param(r'["\ud800"]', "it has one half of a surrogate pair", id="half a surrogate pair")
HALF_NAME = pytest.param(r'[{"\ud800": 1}]', "it has one half of a surrogate pair", id="half in a name")
INFINITE = pytest.param("[1e400]", "it has a number that is too large for JSON", id="infinite")
CASES = pytest.mark.parametrize(("text", "reason"), [TOO_DEEP, HALF, HALF_NAME, INFINITE])


@pytest.mark.parametrize("text", [nested(MAX_DEPTH), '["ü\\u0000😀"]', "[1e308, -0.0, 12345678901234567890]"])
def test_what_is_storable_is_the_same_again(text: str) -> None:
    value = json.loads(text)
    check_storable(value)
    assert Item.model_validate_json(Item(index=0, value=value).to_json()).value == value


@CASES
def test_what_is_not_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_storable(json.loads(text))


@pytest.mark.parametrize("input_type", ["JSON", "ARRAY", "YAML"])
@CASES
def test_inputs_are_refused(input_type: str, text: str, reason: str) -> None:
    value = text if input_type != "YAML" else json.loads(text)
    with pytest.raises(ValueError, match=f"the value cannot be stored: {reason}"):
        Input.model_validate({"id": "i", "type": input_type}).value_of(value)


@CASES
def test_items_are_refused(run_of, settings, text: str, reason: str) -> None:
    listed = json.dumps(f"[0, {text}]")
    run = run_of(f"variables: {{t: {listed}}}\nforeach: '{{{{ vars.t }}}}'\ncommands: [ls]")
    with pytest.raises(ManifestError) as caught:
        plan_round(manifest_of(run), run, settings)
    assert f"foreach: item 1 (counted from 0) cannot be stored: {reason}" in str(caught.value)
