"""The JSON Schemas of manifest, record and status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from shared.documents.names import STORED_FLOW
from shared.manifest.app_tasks import APP_TASKS
from shared.manifest.conditions import DATES
from shared.manifest.ended_flows import KINDS
from shared.manifest.groups import GROUPS
from shared.manifest.read import Flow, names_in_task_form
from shared.manifest.request import RunRequest
from shared.manifest.task_types import ALL_GROUP_TYPES
from shared.manifest.types import Properties

if TYPE_CHECKING:
    from pydantic import BaseModel

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def manifest_schema() -> Schema:
    """The manifest's JSON Schema, for editors: a flow, the task form, or a run request."""
    flow = schema_of(Flow, "validation")
    dialect = flow.pop("$schema")
    definitions = {name: _by_type(each) for name, each in flow.pop("$defs").items() if name not in _OTHERS}
    own = {
        "Flow": _by_type(flow),
        "TaskForm": _task_form(flow, definitions["Task"]),
        "RunRequest": _run_request(),
        "TaskOrGroup": _task_or_group(),
        "Trigger": _choice(("Schedule", "FlowTrigger"), definitions, {"type": "object", "required": ["type"]}),
        "DateCondition": _choice(DATES, definitions, {"not": {}}),
        "EndCondition": _choice(KINDS, definitions, {"not": {}}),
    }
    return {
        "$schema": dialect,
        "title": "Manifest",
        "if": {"anyOf": _HAS_FLOW_OR_RETRY, "not": {"anyOf": [_HAS_TASKS, *_HAS_COMMANDS]}},
        "then": {"$ref": "#/$defs/RunRequest"},
        "else": _FLOW_OR_TASK,
        "$defs": {**own, **definitions},
    }


_OTHERS = ("OtherTrigger", "OtherCondition")
_HAS_TASKS: Schema = {"required": ["tasks"]}
_HAS_COMMANDS: list[Schema] = [{"required": ["commands"]}, {"required": ["script"]}]
_HAS_FLOW_OR_RETRY: list[Schema] = [
    {"required": ["flow"]},
    {"required": ["retry"], "properties": {"retry": {"type": "string"}}},
]
_FLOW_OR_TASK: Schema = {
    "if": {"anyOf": _HAS_COMMANDS, "not": _HAS_TASKS},
    "then": {"$ref": "#/$defs/TaskForm"},
    "else": {"$ref": "#/$defs/Flow"},
}


def _run_request() -> Schema:
    """A request has either a flow with values for it, or the run that it retries."""
    request = schema_of(RunRequest, "validation")
    properties = request["properties"]
    stored = {"type": "string", "pattern": STORED_FLOW.pattern}
    properties["flow"] = {
        "description": properties["flow"]["description"],
        "if": {"type": "object"},
        "then": _FLOW_OR_TASK,
        "else": stored,
    }
    alone = {"required": ["retry"], "not": {"anyOf": [{"required": ["flow"]}, {"required": ["inputs"]}]}}
    of_flow = {"required": ["flow"], "not": {"required": ["from"]}}
    return {
        **{name: each for name, each in request.items() if name not in ("$schema", "$defs")},
        "oneOf": [alone, of_flow],
    }


def _task_form(flow: Schema, task: Schema) -> Schema:
    """One task at top level, with the properties of a flow that apply to all of its tasks."""
    flow_names, task_names = names_in_task_form()
    return {
        **task,
        "properties": {
            **{name: flow["properties"][name] for name in sorted(flow_names)},
            **{name: task["properties"][name] for name in sorted(task_names)},
        },
        "required": [],
    }


def schema_of(model: type[BaseModel], mode: Any) -> Schema:  # noqa: ANN401 - pydantic's two modes
    """The JSON Schema of the JSON that a model reads (`validation`) or writes (`serialization`)."""
    schema = model.model_json_schema(mode=mode)
    return {"$schema": _DIALECT, **_without_titles(schema)}


def _without_titles(schema: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """Without the titles, which repeat the names, and without defaults that are null or a whole model."""
    match schema:
        case dict():
            return {
                name: {each: _without_titles(value) for each, value in item.items()}
                if name in ("properties", "$defs")
                else _without_titles(item)
                for name, item in schema.items()
                if name != "title" and not (name == "default" and (item is None or isinstance(item, dict)))
            }
        case list():
            return [_without_titles(item) for item in schema]
    return schema


def _by_type(schema: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """The schema with one definition of what is a task or a group, or a trigger, instead of a choice at each place."""
    match schema:
        case {"oneOf": [{"$ref": str(first)}, *others]} if first in _CHOICES:
            is_of_end = {"$ref": "#/$defs/ExecutionFlow"} in others
            name = "EndCondition" if is_of_end else _CHOICES[first]
            return {name: item for name, item in schema.items() if name == "description"} | {"$ref": f"#/$defs/{name}"}
        case dict():
            return {name: _by_type(item) for name, item in schema.items()}
        case list():
            return [_by_type(item) for item in schema]
    return schema


_CHOICES = {"#/$defs/Task": "TaskOrGroup", "#/$defs/Schedule": "Trigger", "#/$defs/DayWeek": "DateCondition"}


def _choice(names: Iterable[str], definitions: Schema, other: Schema) -> Schema:
    """Choose between definitions by `type`."""
    choice = other
    for name in names:
        is_one = {"properties": {"type": definitions[name]["properties"]["type"]}, "required": ["type"]}
        choice = {"if": is_one, "then": {"$ref": f"#/$defs/{name}"}, "else": choice}
    return choice


def _task_or_group() -> Schema:
    """Choose between task and group by `type`, so that the messages of editors are about the right one."""
    choice: Schema = {"$ref": "#/$defs/Task"}
    groups: Mapping[str, type[Properties]] = dict(zip(ALL_GROUP_TYPES, GROUPS, strict=True))
    for group, model in {**groups, **APP_TASKS}.items():
        is_group = {"properties": {"type": {"const": group}}, "required": ["type"]}
        choice = {"if": is_group, "then": {"$ref": f"#/$defs/{model.__name__}"}, "else": choice}
    return choice
