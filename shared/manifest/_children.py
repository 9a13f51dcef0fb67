"""Where tasks and groups stand in the data of a flow: in lists, which a flow and groups have at several names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.manifest.types import PropertyPath

LISTS_OF_FLOW = ("tasks", "errors", "finally", "afterExecution")
LISTS_OF_GROUPS = ("tasks", "then", "else", "defaults", "errors", "finally")
CASES = "cases"
"""The property of a Switch whose map has such a list at each name."""
TASK_OF_ENTRY = "task"
"""In the `tasks` of a Dag, an entry has its task at this name."""

_LISTS = {*LISTS_OF_FLOW, *LISTS_OF_GROUPS}


def lists_of(names: Mapping[str, object]) -> Iterator[str]:
    """The names, of those that a map has, at which there may be children: it is that of a group if there are any."""
    yield from (name for name in names if name in LISTS_OF_GROUPS or name == CASES)


def paths_of_tasks(path: PropertyPath) -> Iterator[PropertyPath]:
    """The paths of the tasks and groups that a path is in, the outermost first."""
    length = 0
    while below := _length_of_next(path[length:]):
        length += below
        yield path[:length]
        if path[length - 2] == "tasks" and path[length : length + 1] == (TASK_OF_ENTRY,):
            length += 1
            yield path[:length]


def path_of_task(path: PropertyPath) -> PropertyPath:
    """The path of the task or group that a path is in; empty if it is in none."""
    return next(reversed(list(paths_of_tasks(path))), ())


def _length_of_next(below: PropertyPath) -> int:
    """How many parts of a path lead to the next task; 0 if none do."""
    match below:
        case (str(name), int(), *_) if name in _LISTS:
            return 2
        case ("cases", str(), int(), *_):
            return 3
    return 0
