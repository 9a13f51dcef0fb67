"""`foreach` of a task → the items of the fan-out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.fan_out import files_of_task, list_of
from shared.manifest_task import ForeachFile, IfExists
from shared.namespace_files import Selection
from shared.record import Item
from shared.rendering import NotReadYet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.manifest import Task
    from shared.manifest_task import FilesOfTask
    from shared.outside import Needs
    from shared.rendering import Rendering
    from shared.run import Run

_PATH = ("foreach",)


def items_of(task: Task, rendering: Rendering, run: Run, needs: Needs) -> tuple[Item, ...] | None:
    """The items of a fan-out; None if they are not known yet, or `foreach` is wrong."""
    problems = len(rendering.problems)
    try:
        values = _values(task, rendering, run, needs)
    except NotReadYet:
        return None
    except ValueError as error:
        if len(rendering.problems) == problems:
            rendering.fail(_PATH, str(error))
        return None
    return tuple(Item(index=index, value=value) for index, value in enumerate(values))


def _values(task: Task, rendering: Rendering, run: Run, needs: Needs) -> Sequence[Any]:
    match task.foreach:
        case int(count):
            return range(count)
        case str(expression):
            return list_of(rendering.known_text(_PATH, expression))
        case ForeachFile(namespace_files=str(glob)):
            return _namespace_items(task, rendering, rendering.known_text((*_PATH, "namespaceFiles"), glob), run, needs)
        case ForeachFile(files=files) if files is not None:
            return _files(files, rendering, run, needs)
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


def _namespace_items(task: Task, rendering: Rendering, glob: str, run: Run, needs: Needs) -> Sequence[str]:
    known = run.body.outside.namespace_items.get(task.id)
    if known is None:
        namespace = rendering.known_text(_PATH, "{{ flow.namespace }}")
        if not namespace:
            raise ValueError("the flow has no `namespace` to take files from")
        needs.namespace_items[task.id] = Selection(
            (namespace,), (glob,), (), IfExists.OVERWRITE, folder_per_namespace=False
        )
        raise NotReadYet
    return known


def _files(files: FilesOfTask, rendering: Rendering, run: Run, needs: Needs) -> Sequence[str]:
    glob = rendering.known_text((*_PATH, "files", "glob"), files.glob)
    ended = run.body.finished.get(files.task)
    if ended is None:
        raise NotReadYet
    if ended.items is None:
        return files_of_task(ended, (), glob)
    if run.items is None:
        needs.items_of_fan_outs = True
        raise NotReadYet
    return files_of_task(ended, run.items.get(files.task, ()), glob)
