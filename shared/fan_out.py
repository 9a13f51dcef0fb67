"""Fan-outs: one task for each item, and what the tasks of all items have in common. Pure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from shared.globs import matches_anywhere
from shared.manifest_task import MAX_ITEMS
from shared.task_script import Link

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shared.outside import SourceFile
    from shared.planned import PlannedTask
    from shared.record import ItemRecord, TaskRecord

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
