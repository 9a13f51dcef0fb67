"""The values of a flow's inputs: those that a request gives, and otherwise their defaults, rendered."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from shared.documents.run import Run
from shared.errors import Problem, did_you_mean
from shared.expressions.values import UNKNOWN, Unknown
from shared.manifest.inputs import Input, InputType
from shared.manifest.read import Manifest
from shared.manifest.request import Given
from shared.manifest.types import PropertyPath
from shared.masking import MASK
from shared.plan._app_variables import hidden_names
from shared.plan._context import Context
from shared.plan._rendering import Bindings, Rendering, with_texts
from shared.plan.lookups import NotKnownYet, read_address
from shared.settings import Settings

NO_VALUE = (
    "the input {!r} has no value: give it `defaults`, or run the flow with a value: batchrun run FILE -i {}=VALUE"
)
NO_VALUE_IN_RETRY = (
    "the input {!r} has no value, as in the earlier run: drop a new run request, which has the `flow` and its `inputs`"
)
NO_VALUE_IN_REQUEST = "the input {!r} has no value: add it to `inputs` of the run request, or give it `defaults`"


def with_inputs(context: Context, manifest: Manifest) -> tuple[Context, list[Problem]]:
    """The context with the values of the inputs, UNKNOWN where there is a problem; and the problems of the inputs."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    ids = {declared.id for declared in manifest.flow.inputs}
    given = by_id(manifest.given.inputs, ids)
    if "inputs" not in manifest.gaps.values:
        problems += (manifest.given.problem(name, unknown_input(name, ids)) for name in given if name not in ids)
    context = replace(context, inputs=UNKNOWN if "inputs" in manifest.gaps.values else values)
    for index, declared in enumerate(manifest.flow.inputs):
        bindings = _bindings(context, manifest.gaps.values | ({"inputs"} if problems else set()))
        rendering = Rendering(partial(_problem, manifest, index), bindings)
        parent, _, name = declared.id.rpartition(".")
        if parents := sorted(_parent_ids(declared.id) & ids):
            rendering.fail(("id",), f"the input {parents[0]!r} has a value, so it cannot contain other inputs")
        elif given.get(declared.id) is not None:
            value, wrong = _given_value(declared, given[declared.id], manifest.given, context)
            _nested_map(values, parent)[name] = value
            problems += wrong
        elif declared.required and declared.defaults is None:
            rendering.fail(("defaults",), _no_value(manifest.given).format(declared.id, declared.id))
            _nested_map(values, parent)[name] = UNKNOWN
        else:
            _nested_map(values, parent)[name] = _default(declared, rendering, context)
        problems += rendering.problems
    for name in {min(found) for declared in ids if (found := _parent_ids(declared) & ids)}:
        _nested_map(values, name.rpartition(".")[0])[name.rpartition(".")[2]] = UNKNOWN
    return context, problems


def _problem(manifest: Manifest, index: int, path: PropertyPath, message: str) -> Problem:
    return manifest.problem(("inputs", index, *path), message)


@dataclass(frozen=True)
class InputValues:
    """The values of the inputs of a run by their ids, without those that are not known; and which were given to it."""

    values: Mapping[str, Any]
    given: frozenset[str]


def input_values(manifest: Manifest, run: Run, settings: Settings) -> InputValues:
    """The values of the inputs of a run."""
    ids = {declared.id for declared in manifest.flow.inputs}
    context, _ = with_inputs(Context(manifest.flow, run, settings), manifest)
    found = {name: _at(context.inputs, name) for name in sorted(ids)}
    known = {name: value for name, value in found.items() if value is not None and not isinstance(value, Unknown)}
    return InputValues(known, frozenset(by_id(manifest.given.inputs, ids)))


def _at(values: object, path: str) -> object:
    for part in path.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def by_id(given: Mapping[str, Any], ids: AbstractSet[str]) -> dict[str, Any]:
    """The given values by the ids of inputs: `{"a": {"b": 1}}` is a value of the input `a.b`, if there is no `a`."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, dict) and name not in ids and any(each.startswith(f"{name}.") for each in ids):
            found |= by_id({f"{name}.{below}": each for below, each in value.items()}, ids)
        else:
            found[name] = value
    return found


def unknown_input(name: str, ids: AbstractSet[str]) -> str:
    """The message about a value for an input that the flow does not have."""
    hint = did_you_mean(name, ids) or (f"; it has: {', '.join(sorted(ids))}" if ids else "; it has none")
    return f"the flow has no input {name!r}{hint}"


def _no_value(given: Given) -> str:
    if given.is_of_earlier_run:
        return NO_VALUE_IN_RETRY
    return NO_VALUE_IN_REQUEST if given.is_by_request else NO_VALUE


def _given_value(declared: Input, value: object, given: Given, context: Context) -> tuple[object, list[Problem]]:
    try:
        return _checked(declared, value if given.is_of_earlier_run else declared.value_of(value), context), []
    except ValueError as error:
        return UNKNOWN, [given.problem(declared.id, str(error))]


def _bindings(context: Context, unknown: frozenset[str]) -> Bindings:
    """What defaults may use; the values of the `unknown` names are not known because of mistakes elsewhere."""
    values = context.values
    checked = {**values, **dict.fromkeys((unknown | hidden_names(context.settings)) - {"inputs"}, UNKNOWN)}
    return Bindings(
        values,
        context.functions,
        context.budget,
        unknown,
        lambda: checked,
        major=context.flow.major,
        seed=f"{context.run.body.seed}/inputs",
        hidden=context.hidden,
    )


def _parent_ids(input_id: str) -> set[str]:
    """The ids of the inputs that would contain an input: `a` and `a.b` for `a.b.c`."""
    parts = input_id.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def _nested_map(values: dict[str, Any], path: str) -> dict[str, Any]:
    """The map at a dotted path in `values`, made if it is missing."""
    for part in path.split(".") if path else ():
        values = values.setdefault(part, {})
    return values


def _checked(declared: Input, value: object, context: Context) -> object:
    """A value of the input's type. Raises ValueError for the address of a file that the flow cannot have."""
    if declared.type is InputType.FILE and value is not None:
        read_address(str(value), context.flow.namespace, context.settings)
    return value


def _default(declared: Input, rendering: Rendering, context: Context) -> object:
    problems_before = len(rendering.problems)
    rendered = with_texts(partial(_known, rendering), ("defaults",), declared.defaults)
    if len(rendering.problems) > problems_before:
        return UNKNOWN
    if rendered in (None, MASK):
        return rendered
    try:
        value = rendered if rendered == declared.defaults else declared.value_of(rendered)
        return _checked(declared, value, context)
    except ValueError as error:
        rendering.fail(("defaults",), str(error))
        return UNKNOWN


def _known(rendering: Rendering, path: PropertyPath, text: str) -> str | None:
    try:
        return rendering.known_text(path, text)
    except NotKnownYet:  # because of a mistake elsewhere
        return None
