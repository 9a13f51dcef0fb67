"""What Kestra 2 refuses of a flow that was written for Kestra 1: removed properties, types, functions and filters.

By `migration-documentation/flows-changes.md` of https://github.com/kestra-io/kestra2-flow-migration, which follows the
code of the releases 2.0.x. What only the author can know (does a secret exist, are API credentials needed) is not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import Problem
from shared.expressions.removed import removed_in_2
from shared.manifest._layout import Layout
from shared.manifest.problems import each_once
from shared.manifest.types import PropertyPath, texts_with_paths

Found = Iterator[tuple[PropertyPath, str]]

_CORE = "io.kestra.plugin.core."
_LOOP = (
    f"write `type: {_CORE}flow.Loop`, and in its tasks `item.value` for `taskrun.value`, `item.index` for"
    " `taskrun.iteration`, and `outputs.<task>` without the value"
)
_INTO_TASKS = "write the values into each task, or into `variables`"
_TASKS_OF_SCRIPTS = "io.kestra.plugin.scripts."
_TYPES: Mapping[str, str] = {
    "flow.ForEach": _LOOP,
    "flow.EachSequential": _LOOP,
    "flow.EachParallel": f"{_LOOP}, with `concurrencyLimit: 0`",
    "flow.ForEachItem": "split the file with core.storage.Split, and write a Loop over its parts with a Subflow in it",
    "flow.Template": f"write `type: {_CORE}flow.Subflow`, and `flowId` for `templateId`",
    "debug.Echo": f"write `type: {_CORE}log.Log`, and `message` for `format`",
    "execution.Count": "keep a count in the key-value store",
    "execution.Resume": "use the API or the SDK",
    "trigger.Toggle": "use the API or the SDK",
    "storage.LocalFiles": "use `inputFiles` and `outputFiles`",
    "storage.Purge": f"write `type: {_CORE}execution.PurgeExecutions`",
    "storage.PurgeExecution": f"write `type: {_CORE}storage.PurgeCurrentExecutionFiles`",
    "log.Fetch": "write `type: io.kestra.plugin.kestra.logs.Fetch`, which needs `auth`",
}
_IN_WHEN = "write an expression into `when`"
_CONDITIONS: Mapping[str, str] = {
    "DayWeek": "write `when: \"{{ dayOfWeek(trigger.date) == 'MONDAY' }}\"`",
    "DayWeekInMonth": "write `when: \"{{ isDayWeekInMonth(trigger.date, 'MONDAY', 'FIRST') }}\"`",
    "Weekend": 'write `when: "{{ isWeekend(trigger.date) }}"`',
    "PublicHoliday": "write `when: \"{{ isPublicHoliday(trigger.date, 'FR') }}\"`",
    "TimeBetween": 'write `when: "{{ hourOfDay(trigger.date) >= 8 and hourOfDay(trigger.date) < 18 }}"`',
    **dict.fromkeys(
        ("ExecutionStatus", "ExecutionFlow", "ExecutionNamespace", "ExecutionLabels", "ExecutionOutputs", "Flow",
         "FlowNamespace", "MultipleCondition", "Multiple"),
        "write `dependsOn` of the Flow trigger, with `flowId`, `namespace`, `states`, `labels` or `when`",
    ),
}  # fmt: skip
_OLD_PACKAGES = {
    "tasks.flows": "flow", "tasks.log": "log", "tasks.debugs": "debug", "tasks.executions": "execution",
    "tasks.states": "kv", "tasks.storages": "storage", "tasks.triggers": "trigger", "tasks.runners": "runner",
    "models.triggers.types": "trigger",
}  # fmt: skip
_FLOW: Mapping[str, str] = {
    "pluginDefaults": _INTO_TASKS,
    "taskDefaults": _INTO_TASKS,
    "listeners": "write their tasks into a flow of its own with a Flow trigger, or into `afterExecution`",
    "workerGroup": "write `workerSelector`",
}
_TRIGGER: Mapping[str, str] = {
    "conditions": "write one condition, as an expression, into `when`; of a Flow trigger, `dependsOn`",
    "scheduleConditions": "write one condition, as an expression, into `when`",
    "preconditions": "write `dependsOn`, and `window` for its time",
    "timeWindow": "write `window`",
    "backfills": "make a backfill by the API",
    "minLogLevel": "write `logLevel`",
    "workerGroup": "write `workerSelector`",
}
_SCRIPT: Mapping[str, str] = {
    "runner": "write `taskRunner`, of type io.kestra.plugin.scripts.runner.docker.Docker or core.runner.Process",
    "docker": "write `containerImage` for its image, and `taskRunner` for the rest",
    "dockerOptions": "write `containerImage` for its image, and `taskRunner` for the rest",
    "outputDirectory": "write files into the working directory, and name them in `outputFiles`",
}
_OWN_OF_FLOW = ("$schema", "timeout", "priority", "kestra")
_OWN_OF_TASK = ("foreach", "runAs")
_RESERVED = frozenset({
    "pause", "resume", "force-run", "change-status", "kill", "executions", "search", "source", "disable", "enable",
})  # fmt: skip
_INCLUDE = re.compile(r"\[\[\s*>")


def refused_by_2(layout: Layout) -> list[Problem]:
    """What Kestra 2 refuses of a flow, each at its place in the file."""
    flow = layout.written
    if not isinstance(flow, dict):
        return []
    found: list[tuple[PropertyPath, str]] = []
    if layout.source.is_json:
        found.append(((), "reads flows in YAML only: write it so"))
    for look in (_of_flow, _of_inputs, _of_triggers, _of_parts, _of_texts):
        found += look(flow)
    place = layout.source.problem
    return each_once(place((*layout.root, *path), f"Kestra 2 {message}", at_key=True) for path, message in found)


def _has_no(names: Mapping[str, str], properties: Mapping[str, Any], path: PropertyPath) -> Found:
    for name in properties:
        if name in names:
            yield (*path, name), f"has no `{name}`: {names[name]}"


def _of_flow(flow: dict[str, Any]) -> Found:
    yield from _has_no(_FLOW, flow, ())
    for name in _OWN_OF_FLOW:
        if name in flow:
            yield (name,), f"has no `{name}` of a flow, which is this app's own: leave it out"
    if "tasks" not in flow:
        yield (), "has no flows without `tasks`, which are this app's own: write the task as an entry of `tasks`"
    if flow.get("id") in _RESERVED:
        yield ("id",), f"keeps the id {flow['id']!r} for itself: write {flow['id'] + '-flow'!r}, say"


def _entries(flow: Mapping[str, Any], name: str) -> Iterator[tuple[PropertyPath, dict[str, Any]]]:
    entries = flow.get(name)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield (name, index), entry


def _of_inputs(flow: Mapping[str, Any]) -> Found:
    for path, declared in _entries(flow, "inputs"):
        other = {"BOOLEAN": "BOOL", "ENUM": "SELECT"}.get(str(declared.get("type")))
        if other:
            yield (*path, "type"), f"has no inputs of type {declared['type']}: write {other}"
        if "name" in declared:
            yield (*path, "name"), "has no `name` of an input: write `id`"
        if "options" in declared:
            yield (*path, "options"), "has no `options` of an input: write `values`"
        if "extension" in declared:
            yield (*path, "extension"), "has no `extension` of an input: write `allowedFileExtensions`"
        if declared.get("defaults") is not None and declared.get("required") is False:
            yield (*path, "required"), "refuses `required: false` of an input with `defaults`: leave it out"
        if declared.get("defaults") is not None and "prefill" in declared:
            yield (*path, "prefill"), "refuses `prefill` beside `defaults`: leave one of both out"


def _of_triggers(flow: Mapping[str, Any]) -> Found:
    needed = [
        str(declared.get("id"))
        for _, declared in _entries(flow, "inputs")
        if declared.get("defaults") is None and declared.get("required") is not False
    ]
    for path, trigger in _entries(flow, "triggers"):
        yield from _has_no(_TRIGGER, trigger, path)
        given = trigger.get("inputs")
        if str(trigger.get("type")).endswith((".Schedule", ".Webhook")):
            for name in (name for name in needed if not (isinstance(given, dict) and name in given)):
                yield path, f"refuses a trigger that gives no value to the input {name!r}: write it into its `inputs`"


def _of_parts(value: Any, path: PropertyPath = ()) -> Found:  # noqa: ANN401 - any part of a flow
    """Of every part with a type: tasks, wherever they are, triggers, conditions, task runners."""
    match value:
        case {"type": str() as kind}:
            yield from _of_type(kind, (*path, "type"))
            if "id" in value and path[:1] not in (("inputs",), ("outputs",), ("triggers",)):
                yield from _of_task(kind, value, path)
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from _of_parts(child, (*path, name))


def _of_type(kind: str, path: PropertyPath) -> Found:
    short = kind.removeprefix(_CORE)
    if short != kind and short in _TYPES:
        yield path, f"has no task type {kind!r}: {_TYPES[short]}"
    elif short.startswith("state."):
        yield path, f"has no task type {kind!r}: use the key-value store, {_CORE}kv"
    elif short.startswith("condition."):
        name = short.removeprefix("condition.").removesuffix("Condition")
        yield path, f"has no conditions of triggers, such as {name}: {_CONDITIONS.get(name, _IN_WHEN)}"
    elif kind.startswith("io.kestra.core."):
        package, _, name = kind.removeprefix("io.kestra.core.").rpartition(".")
        now = f"{_CORE}{_OLD_PACKAGES[package]}.{name}" if package in _OLD_PACKAGES else f"{_CORE}…"
        instead = "io.kestra.plugin.scripts.<language>.Script" if package.startswith("tasks.scripts") else now
        yield path, f"has no old names of types, such as {kind!r}: write {instead}"


def _of_task(kind: str, task: Mapping[str, Any], path: PropertyPath) -> Found:
    if kind.startswith(_TASKS_OF_SCRIPTS):
        yield from _has_no(_SCRIPT, task, path)
    yield from _has_no({"workerGroup": "write `workerSelector`"}, task, path)
    if isinstance(task.get("retry"), dict):
        yield from _has_no({"maxAttempt": "write `maxAttempts`"}, task["retry"], (*path, "retry"))
    of_type: Mapping[str, Mapping[str, str]] = {
        ".flow.Subflow": {"outputs": "write `outputs` of the flow that it runs"},
        ".flow.Pause": {"delay": "write `pauseDuration`", "tasks": "write them after it"},
    }
    for ending, names in of_type.items():
        yield from _has_no(names if kind.endswith(ending) else {}, task, path)
    for name in _OWN_OF_TASK:
        if name in task:
            yield (*path, name), f"has no `{name}` of a task, which is this app's own: leave it out"


def _of_texts(flow: dict[str, Any]) -> Found:
    for path, text in texts_with_paths(flow):
        yield from ((path, message) for message in removed_in_2(text))
        if _INCLUDE.search(text):
            yield path, "has no `[[> file]]`: write the text itself, or `read('file')`"
