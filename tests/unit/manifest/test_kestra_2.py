"""What Kestra 2 refuses of a flow that was written for Kestra 1, and what to write instead."""

from __future__ import annotations

import json

import pytest

from shared.manifest._layout import Layout
from shared.manifest._source import read_source
from shared.manifest.kestra_2 import refused_by_2

CORE = "io.kestra.plugin.core"
SHELL = "id: s, type: io.kestra.plugin.scripts.shell.Commands"
TASKS = f"tasks: [{{{SHELL}, commands: [x]}}]\n"


def told(text: str, *, as_json: bool = False) -> list[str]:
    return [str(problem) for problem in refused_by_2(Layout(read_source(text, as_json=as_json)))]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("pluginDefaults: [{type: x}]", "pluginDefaults: Kestra 2 has no `pluginDefaults`: write the values", "1"),
        ("taskDefaults: [{type: x}]", "taskDefaults: Kestra 2 has no `taskDefaults`", "1"),
        ("listeners: []", "listeners: Kestra 2 has no `listeners`", "1"),
        ("workerGroup: {key: a}", "workerGroup: Kestra 2 has no `workerGroup`: write `workerSelector`", "1"),
        ("id: kill", "id: Kestra 2 keeps the id 'kill' for itself: write 'kill-flow'", "1"),
        (
            "inputs: [{id: a, type: BOOLEAN}]",
            "inputs[0].type: Kestra 2 has no inputs of type BOOLEAN: write BOOL",
            "18",
        ),
        ("inputs: [{id: a, type: ENUM}]", "inputs[0].type: Kestra 2 has no inputs of type ENUM: write SELECT", "18"),
        ("inputs: [{name: a}]", "inputs[0].name: Kestra 2 has no `name` of an input: write `id`", "11"),
        ("inputs: [{id: a, options: [x]}]", "inputs[0].options: Kestra 2 has no `options` of an input", "18"),
        ("inputs: [{id: a, defaults: 1, required: false}]", "inputs[0].required: Kestra 2 refuses `required:", "31"),
        ("inputs: [{id: a, defaults: 1, prefill: 2}]", "inputs[0].prefill: Kestra 2 refuses `prefill`", "31"),
        ("triggers: [{id: t, conditions: []}]", "triggers[0].conditions: Kestra 2 has no `conditions`", "20"),
        ("triggers: [{id: t, preconditions: {}}]", "triggers[0].preconditions: Kestra 2 has no", "20"),
        ("triggers: [{id: t, backfills: {}}]", "triggers[0].backfills: Kestra 2 has no", "20"),
        (
            f"inputs: [{{id: a}}]\ntriggers: [{{id: t, type: {CORE}.trigger.Schedule}}]",
            "triggers[0]: Kestra 2 refuses a trigger that gives no value to the input 'a'",
            "12",
        ),
        ("description: '[[> a.txt]]'", "description: Kestra 2 has no `[[> file]]`", "1"),
        ("variables: {x: '{{ vars.y | json }}'}", "variables.x: Kestra 2 has no filter 'json': write `toJson`", "13"),
        ("variables: {x: '{{ json(vars.y) }}'}", "variables.x: Kestra 2 has no function 'json': write `fromJson", "13"),
        ("variables: {x: \"{{ read('a', version=2) }}\"}", "variables.x: Kestra 2 has no argument 'version' of", "13"),
        ("variables: {x: '{{ outputDir }}'}", "variables.x: Kestra 2 has no 'outputDir'", "13"),
        ("variables: {x: '{{ currentEachOutput(outputs.a) }}'}", "variables.x: Kestra 2 has no function 'curr", "13"),
        ("timeout: PT1H", "timeout: Kestra 2 has no `timeout` of a flow, which is this app's own", "1"),
    ],
)
def test_what_is_removed_is_told_with_its_place_and_what_to_write(text: str, start: str, end: str) -> None:
    (found,) = told(TASKS + text)
    assert found.startswith(start)
    assert found.endswith(f"column {end}")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (f"id: e, type: {CORE}.flow.ForEach, values: [1], tasks: []", f"{CORE}.flow.Loop"),
        (f"id: e, type: {CORE}.flow.EachParallel, value: [1], tasks: []", "with `concurrencyLimit: 0`"),
        (f"id: e, type: {CORE}.flow.EachSequential, value: [1], tasks: []", f"{CORE}.flow.Loop"),
        (f"id: e, type: {CORE}.flow.ForEachItem", "a Loop over its parts"),
        (f"id: e, type: {CORE}.debug.Echo, format: x", f"write `type: {CORE}.log.Log`, and `message` for `format`"),
        (f"id: e, type: {CORE}.state.Set", "use the key-value store"),
        ("id: e, type: io.kestra.core.tasks.log.Log", f"write {CORE}.log.Log"),
        ("id: e, type: io.kestra.core.tasks.flows.Pause", f"write {CORE}.flow.Pause"),
        ("id: e, type: io.kestra.core.tasks.scripts.Bash", "write io.kestra.plugin.scripts.<language>.Script"),
        (f"{SHELL}, commands: [x], runner: DOCKER", "has no `runner`: write `taskRunner`"),
        (f"{SHELL}, commands: [x], docker: {{image: a}}", "has no `docker`: write `containerImage`"),
        (f"{SHELL}, commands: [x], outputDirectory: true", "has no `outputDirectory`"),
        (f"{SHELL}, commands: [x], retry: {{maxAttempt: 3}}", "has no `maxAttempt`: write `maxAttempts`"),
        (f"{SHELL}, commands: [x], foreach: [1]", "has no `foreach` of a task, which is this app's own"),
        (f"id: e, type: {CORE}.flow.Subflow, outputs: {{}}", "has no `outputs`"),
    ],
)
def test_tasks_are_looked_at_wherever_they_are(task: str, message: str) -> None:
    dag = f"{{id: d, type: {CORE}.flow.Dag, tasks: [{{task: {{{task}}}}}]}}"
    group = f"id: g, type: {CORE}.flow.If, condition: x, then: [{dag}]"
    for text in (f"tasks: [{{{task}}}]", f"{TASKS}errors: [{{{task}}}]", f"tasks: [{{{group}}}]"):
        (found,) = told(text)
        assert message in found


@pytest.mark.parametrize(
    "text",
    [
        TASKS,
        f"id: kill-flow\n{TASKS}",
        f"inputs: [{{id: a, type: BOOL}}, {{id: b, required: false}}]\n{TASKS}",
        f"inputs: [{{id: a}}]\ntriggers: [{{id: t, type: {CORE}.trigger.Schedule, inputs: {{a: 1}}}}]\n{TASKS}",
        f"inputs: [{{id: a, required: false}}]\ntriggers: [{{id: t, type: {CORE}.trigger.Webhook}}]\n{TASKS}",
        f"inputs: [{{id: a}}]\ntriggers: [{{id: t, type: {CORE}.trigger.Flow}}]\n{TASKS}",
        f"tasks: [{{id: l, type: {CORE}.flow.Loop, values: [1], tasks: [{{{SHELL}, runIf: 'x', commands: [x]}}]}}]",
        f"tasks: [{{{SHELL}, commands: ['{{{{ vars.x is json }}}} {{{{ vars.x | toJson }}}} runner json(x)']}}]",
        f"variables: {{x: '{{{{ json( }}}}', runner: a}}\n{TASKS}",
    ],
)
def test_what_kestra_2_takes_is_not_told(text: str) -> None:
    assert told(text) == []


def test_each_condition_of_a_trigger_is_told_with_what_takes_its_place() -> None:
    conditions = "[{type: io.kestra.plugin.core.condition.Weekend}, {type: io.kestra.plugin.core.condition.Not}]"
    found = told(f"{TASKS}triggers: [{{id: t, type: {CORE}.trigger.Schedule, conditions: {conditions}}}]")
    assert len(found) == 3
    assert 'write `when: "{{ isWeekend(trigger.date) }}"`' in found[1]
    assert "such as Not: write an expression into `when`" in found[2]


def test_a_flow_of_json_and_the_task_form_are_this_app_s_own() -> None:
    (of_json,) = told(json.dumps({"tasks": [{"id": "a", "type": f"{CORE}.log.Log"}]}), as_json=True)
    assert of_json.startswith("Kestra 2 reads flows in YAML only")
    (form,) = told("commands: [x]")
    assert form.startswith("Kestra 2 has no flows without `tasks`")
