"""The values of a flow's inputs: their defaults, rendered, in maps where an id has dots. Pure.

As in Kestra, a default may use the inputs before it; and `{{ inputs.a.b }}` is the value of the input `a.b`.
https://kestra.io/docs/workflow-components/inputs
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.rendering import Rendering, Visible

if TYPE_CHECKING:
    from shared.errors import Problem
    from shared.manifest import Manifest
    from shared.manifest_inputs import Input
    from shared.scope import Context


def with_inputs(context: Context, manifest: Manifest) -> tuple[Context, list[Problem]]:
    """The context with the values of the inputs, and what is wrong with them."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    ids = {each.id for each in manifest.flow.inputs}
    context = replace(context, inputs=values)
    for index, each in enumerate(manifest.flow.inputs):
        visible = Visible(context.values(), context.functions(), context.budget)
        rendering = Rendering(manifest, ("inputs", index), visible)
        folders, _, name = each.id.rpartition(".")
        if above := sorted(_above(each.id) & ids):
            rendering.fail(("id",), f"the input {above[0]!r} has a value of its own, so it cannot hold others")
        else:
            _folder(values, folders)[name] = _value(each, rendering)
        problems += rendering.problems
    return context, problems


def _above(input_id: str) -> set[str]:
    """The ids of which an id is a part: of `a.b.c` they are `a` and `a.b`."""
    parts = input_id.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def _folder(values: dict[str, Any], path: str) -> dict[str, Any]:
    for part in path.split(".") if path else ():
        values = values.setdefault(part, {})
    return values


def _value(given: Input, rendering: Rendering) -> object:
    problems = len(rendering.problems)
    rendered = _rendered(("defaults",), given.defaults, rendering)
    if len(rendering.problems) > problems or rendered == given.defaults:
        return rendered
    try:
        return given.value_of(rendered)
    except ValueError as error:
        rendering.fail(("defaults",), str(error))
        return None


def _rendered(path: tuple[str | int, ...], value: object, rendering: Rendering) -> object:
    match value:
        case str():
            return rendering.known_text(path, value)
        case list():
            return [_rendered((*path, index), entry, rendering) for index, entry in enumerate(value)]
    return value
