"""Fan-outs: one task for each item, and the files that the tasks of all items share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from shared.documents.external_data import SourceFile
from shared.documents.items import Item
from shared.documents.run import Run
from shared.documents.storable import check_storable
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.expressions.values import Budget, ExpressionError, text_of
from shared.manifest.read import Task
from shared.manifest.task import MAX_ITEMS, FilesOfTask, ForeachFile, IfExists
from shared.masking import MASK
from shared.patterns import matches_output
from shared.plan._rendering import Rendering
from shared.plan.lookups import Lookups, NotKnownYet, Selection
from shared.plan.round_plan import PlannedTask
from shared.script.build import Link

Value = TypeVar("Value")
_STAGED_NAME = "file"
PACK_ITEMS = 100
PACK_BYTES = 4 * 1024 * 1024


def _parse_items(text: str) -> list[Any]:
    """The items that a rendered expression gives: a JSON list, or a count. Raises ValueError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, int) and not isinstance(value, bool):
        _check_count(value)
        return list(range(value))
    if not isinstance(value, list):
        raise ValueError(f"expected a JSON list or a whole number, this is {_shown(text)!r}")  # noqa: TRY004 - of a manifest
    _check_count(len(value))
    return value


def _parse_list_or_map(text: str) -> list[Any] | dict[str, Any]:
    """The values that a rendered expression gives to a Loop of Kestra 2: a JSON list or map. Raises ValueError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, list | dict):
        _check_count(len(value))
        return value
    raise ValueError(f"expected a JSON list or map, this is {_shown(text)!r}")


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004 - as much as a message can hold


def _check_count(count: int) -> None:
    """Raise ValueError if a fan-out cannot have so many items."""
    if not 0 <= count <= MAX_ITEMS:
        raise ValueError(f"a fan-out has 0 to {MAX_ITEMS} items, this one would have {count}")


def _matching_files(task: TaskRecord, items: Sequence[ItemRecord], glob: str) -> list[str]:
    """The files of an ended task that match the glob, sorted; those of a fan-out are named `<item>/<file>`."""
    names = [
        *task.outputs.output_files,
        *(f"{item.index}/{name}" for item in items for name in item.outputs.output_files),
    ]
    return sorted(name for name in names if matches_output(glob, name))


def share_files(tasks: Sequence[PlannedTask]) -> list[PlannedTask]:
    """The tasks of a fan-out, changed so that files and scripts that are the same for all of them are staged once.

    Texts that differ between items are written by the scripts, blobs that differ are linked by them. Scripts that
    differ are staged in packs of up to a hundred.
    """
    texts = _common(task.input_files for task in tasks)
    sources = _common(task.source_files for task in tasks)
    numbers: dict[str, int] = {}
    split = [_with_item_files(task, texts, sources, numbers) for task in tasks]
    if all(task.commands == split[0].commands for task in split):
        return split
    pack_size = max(1, min(PACK_ITEMS, PACK_BYTES // max(map(_script_bytes, split))))
    return [replace(task, script=task.paths.script(index // pack_size)) for index, task in enumerate(split)]


def _common(all_files: Iterable[Mapping[str, Value]]) -> dict[str, Value]:
    """The entries that are the same in all maps."""
    common: dict[str, Value] | None = None
    for files in all_files:
        if common is None:
            common = dict(files)
        else:
            common = {path: value for path, value in common.items() if files.get(path) == value}
    return common or {}


def _with_item_files(
    task: PlannedTask, common_texts: dict[str, str], common_sources: dict[str, SourceFile], numbers: dict[str, int]
) -> PlannedTask:
    """The task, its own files separated from the common ones; `numbers` holds a number for each blob of some items."""
    if task.input_files == common_texts and task.source_files == common_sources:
        return task
    item_texts = {path: text for path, text in task.input_files.items() if path not in common_texts}
    item_files, links = {}, []
    for path, file in task.source_files.items():
        if path not in common_sources:
            number = numbers.setdefault(f"{file.container}/{file.blob}", len(numbers))
            item_files[number] = file.model_copy(update={"path": _STAGED_NAME})
            links.append(Link(path, (task.paths.source_folder(number) + _STAGED_NAME,)))
    commands = replace(task.commands, files=item_texts, links=(*links, *task.commands.links))
    return replace(
        task, input_files=common_texts, source_files=common_sources, item_files=item_files, commands=commands
    )


def _script_bytes(task: PlannedTask) -> int:
    commands = task.commands
    texts = [commands.text, *commands.env.values(), *commands.files.values()]
    return sum(map(len, texts)) + 1


_FOREACH = ("foreach",)
_NAMESPACE_FILES, _FILES_OF_TASK = (*_FOREACH, "namespaceFiles"), (*_FOREACH, "files", "glob")


@dataclass(frozen=True)
class ItemSource:
    """What the items of a fan-out are made of, for the task `name`, or for the loop whose first task that is.

    In a loop, values that are the same as text are taken once; that of Kestra 2 may be over a map.
    """

    name: str
    values: Any
    is_loop: bool = False
    is_isolated: bool = False


def items_of(  # noqa: PLR0913, PLR0917 - what items are made of
    source: ItemSource, rendering: Rendering, run: Run, lookups: Lookups, parent: Item | None = None, first: int = 0
) -> tuple[Item, ...] | None:
    """The items of a fan-out; None if they are not known yet or `foreach` has a problem, which `rendering` then has.

    They are counted from `first`, and belong to the item `parent` of another loop, if there is one. A retry has the
    items of the earlier run.
    """
    problems_before = len(rendering.problems)
    if parent is None and source.name in run.body.item_lists:
        return tuple(Item(index=index, value=value) for index, value in enumerate(run.body.item_lists[source.name]))
    try:
        values = _keyed_values(source, rendering, run, lookups)
        _check_count(first + len(values))
        _check_storable([value for _, value in values])
    except NotKnownYet:
        return None
    except (ValueError, ExpressionError) as error:
        if len(rendering.problems) == problems_before:
            rendering.fail(_FOREACH, str(error))
        return None
    if parent is None:
        return tuple(Item(index=index, value=value, key=key) for index, (key, value) in enumerate(values))
    return tuple(
        Item(index=first + place, value=value, key=key, iteration=place, parent=parent)
        for place, (key, value) in enumerate(values)
    )


def _check_storable(values: Sequence[Any]) -> None:
    """Raise ValueError for a value that the run's record could not hold."""
    for index, value in enumerate(values):
        try:
            check_storable(value)
        except ValueError as error:
            raise ValueError(f"item {index} (counted from 0) cannot be stored: {error}") from error


def _keyed_values(
    source: ItemSource, rendering: Rendering, run: Run, lookups: Lookups
) -> Sequence[tuple[str | None, Any]]:
    """The values of a fan-out, with their keys in a map."""
    values: Any = _values(source, rendering, run, lookups)
    if isinstance(values, dict):
        _check_count(len(values))
        _check_null(values)
        return list(values.items())
    return [(None, value) for value in (_distinct(values) if source.is_loop else values)]


def _check_null(values: Mapping[str, Any]) -> None:
    if empty := [name for name, value in values.items() if value is None]:
        raise ValueError(f"a loop takes no null, but the value of {empty[0]!r} is null; leave it out")


def _distinct(values: Sequence[Any]) -> Sequence[Any]:
    """The values of a loop of Kestra: texts, of which it takes each once. Raises ValueError for null.

    `FlowableUtils.resolveEachTasks` in Kestra 1.x, `resolveValues` in 2.x: core/src/main/java/io/kestra/core/runners
    """
    if None in values:
        place = list(values).index(None)
        raise ValueError(f"a loop takes no null, but value {place} (counted from 0) is null; leave it out")
    found: dict[str, Any] = {}
    with Budget().charged():
        for value in values:
            found.setdefault(text_of(value), value)
    return tuple(found.values())


def _values(source: ItemSource, rendering: Rendering, run: Run, lookups: Lookups) -> Sequence[Any] | dict[str, Any]:
    match source.values:
        case int(count):
            return range(count)
        case str(expression):
            if (text := rendering.known_text(_FOREACH, expression)) == MASK:  # a client that checks does not know it
                raise NotKnownYet
            return _parse_list_or_map(text) if source.is_isolated else _parse_items(text)
        case ForeachFile(namespace_files=str(glob)):
            return _namespace_items(source.name, rendering, glob, lookups)
        case ForeachFile(files=files) if files is not None:
            return _files(files, rendering, run, lookups)
        case dict(values):
            return {
                rendering.known_text((*_FOREACH, name), name): _rendered((*_FOREACH, name), value, rendering)
                for name, value in values.items()
            }
    return [_rendered((*_FOREACH, index), value, rendering) for index, value in enumerate(source.values or ())]


def _rendered(path: tuple[str | int, ...], value: Any, rendering: Rendering) -> Any:  # noqa: ANN401 - any value
    """A value of a list in `foreach`, with all of its texts rendered."""
    match value:
        case str():
            return rendering.known_text(path, value)
        case list() | tuple():
            return [_rendered((*path, index), part, rendering) for index, part in enumerate(value)]
        case dict():
            return {name: _rendered((*path, name), part, rendering) for name, part in value.items()}
    return value


def _namespace_items(name: str, rendering: Rendering, glob: str, lookups: Lookups) -> Sequence[str]:
    def selection() -> Selection:
        namespace = rendering.known_text(_FOREACH, "{{ flow.namespace }}")
        if not namespace:
            raise ValueError("the flow has no `namespace` to take files from")
        pattern = rendering.pattern(_NAMESPACE_FILES, glob)
        return Selection((namespace,), (pattern,), (), IfExists.OVERWRITE, folder_per_namespace=False)

    return lookups.namespace_items(name, selection)


def _files(files: FilesOfTask, rendering: Rendering, run: Run, lookups: Lookups) -> Sequence[str]:
    glob = rendering.pattern(_FILES_OF_TASK, files.glob)
    ended = run.body.finished.get(files.task)
    if ended is None:
        raise NotKnownYet
    if ended.items is None:
        return _matching_files(ended, (), glob)
    return _matching_files(ended, lookups.items(files.task), glob)


def why_empty(task: Task, rendering: Rendering) -> str | None:
    """What a fan-out whose items are files says if there are none; None if its items are not files."""
    match task.foreach:
        case ForeachFile(namespace_files=str(glob)):
            return f"no file of the namespace matches {rendering.pattern(_NAMESPACE_FILES, glob)!r}: there are no items"
        case ForeachFile(files=FilesOfTask(task=maker, glob=glob)):
            return (
                f"no file of the task {maker!r} matches {rendering.pattern(_FILES_OF_TASK, glob)!r}: there are no items"
            )
    return None
