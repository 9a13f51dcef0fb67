"""The names that properties can have, for what is said of one that does not exist."""

from __future__ import annotations

import itertools
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from shared.errors import did_you_mean
from shared.manifest._children import CASES, LISTS_OF_GROUPS
from shared.manifest._layout import Layout
from shared.manifest.flow import Flow
from shared.manifest.groups import GROUPS
from shared.manifest.task import Task
from shared.manifest.task_runner import TaskRunner
from shared.manifest.types import PropertyPath

_MANY_GROUPS = "groups such as Sequential"
_FEW = 3
_TAGS = {(f"<{model.__name__}>",) for model in (Task, *GROUPS)}
_OF_GROUPS = {CASES, "condition", *LISTS_OF_GROUPS}
_OWNERS = ((Task, "a task"), (TaskRunner, "`taskRunner`"), (Flow, "the flow"))


def unknown_property(path: PropertyPath, layout: Layout, model: type[BaseModel]) -> str:
    """What is said of a property that does not exist; `path` is that of pydantic, with its tags."""
    name = str(path[-1])
    if path in (("commands",), ("script",)):
        return f"a manifest has `tasks`, or for one task `{name}` at top level; this has both: give `{name}` to a task"
    owning = [group.__name__ for group in GROUPS if name in _OF_GROUPS and name in _aliases([group])]
    if owning and path[-2:-1] in _TAGS:
        return f"unknown property here; it is one of {', '.join(owning) if len(owning) <= _FEW else _MANY_GROUPS}"
    known = names_beside(path, layout, model)
    if near := did_you_mean(name, known):
        return f"unknown property{near}"
    owners = [where for model, where in _OWNERS if name in _aliases([model])]
    return f"unknown property here; it is one of {owners[0]}" if len(owners) == 1 else "unknown property"


def names_beside(path: PropertyPath, layout: Layout, model: type[BaseModel]) -> list[str]:
    """The names that a property may have had in mind: at top level those of the flow, and of a task if it has one."""
    known = _names_at(model, path[:-1])
    is_task_form = len(path) > 1 and layout.as_written(tuple(part for part in path if not is_tag(part))[:-1]) == ()
    return (
        [*known, *_aliases([Flow if is_task_form else Task])] if is_task_form or _lacks_tasks(path, layout) else known
    )


def _lacks_tasks(path: PropertyPath, layout: Layout) -> bool:
    flow = layout.written
    return len(path) == 1 and isinstance(flow, dict) and "tasks" not in flow


def is_tag(part: str | int) -> bool:
    """Whether a part of pydantic's path is not in the file: the tag of an alternative, or the mark of a name."""
    return isinstance(part, str) and (part == "[key]" or (part.startswith("<") and part.endswith(">")))


def _names_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The names of the properties that exist at a path, for suggestions."""
    models = [model]
    for above, part in itertools.pairwise((None, *path)):
        if isinstance(part, str) and is_tag(part):
            models = [each for each in models if f"<{each.__name__}>" == part]
        elif isinstance(part, str) and above != CASES:
            fields = [field for each in models for field in each.model_fields.values() if field.alias == part]
            models = [each for field in fields for each in models_in(field)]
    return _aliases(models)


def _aliases(models: Iterable[type[BaseModel]]) -> list[str]:
    return [field.alias for each in models for field in each.model_fields.values() if field.alias]


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - a type expression
    """The models in the type of a property."""
    annotation = getattr(annotation, "annotation", annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)
