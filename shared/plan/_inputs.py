"""The values of a flow's inputs: their defaults, rendered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.errors import Problem
from shared.expressions.values import UNKNOWN
from shared.manifest.inputs import Input
from shared.manifest.read import Manifest
from shared.plan._rendering import Bindings, Rendering
from shared.plan._scope import Context
from shared.plan.lookups import NotKnownYet

_NO_VALUE = "no values are asked for: give the input `defaults`, or set `required: false`"


def with_inputs(context: Context, manifest: Manifest) -> tuple[Context, list[Problem]]:
    """The context with the values of the inputs, and the problems of the inputs."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    ids = {declared.id for declared in manifest.flow.inputs}
    context = replace(context, inputs=values)
    for index, declared in enumerate(manifest.flow.inputs):
        bindings = _bindings(context, manifest.gaps.values | ({"inputs"} if problems else set()))
        rendering = Rendering(manifest, ("inputs", index), bindings)
        parent, _, name = declared.id.rpartition(".")
        if parents := sorted(_parent_ids(declared.id) & ids):
            rendering.fail(("id",), f"the input {parents[0]!r} has a value, so it cannot contain other inputs")
        else:
            _nested_map(values, parent)[name] = _value(declared, rendering)
        problems += rendering.problems
    return context, problems


def _bindings(context: Context, unknown: frozenset[str]) -> Bindings:
    """What defaults may use; the values of the `unknown` names are not known because of mistakes elsewhere."""
    values = context.values()
    checked = {**values, **dict.fromkeys(unknown, UNKNOWN)}
    return Bindings(values, context.functions(), context.budget, unknown, lambda: checked)


def _parent_ids(input_id: str) -> set[str]:
    """The ids of the inputs that would contain an input: `a` and `a.b` for `a.b.c`."""
    parts = input_id.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def _nested_map(values: dict[str, Any], path: str) -> dict[str, Any]:
    """The map at a dotted path in `values`, made if it is missing."""
    for part in path.split(".") if path else ():
        values = values.setdefault(part, {})
    return values


def _value(declared: Input, rendering: Rendering) -> object:
    if declared.required and declared.defaults is None:
        rendering.fail(("defaults",), _NO_VALUE)
        return None
    problems_before = len(rendering.problems)
    rendered = _rendered(("defaults",), declared.defaults, rendering)
    if len(rendering.problems) > problems_before or rendered in (declared.defaults, None):
        return rendered
    try:
        return declared.value_of(rendered)
    except ValueError as error:
        rendering.fail(("defaults",), str(error))
        return None


def _rendered(path: tuple[str | int, ...], value: object, rendering: Rendering) -> object:
    match value:
        case str():
            try:
                return rendering.known_text(path, value)
            except NotKnownYet:  # because of a mistake elsewhere
                return None
        case list():
            return [_rendered((*path, index), entry, rendering) for index, entry in enumerate(value)]
    return value
