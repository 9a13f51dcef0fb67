"""What is noteworthy in a flow without being wrong: properties and defaults that have no effect. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from shared.manifest_groups import FOR_EACH, PARALLEL, SEQUENTIAL
from shared.manifest_kestra import NoEffect
from shared.manifest_task_runner import RUNNER_TYPE, canonical_runner_type
from shared.task_types import all_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.manifest_flow import Flow
    from shared.yaml_source import PropertyPath

_KNOWN_TYPES = (
    RUNNER_TYPE, SEQUENTIAL, PARALLEL, FOR_EACH,
    *all_types(),
)  # fmt: skip


def warnings_of(flow: Flow) -> Iterator[tuple[PropertyPath, str]]:
    """Everything in the flow that has no effect: where it stands and why."""
    yield from _without_effect(flow, ())
    for index, default in enumerate(flow.plugin_defaults):
        if not any(known.startswith(canonical_runner_type(default.type)) for known in _KNOWN_TYPES):
            yield ("pluginDefaults", index, "type"), "without effect: there is no task and no task runner of this type"


def _without_effect(value: object, path: PropertyPath) -> Iterator[tuple[PropertyPath, str]]:
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _without_effect(item, (*path, index))
    elif isinstance(value, BaseModel):
        for name in value.model_fields_set:
            field = type(value).model_fields[name]
            here = (*path, field.alias or name)
            item = getattr(value, name)
            reasons = [note.reason for note in field.metadata if isinstance(note, NoEffect)]
            if not reasons:
                yield from _without_effect(item, here)
            elif item != field.default:
                yield here, f"without effect: {reasons[0]}"
