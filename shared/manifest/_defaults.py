"""`pluginDefaults`: values for all tasks of a type, put into the tasks before the manifest is validated.

As in Kestra, a default is for every type that begins with its `type`. Maps are merged, lists are joined. The task's own
values win over defaults, and earlier defaults over later ones; with `forced`, the default's values win.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.errors import ManifestError
from shared.manifest._children import LISTS_OF_FLOW, TASK_OF_ENTRY, lists_of
from shared.manifest._layout import Layout
from shared.manifest._yaml import MAX_NODES, TEXT_OF_A_VALUE
from shared.manifest.task_runner import RUNNER_TYPE, canonical_runner_type
from shared.manifest.task_types import DEFAULT_TYPE
from shared.manifest.types import PropertyPath

_PROPERTY = "pluginDefaults"


@dataclass(frozen=True)
class _Value:
    """A value of the manifest with its path in the file; the `content` of maps and lists holds such values again."""

    content: Any
    path: PropertyPath


@dataclass(frozen=True)
class _Default:
    type: str
    values: _Value
    is_forced: bool
    size: int

    def is_for(self, plugin_type: str) -> bool:
        return plugin_type.startswith((self.type, canonical_runner_type(self.type)))


def with_plugin_defaults(
    data: dict[str, Any], layout: Layout
) -> tuple[dict[str, Any], dict[PropertyPath, PropertyPath]]:
    """The flow with the defaults in its tasks, and where its values are in the file, by their paths in the flow.

    Only paths that differ are in this map. Malformed values stay as they are, for the validation to find. Raises
    ManifestError if the flow becomes too large.
    """
    defaults = list(_defaults(data))
    if not defaults:
        return data, {}
    budget = _Budget(layout)
    moved: dict[PropertyPath, PropertyPath] = {}
    applied = {
        name: _with_defaults_in(_placed(data[name], (name,)), defaults, budget)
        for name in LISTS_OF_FLOW
        if name in data
    }
    return {**data, **{name: _plain(value, (name,), moved) for name, value in applied.items()}}, moved


def _defaults(data: dict[str, Any]) -> Iterator[_Default]:
    entries = data.get(_PROPERTY)
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        match entry:
            case {"type": str(plugin_type), "values": dict(values)}:
                placed = _placed(values, (_PROPERTY, index, "values"))
                yield _Default(plugin_type, placed, entry.get("forced") is True, _size(values))


class _Budget:
    """How many values the defaults may add to the tasks: a short text must not become an endless flow."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._left = MAX_NODES

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            message = f"the flow has more than {MAX_NODES} values once its defaults are written out"
            raise ManifestError([self._layout.problem((_PROPERTY,), message)])


def _with_defaults_in(children: _Value, defaults: list[_Default], budget: _Budget) -> _Value:
    """A list of tasks and groups, or a map of such lists, with the defaults of their types."""
    match children.content:
        case list() as tasks:
            return _Value([_with_defaults_in_task(task, defaults, budget) for task in tasks], children.path)
        case dict() as cases:
            lists = {name: _with_defaults_in(each, defaults, budget) for name, each in cases.items()}
            return _Value(lists, children.path)
    return children


def _with_defaults_in_task(task: _Value, defaults: list[_Default], budget: _Budget) -> _Value:
    """A task with its task runner, or a group with its tasks, with the defaults of their types."""
    if not isinstance(task.content, dict):
        return task
    if (in_entry := task.content.get(TASK_OF_ENTRY)) is not None:
        return _Value({**task.content, TASK_OF_ENTRY: _with_defaults_in_task(in_entry, defaults, budget)}, task.path)
    task = _merged(task, _type_of(task, DEFAULT_TYPE), defaults, budget)
    content = dict(task.content)
    names = list(lists_of(content))
    for name in names:
        content[name] = _with_defaults_in(content[name], defaults, budget)
    if not names:
        runner = content.get("taskRunner", _Value({}, (*task.path, "taskRunner")))
        if isinstance(runner.content, dict):
            runner = _merged(runner, _type_of(runner, RUNNER_TYPE), defaults, budget)
            content["taskRunner"] = runner
    return _Value(content, task.path)


def _type_of(plugin: _Value, default: str) -> str:
    written = plugin.content.get("type")
    return written.content if written is not None and isinstance(written.content, str) else default


def _merged(plugin: _Value, plugin_type: str, defaults: list[_Default], budget: _Budget) -> _Value:
    matching = [default for default in defaults if default.is_for(plugin_type)]
    budget.spend(sum(default.size for default in matching))
    for default in (default for default in matching if not default.is_forced):
        plugin = _Value(_merge(default.values, plugin).content, plugin.path)
    for default in (default for default in reversed(matching) if default.is_forced):
        plugin = _Value(_merge(plugin, default.values).content, plugin.path)
    return plugin


def _merge(below: _Value, above: _Value) -> _Value:
    """Both values in one; `above` wins."""
    match below.content, above.content:
        case dict() as low, dict() as high:
            both = {name: _merge(low[name], high[name]) for name in low if name in high}
            return _Value({**low, **high, **both}, above.path)
        case list() as low, list() as high:
            known = [_without_places(item) for item in low]
            return _Value([*low, *(item for item in high if _without_places(item) not in known)], above.path)
        case _, None:
            return below
    return above


def _placed(value: Any, path: PropertyPath) -> _Value:  # noqa: ANN401 - plain data of any shape
    match value:
        case dict():
            return _Value({name: _placed(item, (*path, name)) for name, item in value.items()}, path)
        case list():
            return _Value([_placed(item, (*path, index)) for index, item in enumerate(value)], path)
    return _Value(value, path)


def _plain(value: _Value, path: PropertyPath, moved: dict[PropertyPath, PropertyPath]) -> Any:  # noqa: ANN401 - as above
    """The data without paths; those that differ from the path in the flow are added to `moved`."""
    if value.path != path:
        moved[path] = value.path
    match value.content:
        case dict() as content:
            return {name: _plain(item, (*path, name), moved) for name, item in content.items()}
        case list() as content:
            return [_plain(item, (*path, index), moved) for index, item in enumerate(content)]
    return value.content


def _without_places(value: _Value) -> Any:  # noqa: ANN401 - as above
    return _plain(value, value.path, {})


def _size(value: Any) -> int:  # noqa: ANN401 - as above
    match value:
        case dict():
            return 1 + sum(map(_size, value.values()))
        case list():
            return 1 + sum(map(_size, value))
        case str():
            return 1 + len(value) // TEXT_OF_A_VALUE
    return 1
