"""What takes the place of a mistake in the data of one task or group, so that what is left is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.errors import nearest
from shared.manifest._children import CASES, LISTS_OF_GROUPS, TASK_OF_ENTRY, lists_of
from shared.manifest.groups import DAG, EACH_PARALLEL, EACH_SEQUENTIAL, FOR_EACH, GROUPS, IF, LOOP, SEQUENTIAL, SWITCH
from shared.manifest.task import Task
from shared.manifest.task_types import ALL_GROUP_TYPES, APP_TASK_TYPES, all_types, language_of
from shared.manifest.types import Properties, PropertyPath

StandIn = Callable[[], dict[str, Any]]
"""Makes a task that does nothing, with an id of its own."""

_MODELS: Mapping[str, type[Properties]] = dict(zip(ALL_GROUP_TYPES, GROUPS, strict=True))
_LOOPS = (FOR_EACH, EACH_SEQUENTIAL, EACH_PARALLEL, LOOP)
_BY_PROPERTY = {"then": IF, CASES: SWITCH, "defaults": SWITCH}


def mend_whole(task: dict[str, Any], stand_in: StandIn, *, is_in_dag: bool) -> dict[PropertyPath, PropertyPath]:
    """Mend a task that is wrong as a whole: it has neither or both of commands and script, or is a wrong group.

    Or it is an entry of a Dag that does not have its task at `task`, or `dependsOn` in it. Returns where values are now
    that were somewhere else in it.
    """
    task_type = task.get("type")
    if isinstance(inner := task.get(TASK_OF_ENTRY), dict):
        inner.pop("dependsOn", None)
    elif is_in_dag:
        inner = dict(task)
        inner.pop("dependsOn", None)
        task.clear()
        task[TASK_OF_ENTRY] = inner
        return {(TASK_OF_ENTRY,): ()}
    elif task_type == SWITCH:
        task["defaults"] = [stand_in()]
    elif task_type in APP_TASK_TYPES:
        _as_task(task)
    elif "commands" in task and "script" in task:
        del task["script"]
    else:
        task.pop("script", None)
        task["commands"] = ["true"]
    return {}


def _as_task(app_task: dict[str, Any]) -> None:
    """Make a task that needs no node one that does nothing, at its place."""
    kept: dict[str, Any] = {name: app_task[name] for name in ("id", "dependsOn", "disabled") if name in app_task}
    app_task.clear()
    app_task.update(kept, commands=["true"])


def _without_foreach(data: Any) -> None:  # noqa: ANN401 - plain data of any shape
    """Take `foreach` off the tasks of a loop, and off those in groups of them."""
    for task in data if isinstance(data, list) else ():
        inner = task.get(TASK_OF_ENTRY, task) if isinstance(task, dict) else {}
        if isinstance(inner, dict):
            inner.pop("foreach", None)
            cases = inner.get(CASES)
            for each in (*map(inner.get, LISTS_OF_GROUPS), *(cases.values() if isinstance(cases, dict) else ())):
                _without_foreach(each)


def mend_property(properties: dict[str, Any], below: PropertyPath, stand_in: StandIn, *, is_unknown: bool) -> bool:
    """Mend the property at a path below a task; false if it is to be removed.

    One that is unknown beside a wrong type may be right beside the type that has taken its place.
    """
    if is_unknown and "type" in properties and _has(properties, str(below[0])) and len(below) == 1:
        return True
    if properties.get("type") in APP_TASK_TYPES and not is_unknown and below[0] not in ("id", "dependsOn", "disabled"):
        _as_task(properties)
        return True
    return _mend(properties, below, stand_in)


def _mend(properties: dict[str, Any], below: PropertyPath, stand_in: StandIn) -> bool:
    match below:
        case ("type",) if list(lists_of(properties)):
            _make_group(properties, stand_in)
        case ("type",) if near := nearest(str(properties["type"]), all_types()):
            properties["type"] = near
        case ("commands" | "script",) if "type" in properties:
            del properties["type"]
        case ("tasks",) if properties.get("type") in _LOOPS and properties.get("tasks"):
            _without_foreach(properties["tasks"])
        case (str(name),) if name in LISTS_OF_GROUPS or name == CASES:
            return _mend_children(properties, name, stand_in)
        case ("cases", str(name)):
            properties[CASES][name] = [stand_in()]
        case ("outputDirectory",):
            properties["outputDirectory"] = True
        case (str(name), *_) if name in REQUIRED and _has(properties, name):
            add(properties, name, stand_in)
        case _:
            return False
    return True


REQUIRED = frozenset({"tasks", "then", TASK_OF_ENTRY, "condition", "value", "foreach", "values"})
"""The properties that something stands in for, instead of being removed."""


def add(properties: dict[str, Any], name: str, stand_in: StandIn) -> None:
    """Add a required property that is missing."""
    match name:
        case "tasks" | "then":
            properties[name] = [_entry(properties, name, stand_in)]
        case "task":
            properties[name] = stand_in()
        case "condition":
            properties[name] = ""
        case "value":
            properties[name] = "" if properties.get("type") == SWITCH else [""]
        case _:
            properties[name] = [""]


def _mend_children(properties: dict[str, Any], name: str, stand_in: StandIn) -> bool:
    """Mend a list of tasks that is none, or is in something that cannot have it: a group of an unknown type can."""
    model = _MODELS.get(str(properties.get("type")))
    is_task = "type" not in properties or language_of(str(properties["type"])) is not None
    if not _has(properties, name) and (model or (is_task and name != "tasks")):
        return False
    if not properties[name] or not isinstance(properties[name], dict if name == CASES else list):
        properties[name] = {"": [stand_in()]} if name == CASES else [_entry(properties, name, stand_in)]
    if not model:
        _make_group(properties, stand_in)
    return True


def _make_group(properties: dict[str, Any], stand_in: StandIn) -> None:
    """Make a thing of an unknown type a group."""
    if found := _group_like(properties):
        properties["type"] = found
        return
    properties["type"] = SEQUENTIAL
    properties.setdefault("tasks", [stand_in()])
    for name in ("timeout", "retry"):  # which are right in whatever it is
        properties.pop(name, None)


def _has(properties: Mapping[str, Any], name: str) -> bool:
    """Whether a task or group of its type has a property."""
    model = _MODELS.get(str(properties.get("type")), Task)
    return name in {field.alias for field in model.model_fields.values()}


def _entry(properties: Mapping[str, Any], name: str, stand_in: StandIn) -> dict[str, Any]:
    """An entry for a list of tasks of a group."""
    is_of_dag = properties.get("type") == DAG and name == "tasks"
    return {TASK_OF_ENTRY: stand_in()} if is_of_dag else stand_in()


def _group_like(properties: Mapping[str, Any]) -> str | None:
    """The type of a group that a thing of an unknown type most likely is, by its name or by what it has."""
    written = str(properties.get("type"))
    same = (known for known in ALL_GROUP_TYPES if known.rpartition(".")[2] == written.rpartition(".")[2])
    by_property = (known for name, known in _BY_PROPERTY.items() if name in properties)
    return next(same, None) or nearest(written, ALL_GROUP_TYPES) or next(by_property, None)


def ids_inside(task: object) -> Iterator[str]:
    """The ids of the tasks in a task of a type that does not exist here, wherever it has them."""
    todo = list(task.values()) if isinstance(task, dict) else []
    while todo:
        match todo.pop():
            case dict() as value:
                todo.extend(value.values())
                if isinstance(value.get("id"), str):
                    yield value["id"]
            case list() as value:
                todo.extend(value)
