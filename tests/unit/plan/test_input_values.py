"""Inputs as expressions see them: defaults are rendered, and an id with dots is a path."""

from __future__ import annotations

import pytest

from shared.errors import ManifestError
from shared.plan.plan_round import plan_round
from shared.plan.run_manifest import manifest_of


@pytest.fixture
def echoed(run_of, settings):
    def render(expression: str, *inputs: str, variables: str = "{}") -> str:
        listed = "".join(f"\n- {each}" for each in inputs)
        text = f"variables: {variables}\ninputs:{listed}\ntasks:\n- {{id: t, commands: ['{expression}']}}"
        run = run_of(text)
        return plan_round(manifest_of(run), run, settings).tasks[0].commands.text.removeprefix("set -e\n")

    return render


@pytest.mark.parametrize(
    ("given", "expression", "text"),
    [
        ("{id: i, type: DATE, defaults: \"{{ now('yyyy-MM-dd') }}\"}", "{{ inputs.i }}", "2026-11-22"),
        ('{id: i, type: INT, defaults: "{{ vars.n }}"}', "{{ inputs.i + 1 }}", "42"),
        ('{id: i, type: ARRAY, defaults: "{{ vars.l }}"}', "{{ inputs.i[1] }}", "b"),
        ('{id: i, type: ARRAY, defaults: ["{{ vars.n }}", x]}', '{{ inputs.i | join(",") }}', "41,x"),
        ('{id: i, type: JSON, defaults: {"{{ vars.n }}": "{{ vars.n + 1 }}"}}', "{{ inputs.i }}", '{"41":"42"}'),
        ("{id: i, defaults: \"{{ secret('TOKEN') }}\"}", "{{ inputs.i }}", "s3cr3t-t0ken"),
        ('{id: i, defaults: "{{ flow.namespace }}{{ vars.n }}"}', "{{ render(inputs.i) }}", "41"),
        ('{id: i, type: FILE, defaults: "nsfile://n/{{ vars.n }}.csv"}', "{{ inputs.i }}", "nsfile://n/41.csv"),
        (
            '{id: i, type: ARRAY, itemType: INT, defaults: ["{{ vars.n }}", "1"]}',
            "{{ inputs.i[0] + inputs.i[1] }}",
            "42",
        ),
        ("{id: a.b.c, type: INT, defaults: 1}", "{{ inputs.a.b.c + 1 }}", "2"),
        ("{id: a.b, required: false}", '{{ inputs.a.b ?? "nothing" }}', "nothing"),
    ],
)
def test_the_value_of_an_input(echoed, given: str, expression: str, text: str) -> None:
    assert echoed(expression, given, variables="{n: 41, l: [a, b]}") == text


def test_a_default_may_use_the_inputs_before_it(echoed) -> None:
    assert echoed("{{ inputs.b }}", "{id: a.x, defaults: A}", '{id: b, defaults: "{{ inputs.a.x }}B"}') == "AB"


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        (('{id: i, defaults: "{{ nothing }}"}',), "inputs[0].defaults: 'nothing' does not exist at line 3"),
        (('{id: i, defaults: "{{ inputs.j }}"}', "{id: j, defaults: x}"), "inputs[0].defaults: 'j' does not exist"),
        (('{id: i, defaults: "{{ outputs.t.vars.x }}"}',), "inputs[0].defaults: 'outputs' does not exist"),
        (('{id: i, type: INT, defaults: "{{ flow.id ?? 1.5 }}"}',), "inputs[0].defaults: expected a whole number"),
        (('{id: i, type: SELECT, values: [a], defaults: "{{ vars.x }}"}',), "'b' is not one of its values: a"),
        (
            ("{id: i}",),
            "inputs[0].defaults: the input 'i' has no value: give it `defaults`, or run the flow with a value",
        ),
        (("{id: i, required: false}", "{id: j, type: INT}"), "inputs[1].defaults: the input 'j' has no value"),
        (('{id: i, type: INT, max: 1, defaults: "{{ 1 + 1 }}"}',), "inputs[0].defaults: must be at most 1, not 2"),
        (
            ('{id: i, type: FILE, defaults: "{{ vars.x }}.csv"}',),
            "inputs[0].defaults: this is not the address of a file",
        ),
        (
            ('{id: i, type: ARRAY, itemType: INT, defaults: [1, "{{ vars.x }}"]}',),
            "defaults: entry 2 of the list: expected",
        ),
        (("{id: a, defaults: x}", "{id: a.b, defaults: y}"), "inputs[1].id: the input 'a' has a value, so"),
    ],
)
def test_what_is_wrong_with_a_value(echoed, inputs: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        echoed("x", *inputs, variables="{x: b}")
    assert problem in str(caught.value)
