"""Run requests: which manifests are requests, what is wrong with others, and what given values are."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import ManifestError
from shared.manifest._source import parse
from shared.manifest.read import read_manifest
from shared.manifest.request import read_request, request_text
from shared.plan.plan_round import plan_round
from shared.plan.run_manifest import checked_manifest

RUN = "a/a-20260131t120000-0123abcd"
A_FLOW_INSIDE = "expected a flow (a map with `tasks`), this is a run request itself"
BOTH = "not supported here: a run request has no tasks beside its `flow`: leave one of both out"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("flow:\n", [(None, 1, 1, "a run request names a `flow`, or in `retry` an earlier run: this has neither")]),
        ("flow: []\n", [("flow", 1, 7, "expected the name of a stored flow, as in company.team/etl, or a flow")]),
        ("flow: a/b\ntasks: [{id: t, commands: [ls]}]\n", [("flow", 1, 1, BOTH)]),
        ("commands: [ls]\nflow: {commands: [ls]}\n", [("flow", 2, 1, BOTH)]),
        ("flow:\n  flow: a/b\n", [("flow", 2, 3, A_FLOW_INSIDE)]),
        (f"flow:\n  retry: {RUN}\n", [("flow", 2, 3, A_FLOW_INSIDE)]),
        (
            f"retry: {RUN}\ntasks: [{{id: t, commands: [ls]}}]\n",
            [
                (
                    "retry",
                    1,
                    1,
                    "not supported here: give the tasks a `retry`; a manifest that retries a run has no tasks",
                )
            ],
        ),
        (
            "flow: {comands: [ls], tasks: [{id: t, commands: [ls]}]}\ninputs: {a: 1, a: 2}\nlabel: x\n",
            [
                ("flow.comands", 1, 8, "unknown property"),
                ("inputs.a", 2, 16, "the property 'a' is set twice"),
                ("label", 3, 1, 'unknown property; did you mean "labels"?'),
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_place_and_all_at_once(
    text: str, problems: list[tuple[str | None, int, int, str]]
) -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(text, "m.yaml")
    found = [(each.path, each.line, each.column, each.message) for each in caught.value.problems]
    assert [place for *place, _ in found] == [place for *place, _ in problems], found
    for (*_, message), (*_, beginning) in zip(found, problems, strict=True):
        assert message.startswith(beginning)


@pytest.fixture
def commands(run_of, settings):
    def render(text: str, name: str = "m.yaml") -> list[str]:
        run = run_of(text, name)
        plan = plan_round(checked_manifest(run, settings), run, settings)
        return [task.commands.text.removeprefix("set -e\n") for task in plan.tasks]

    return render


SECRET = "{{ secret('TOKEN') }}"


@pytest.mark.parametrize(
    ("flow", "given"),
    [
        ("inputs: [{id: a}], commands: ['{{ inputs.a }}']", f'inputs: {{a: "{SECRET}"}}'),
        (
            "inputs: [{id: a}, {id: b, defaults: '{{ inputs.a }}'}], commands: ['{{ inputs.b }}']",
            f'inputs: {{a: "{SECRET}"}}',
        ),
        (
            "inputs: [{id: a, type: JSON}], foreach: '{{ inputs.a }}', commands: ['{{ item }}']",
            f'inputs: {{a: ["{SECRET}"]}}',
        ),
        ("labels: {a: x}, commands: ['{{ labels.a }}']", f'labels: {{a: "{SECRET}"}}'),
        ("labels: {a: x}, commands: ['{{ labels.a }}']", f'labels: [{{key: a, value: "{SECRET}"}}]'),
    ],
)
def test_expressions_in_what_is_given_are_text(commands, flow: str, given: str) -> None:
    assert commands(f"flow: {{{flow}}}\n{given}\n") == [SECRET]


def test_only_render_renders_what_is_given(commands) -> None:
    """As in Kestra; see SECURITY.md."""
    assert commands(
        f'flow: {{inputs: [{{id: a}}], commands: ["{{{{ render(inputs.a) }}}}"]}}\ninputs: {{a: "{SECRET}"}}\n'
    ) == ["s3cr3t-t0ken"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("flow: {inputs: [{id: a}], variables: &v {a: x}, commands: ['{{ inputs.a }}']}\ninputs: {<<: *v}\n", "m.yml"),
        ("flow: {inputs: [{id: a}], commands: ['{{ inputs.a }}']}\r\ninputs:\r\n  a: x\r\n", "a/b/m.YAML"),
        ('{"flow": {"inputs": [{"id": "a"}],\t"commands": ["{{ inputs.a }}"]}, "inputs": {"a": "x"}}', "m.json"),
    ],
)
def test_a_request_is_written_as_any_manifest(commands, text: str, name: str) -> None:
    assert commands(text, name) == ["x"]


@pytest.mark.parametrize(
    "value",
    [
        "3.10", "0644", "0x1F", "1e3", "-.5", "'1e3'", "'0644'", "'0o17'", "'+1'", "'true'", "on", "'null'", "''", "~x",
        "2026-01-31", "12:30", "'a: b'", "'# a'", '"a\\nb"', '"\\u00e9\\U0001F600"', "true", "[1, '1', [2.50]]",
        "{a: {b: 1.0, '1': '2'}}", "'{{ x }}'", "' a '",
    ],
)  # fmt: skip
def test_a_request_that_the_app_writes_reads_as_what_it_was_written_of(value: str) -> None:
    """Also numbers, which are text for an input of type STRING: `3.10` stays so."""
    given = parse(f"v: {value}\nsame: [&a [x], *a]").data
    again = read_request(request_text("a/b", given, {"n": "1"}), as_json=False).request
    assert (again.flow, again.labels) == ("a/b", {"n": "1"})
    assert texts(again.inputs) == texts(given)


def texts(value: Any) -> Any:
    match value:
        case dict():
            return {name: texts(each) for name, each in value.items()}
        case list():
            return [texts(each) for each in value]
    return type(value), getattr(value, "text", value)
