"""`pluginDefaults`: values for all tasks of a type."""

import json

import pytest

from shared.errors import ManifestError
from shared.manifest.read import Manifest, Task, read_manifest

PYTHON, SHELL = "io.kestra.plugin.scripts.python.Commands", "io.kestra.plugin.scripts.shell.Commands"
RUNNER = "io.kestra.plugin.ee.azure.runner.Batch"


def read(task: dict[str, object], *defaults: dict[str, object]) -> Manifest:
    flow = {"pluginDefaults": defaults, "tasks": [{"id": "t", "commands": ["x"], **task}]}
    return read_manifest(json.dumps(flow), "x.json")


def task_of(task: dict[str, object], *defaults: dict[str, object]) -> Task:
    return read(task, *defaults).flow.tasks[0]


def test_a_default_is_for_the_tasks_of_its_type() -> None:
    default = {"type": PYTHON, "values": {"containerImage": "mine"}}
    assert task_of({"type": PYTHON}, default).container_image == "mine"
    assert task_of({"type": SHELL}, default).container_image is None


def test_the_beginning_of_a_type_is_enough() -> None:
    assert task_of({"type": PYTHON}, {"type": "io.kestra.plugin.scripts", "values": {"runAs": "user"}}).run_as == "user"


def test_a_task_without_a_type_is_a_shell_task() -> None:
    assert task_of({}, {"type": SHELL, "values": {"containerImage": "mine"}}).container_image == "mine"


@pytest.mark.parametrize("runner", [{}, {"taskRunner": {}}, {"taskRunner": {"type": RUNNER}}])
@pytest.mark.parametrize("name", [RUNNER, "io.kestra.plugin.azure.runner.Batch"])
def test_a_default_of_the_task_runner_is_for_every_task(runner: dict[str, object], name: str) -> None:
    assert task_of(runner, {"type": name, "values": {"poolId": "big"}}).task_runner.pool_id == "big"


def test_the_tasks_own_value_wins_and_of_several_defaults_the_first() -> None:
    defaults = [{"type": SHELL, "values": {"env": {"A": value, "B": value, value: value}}} for value in ("one", "two")]
    assert task_of({"env": {"A": "own"}}, *defaults).env == {"A": "own", "B": "one", "one": "one", "two": "two"}


def test_a_forced_default_wins_and_of_several_the_first() -> None:
    defaults = [{"type": SHELL, "forced": True, "values": {"containerImage": image}} for image in ("one", "two")]
    assert task_of({"containerImage": "own"}, *defaults).container_image == "one"


def test_lists_are_joined_without_repetition() -> None:
    default = {"type": SHELL, "values": {"beforeCommands": ["a", "b"]}}
    assert task_of({"beforeCommands": ["b", "c"]}, default).before_commands == ("a", "b", "c")


def test_tasks_in_groups_have_defaults_too() -> None:
    group = {"id": "g", "type": "io.kestra.plugin.core.flow.Sequential", "tasks": [{"id": "t", "commands": ["x"]}]}
    flow = {"pluginDefaults": [{"type": SHELL, "values": {"runAs": "user"}}], "tasks": [group]}
    assert read_manifest(json.dumps(flow), "x.json").flow.tasks[0].run_as == "user"


CORE = "io.kestra.plugin.core.flow"
A = [{"id": "a", "commands": ["x"]}]
B = [{"id": "b", "commands": ["x"]}]


@pytest.mark.parametrize(
    ("flow", "path"),
    [
        ({"tasks": [{"id": "g", "type": f"{CORE}.If", "condition": "x", "then": A}]}, "tasks[0].then[0]"),
        ({"tasks": [{"id": "g", "type": f"{CORE}.If", "condition": "x", "then": B, "else": A}]}, "tasks[0].else[0]"),
        ({"tasks": [{"id": "g", "type": f"{CORE}.Switch", "value": "x", "cases": {"x": A}}]}, "tasks[0].cases.x[0]"),
        ({"tasks": [{"id": "g", "type": f"{CORE}.Switch", "value": "x", "defaults": A}]}, "tasks[0].defaults[0]"),
        ({"tasks": [{"id": "g", "type": f"{CORE}.Dag", "tasks": [{"task": A[0]}]}]}, "tasks[0].tasks[0].task"),
        ({"tasks": [{"id": "g", "type": f"{CORE}.AllowFailure", "tasks": A}]}, "tasks[0].tasks[0]"),
        ({"tasks": [{"id": "g", "type": f"{CORE}.Parallel", "tasks": B, "errors": A}]}, "tasks[0].errors[0]"),
        ({"tasks": [{"id": "g", "type": f"{CORE}.Parallel", "tasks": B, "finally": A}]}, "tasks[0].finally[0]"),
        ({"tasks": B, "errors": A}, "errors[0]"),
        ({"tasks": B, "finally": A}, "finally[0]"),
        ({"tasks": B, "afterExecution": A}, "afterExecution[0]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tasks_have_defaults_wherever_they_stand(flow: dict[str, object], path: str) -> None:
    """Also those of their task runners; and a wrong value of a task itself is told there."""
    defaults = [{"type": SHELL, "values": {"runAs": "user"}}, {"type": RUNNER, "values": {"poolId": "big"}}]
    text = json.dumps({"pluginDefaults": defaults, **flow})
    tasks = {task.id: task for task in read_manifest(text, "x.json").flow.node_tasks}
    assert {(task.run_as, task.task_runner.pool_id) for task in tasks.values()} == {("user", "big")}
    with pytest.raises(ManifestError) as caught:
        read_manifest(text.replace('"a", "commands": ["x"]', '"a", "commands": [{}]'), "x.json")
    assert [problem.path for problem in caught.value.problems] == [f"{path}.commands[0]"]


def test_a_default_of_a_group_is_for_the_group_and_not_for_its_tasks() -> None:
    default = {"type": f"{CORE}.If", "values": {"condition": "true", "else": B}}
    flow = {"pluginDefaults": [default], "tasks": [{"id": "g", "type": f"{CORE}.If", "then": A}]}
    assert [task.id for task in read_manifest(json.dumps(flow), "x.json").flow.tasks] == ["a", "b"]


def test_the_task_form_has_defaults_too() -> None:
    text = f"commands: [x]\npluginDefaults:\n  - type: {SHELL}\n    values: {{runAs: nobody}}\n"
    with pytest.raises(ManifestError, match=r"pluginDefaults\[0\].values.runAs: .* at line 4, column 21"):
        read_manifest(text, "x.yaml")


def test_a_wrong_value_is_one_problem_at_its_place_in_the_default() -> None:
    text = (
        f"pluginDefaults:\n  - type: {RUNNER}\n    values: {{pool: a}}\n"
        "tasks: [{id: a, commands: [x]}, {id: b, commands: [x]}]"
    )
    with pytest.raises(ManifestError) as caught:
        read_manifest(text, "x.yaml")
    [problem] = caught.value.problems
    assert str(problem).startswith('pluginDefaults[0].values.pool: unknown property; did you mean "poolId"?')
    assert problem.line == 3


def test_later_problems_stand_in_the_default_too() -> None:
    manifest = read({"env": {"A": "a"}}, {"type": SHELL, "values": {"env": {"B": "b"}}})
    assert manifest.problem(("tasks", 0, "env", "B"), "!").path == "pluginDefaults[0].values.env.B"
    assert manifest.problem(("tasks", 0, "env", "A"), "!").path == "tasks[0].env.A"


def test_a_default_for_nothing_is_a_warning() -> None:
    [warning] = read({}, {"type": "io.kestra.plugin.core.kv.Set", "values": {}}).warnings
    assert str(warning).startswith("pluginDefaults[0].type: without effect: there is no task")


def test_defaults_cannot_make_a_flow_of_a_short_text_endless() -> None:
    default = {"type": SHELL, "values": {"env": {f"V{n}": "x" for n in range(5000)}}}
    flow = {"pluginDefaults": [default], "tasks": [{"id": f"t{n}", "commands": ["x"]} for n in range(50)]}
    with pytest.raises(ManifestError, match="more than 100000 values once its defaults are written out"):
        read_manifest(json.dumps(flow), "x.json")


@pytest.mark.parametrize(
    "wrong", [[1], [{"type": 3, "values": {}}], [{"type": SHELL, "values": 3}], 3, [{"typ": SHELL}]]
)
def test_malformed_defaults_are_located_problems(wrong: object) -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(json.dumps({"pluginDefaults": wrong, "commands": ["x"]}), "x.json")
    assert all(str(problem).startswith("pluginDefaults") for problem in caught.value.problems)
