"""Manifests that Hypothesis makes up: flows as people write them, and the same with something wrong in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from shared.manifest.groups import FOR_EACH, PARALLEL, SEQUENTIAL
from shared.manifest.read import names_in_task_form

NAMESPACE = "generated"
NAMESPACE_FILES = {"a.txt": "a", "data/b.txt": "b", "names.json": '["x", "y"]'}
"""What the flows expect in their namespace; they ask for `none.txt` too, which is not there."""

FLOW_NAMES, TASK_NAMES = (sorted(names) for names in names_in_task_form())
GROUP_NAMES = ["tasks", "values", "value", "condition", "then", "else", "cases", "defaults", "task", "type"]
VARIABLES = {
    "n": 2,
    "list": ["p", "q"],
    "text": "some text",
    "map": {"k": None},
    "files": {"given.txt": "{{ not rendered }}"},
}
_TASKS = 4

_IN_ORDER: dict[str, list[Any]] = {
    "commands": [
        "true",
        "exit 3",
        "echo hi > f.txt",
        "mkdir -p d && echo deep > d/g.txt",
        'echo \'::{"outputs": {"n": 1, "list": ["u", "v"]}}::\'',
        "echo '::{not json}::'",
        "echo {{ vars.n + 1 }} {{ vars.text | upper }} {{ vars.map.k ?? 'null' }}",
        "ls {{ workingDir }}",
        "echo {{ read('names.json') }}",
    ],
    "beforeCommands": [[], ["echo before"]],
    "foreach": [
        [],
        0,
        2,
        ["x", 1, None],
        [{"k": "{{ vars.n }}"}],
        "{{ vars.list }}",
        "{{ vars.n }}",
        "{{ read('names.json') }}",
        {"namespaceFiles": "*.txt"},
        {"namespaceFiles": "none/*"},
    ],
    "inputFiles": [{"given.txt": "{{ task.id }}"}, {"in/{{ task.id }}": "nsfile:///a.txt"}, "{{ vars.files }}"],
    "namespaceFiles": [{"enabled": True}, {"include": ["*.txt"]}, {"namespaces": ["elsewhere"]}],
    "outputFiles": [["f.txt"], ["*.txt", "d/**"], ["**"]],
    "outputDirectory": [True, False],
    "env": [{"A": 1, "B": True, "C": "{{ vars.n }}"}],
    "allowFailure": [True, False],
    "failFast": [True, False],
    "retry": [{"maxAttempts": 2}],
    "taskRunner": [{"syncWorkingDirectory": True}, {"delete": False}],
}
_WRONG: dict[str, list[Any]] = {
    "commands": ["echo {{ item }}", "echo {{ read('none.txt') }}", "{{ vars.missing }}", "{% for x in vars.list %}"],
    "dependsOn": [[], ["t0"], ["t9"]],
    "disabled": [True],
    "foreach": ["{{ vars.text }}", {"files": {"task": "t0", "glob": "*"}}, "{{ outputs.t1.vars.list }}"],
    "inputFiles": [
        {"a": "nsfile:///none.txt", "b": "blob://results/x"},
        {"a": "s3://b/x"},
        {"../up": ""},
        "{{ vars.n }}",
    ],
    "outputFiles": [["/etc/*"], ["$HOME/x"], []],
    "env": [{"not-a-name": 1}],
    "requiredSlots": [99],
    "taskRunner": [{"poolId": "none"}],
}


def _using(other: dict[str, Any]) -> dict[str, list[Any]]:
    """What a task may ask of one that runs before it."""
    outputs = f"outputs.{other['id']}"
    glob = {"files": {"task": other["id"], "glob": "**/*.txt"}}
    if "foreach" in other:
        commands = [f"ls {{{{ {outputs} }}}}", f"echo {{{{ {outputs}[0].vars.n ?? 'none' }}}}"]
        return {"commands": commands, "foreach": [glob]}
    file = f"{outputs}.outputFiles['f.txt']"
    commands = [f"cat {{{{ {file} }}}}", f"echo {{{{ {outputs}.vars.n ?? 'none' }}}}", f"echo {{{{ read({file}) }}}}"]
    return {
        "commands": commands,
        "foreach": [glob, f"{{{{ {outputs}.vars.list ?? vars.list }}}}", f"{{{{ {outputs}.vars.list }}}}"],
        "inputFiles": [{"given.txt": f"{{{{ {file} }}}}"}],
    }


@st.composite
def runnable_flows(draw: st.DrawFn) -> dict[str, Any]:
    """A flow of quick tasks that use each other's files and values; in one of four there are mistakes."""
    wrong = _WRONG if draw(st.integers(0, 3)) == 0 else {}
    tasks: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, _TASKS))):
        using = _using(draw(st.sampled_from(tasks))) if tasks else {}
        tasks.append(draw(_tasks(f"t{number}", [_IN_ORDER, using, wrong])))
    grouped = [_grouped(task, draw(st.sampled_from([None, None, SEQUENTIAL, PARALLEL]))) for task in tasks]
    return {"id": "f", "namespace": NAMESPACE, "variables": VARIABLES, "tasks": grouped}


@st.composite
def _tasks(draw: st.DrawFn, task_id: str, choices: list[dict[str, list[Any]]]) -> dict[str, Any]:
    """A task with a few properties, each one of its choices."""
    properties = {
        name: [value for each in choices for value in each.get(name, [])] for each in choices for name in each
    }
    commands = draw(st.lists(st.sampled_from(properties.pop("commands")), min_size=1, max_size=3))
    names = draw(st.lists(st.sampled_from(sorted(properties)), max_size=4, unique=True))
    chosen = {name: draw(st.sampled_from(properties[name])) for name in names}
    task = {"id": task_id, "commands": commands, "outputFiles": ["f.txt"], **chosen}
    if "foreach" in task:
        task["commands"].append("echo {{ item }} {{ taskrun.iteration }}")
    return task


def _grouped(task: dict[str, Any], group: str | None) -> dict[str, Any]:
    """The task, or a group that holds it; a fan-out in a group is a ForEach."""
    if group is None:
        return task
    if "foreach" not in task:
        return {"id": f"g_{task['id']}", "type": group, "tasks": [task]}
    inside = {name: value for name, value in task.items() if name != "foreach"}
    limit = {"concurrencyLimit": len(inside["commands"]) % 3}
    return {"id": f"g_{task['id']}", "type": FOR_EACH, "values": task["foreach"], **limit, "tasks": [inside]}


@st.composite
def mangled(draw: st.DrawFn, flows: st.SearchStrategy[dict[str, Any]], values: st.SearchStrategy[Any]) -> Any:
    """A flow in which one value has been replaced, one property renamed, or one property added."""
    flow = json.loads(json.dumps(draw(flows)))
    target = draw(st.sampled_from(list(_maps(flow))))
    names = [*FLOW_NAMES, *TASK_NAMES, *GROUP_NAMES]
    name = draw(st.sampled_from(sorted(target)) | st.sampled_from(names))
    if draw(st.booleans()):
        target[name] = draw(values)
    elif name in target:
        target[draw(st.sampled_from(names) | st.text(max_size=8))] = target.pop(name)
    return flow


def _maps(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value:
            yield value
        for item in value.values():
            yield from _maps(item)
    elif isinstance(value, list):
        for item in value:
            yield from _maps(item)
