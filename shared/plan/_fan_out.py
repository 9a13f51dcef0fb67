"""Fan-outs: one task for each item, and the files that the tasks of all items share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from shared.documents.external_data import SourceFile
from shared.documents.record import Item, ItemRecord, TaskRecord
from shared.documents.run import Run
from shared.documents.storable import check_storable
from shared.expressions.values import Budget, ExpressionError, text_of
from shared.manifest.blocks import Branch
from shared.manifest.read import Task
from shared.manifest.task import MAX_ITEMS, FilesOfTask, ForeachFile, IfExists
from shared.masking import MASK
from shared.patterns import matches_output
from shared.plan._rendering import Rendering
from shared.plan.lookups import Lookups, NotKnownYet, Selection
from shared.plan.round_plan import PlannedTask, SubmittedTask
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
        shown = text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004 - as much as a message can hold
        raise ValueError(f"expected a JSON list or a whole number, this is {shown!r}")  # noqa: TRY004 - of a manifest
    _check_count(len(value))
    return value


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


def limited(tasks: Sequence[SubmittedTask], limit: int) -> list[SubmittedTask]:
    """The tasks of a fan-out, changed so that at most so many run at once, or all if the limit is 0.

    Each waits for the one so many before it. A failure stops those after it; if several run at once, all that have not
    begun.
    """
    if not limit:
        return list(tasks)
    found: list[SubmittedTask] = []
    for position, task in enumerate(tasks):
        branch = (Branch(task.name, task.item.index, limit),) if task.item and 1 < limit < len(tasks) else ()
        waits_for = (tasks[position - limit].number,) if position >= limit else ()
        found.append(
            replace(
                task,
                depends_on=(*task.depends_on, *waits_for),
                branches=(*task.branches, *branch),
                begins=(*task.begins, *(branch if waits_for else ())),
            )
        )
    return found


_FOREACH = ("foreach",)
_NAMESPACE_FILES, _FILES_OF_TASK = (*_FOREACH, "namespaceFiles"), (*_FOREACH, "files", "glob")


def items_of(
    task: Task, rendering: Rendering, run: Run, lookups: Lookups, *, is_distinct: bool
) -> tuple[Item, ...] | None:
    """The items of a fan-out; None if they are not known yet or `foreach` has a problem, which `rendering` then has.

    A retry has the items of the earlier run. `is_distinct` is true of Kestra's ForEach.
    """
    problems_before = len(rendering.problems)
    if task.id in run.body.item_lists:
        return tuple(Item(index=index, value=value) for index, value in enumerate(run.body.item_lists[task.id]))
    try:
        values = _values(task, rendering, run, lookups)
        values = _distinct(values) if is_distinct else values
        _check_storable(values)
    except NotKnownYet:
        return None
    except (ValueError, ExpressionError) as error:
        if len(rendering.problems) == problems_before:
            rendering.fail(_FOREACH, str(error))
        return None
    return tuple(Item(index=index, value=value) for index, value in enumerate(values))


def _check_storable(values: Sequence[Any]) -> None:
    """Raise ValueError for a value that the run's record could not hold."""
    for index, value in enumerate(values):
        try:
            check_storable(value)
        except ValueError as error:
            raise ValueError(f"item {index} (counted from 0) cannot be stored: {error}") from error


def _distinct(values: Sequence[Any]) -> Sequence[Any]:
    """The values of Kestra's ForEach: texts, of which it takes each once. Raises ValueError for null.

    `FlowableUtils.resolveValues` in Kestra 1.x: core/src/main/java/io/kestra/core/runners/FlowableUtils.java
    """
    if None in values:
        place = list(values).index(None)
        raise ValueError(f"a ForEach takes no null, but value {place} (counted from 0) is null; leave it out")
    found: dict[str, Any] = {}
    with Budget().charged():
        for value in values:
            found.setdefault(text_of(value), value)
    return tuple(found.values())


def _values(task: Task, rendering: Rendering, run: Run, lookups: Lookups) -> Sequence[Any]:
    match task.foreach:
        case int(count):
            return range(count)
        case str(expression):
            if (text := rendering.known_text(_FOREACH, expression)) == MASK:  # a client that checks does not know it
                raise NotKnownYet
            return _parse_items(text)
        case ForeachFile(namespace_files=str(glob)):
            return _namespace_items(task, rendering, glob, lookups)
        case ForeachFile(files=files) if files is not None:
            return _files(files, rendering, run, lookups)
    return [_rendered((*_FOREACH, index), value, rendering) for index, value in enumerate(task.foreach or ())]


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


def _namespace_items(task: Task, rendering: Rendering, glob: str, lookups: Lookups) -> Sequence[str]:
    def selection() -> Selection:
        namespace = rendering.known_text(_FOREACH, "{{ flow.namespace }}")
        if not namespace:
            raise ValueError("the flow has no `namespace` to take files from")
        pattern = rendering.pattern(_NAMESPACE_FILES, glob)
        return Selection((namespace,), (pattern,), (), IfExists.OVERWRITE, folder_per_namespace=False)

    return lookups.namespace_items(task.id, selection)


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
