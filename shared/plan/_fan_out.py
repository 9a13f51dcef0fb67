"""Fan-outs: one task for each item, and what the tasks of all items have in common. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from shared.documents.record import Item, ItemRecord, TaskRecord
from shared.documents.run import Run, SourceFile
from shared.manifest.read import Task
from shared.manifest.task import MAX_ITEMS, FilesOfTask, ForeachFile, IfExists
from shared.patterns import matches_anywhere
from shared.plan._rendering import Rendering
from shared.plan.lookups import Lookups, NotKnownYet, Selection
from shared.plan.round_plan import PlannedTask
from shared.script.build import Link

Value = TypeVar("Value")
_STAGED_NAME = "file"
PACK_ITEMS = 100
PACK_BYTES = 4 * 1024 * 1024


def list_of(text: str) -> list[Any]:
    """The items that a rendered expression stands for: a JSON list, or a count. Raises ValueError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, int) and not isinstance(value, bool):
        check_count(value)
        return list(range(value))
    if not isinstance(value, list):
        shown = text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004 - as much as a message can hold
        raise ValueError(f"expected a JSON list or a whole number, this is {shown!r}")  # noqa: TRY004 - of a manifest
    check_count(len(value))
    return value


def check_count(count: int) -> None:
    """Raise ValueError if a fan-out cannot have so many items."""
    if not 0 <= count <= MAX_ITEMS:
        raise ValueError(f"a fan-out has 0 to {MAX_ITEMS} items, this one would have {count}")


def files_of_task(task: TaskRecord, items: Sequence[ItemRecord], glob: str) -> list[str]:
    """The files of a task that has ended which match; those of a fan-out are `<item>/<file>`."""
    names = [
        *task.outputs.output_files,
        *(f"{item.index}/{name}" for item in items for name in item.outputs.output_files),
    ]
    return sorted(name for name in names if matches_anywhere(glob, name))


def arranged(tasks: Sequence[PlannedTask]) -> list[PlannedTask]:
    """The tasks of a fan-out, so that what is the same for all of them is staged once.

    Texts that differ are written by the scripts, blobs that differ are linked by them; scripts that differ are packed,
    a hundred to a file.
    """
    texts = _common(task.input_files for task in tasks)
    sources = _common(task.source_files for task in tasks)
    numbers: dict[str, int] = {}
    own = [_with_own_files(task, texts, sources, numbers) for task in tasks]
    if all(task.commands == own[0].commands for task in own):
        return own
    size = max(1, min(PACK_ITEMS, PACK_BYTES // max(map(_script_bytes, own))))
    return [replace(task, script=task.paths.script(place // size)) for place, task in enumerate(own)]


def _common(all_files: Iterable[Mapping[str, Value]]) -> dict[str, Value]:
    """What is the same in all of them."""
    common: dict[str, Value] | None = None
    for files in all_files:
        common = dict(files) if common is None else {path: it for path, it in common.items() if files.get(path) == it}
    return common or {}


def _with_own_files(
    task: PlannedTask, texts: dict[str, str], sources: dict[str, SourceFile], numbers: dict[str, int]
) -> PlannedTask:
    """The task with what it has alone; `numbers` gives every blob that some items get a number."""
    own_texts = {path: text for path, text in task.input_files.items() if path not in texts}
    own_files, links = {}, []
    for path, file in task.source_files.items():
        if path not in sources:
            number = numbers.setdefault(f"{file.container}/{file.blob}", len(numbers))
            own_files[number] = file.model_copy(update={"path": _STAGED_NAME})
            links.append(Link(path, (task.paths.source_folder(number) + _STAGED_NAME,)))
    commands = replace(task.commands, files=own_texts, links=(*links, *task.commands.links))
    return replace(task, input_files=texts, source_files=sources, own_files=own_files, commands=commands)


def _script_bytes(task: PlannedTask) -> int:
    commands = task.commands
    texts = [commands.text, *commands.env.values(), *commands.files.values()]
    return sum(map(len, texts)) + 1


_PATH = ("foreach",)


def items_of(task: Task, rendering: Rendering, run: Run, lookups: Lookups) -> tuple[Item, ...] | None:
    """The items of a fan-out; None if they are not known yet, or `foreach` is wrong."""
    problems = len(rendering.problems)
    try:
        values = _values(task, rendering, run, lookups)
    except NotKnownYet:
        return None
    except ValueError as error:
        if len(rendering.problems) == problems:
            rendering.fail(_PATH, str(error))
        return None
    return tuple(Item(index=index, value=value) for index, value in enumerate(values))


def _values(task: Task, rendering: Rendering, run: Run, lookups: Lookups) -> Sequence[Any]:
    match task.foreach:
        case int(count):
            return range(count)
        case str(expression):
            return list_of(rendering.known_text(_PATH, expression))
        case ForeachFile(namespace_files=str(glob)):
            return _namespace_items(task, rendering, rendering.known_text((*_PATH, "namespaceFiles"), glob), lookups)
        case ForeachFile(files=files) if files is not None:
            return _files(files, rendering, run, lookups)
    return [_rendered((*_PATH, index), value, rendering) for index, value in enumerate(task.foreach or ())]


def _rendered(path: tuple[str | int, ...], value: Any, rendering: Rendering) -> Any:  # noqa: ANN401 - any value
    """A value with all its texts rendered."""
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
        namespace = rendering.known_text(_PATH, "{{ flow.namespace }}")
        if not namespace:
            raise ValueError("the flow has no `namespace` to take files from")
        return Selection((namespace,), (glob,), (), IfExists.OVERWRITE, folder_per_namespace=False)

    return lookups.namespace_items(task.id, selection)


def _files(files: FilesOfTask, rendering: Rendering, run: Run, lookups: Lookups) -> Sequence[str]:
    glob = rendering.known_text((*_PATH, "files", "glob"), files.glob)
    ended = run.body.finished.get(files.task)
    if ended is None:
        raise NotKnownYet
    if ended.items is None:
        return files_of_task(ended, (), glob)
    return files_of_task(ended, lookups.items(files.task), glob)
