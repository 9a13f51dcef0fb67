"""The manifest's language: what is read, and what is said about what cannot be."""

from datetime import timedelta

import pytest

from shared.errors import ManifestError
from shared.manifest import read_manifest, redacted

DURATION = "expected a duration of ISO 8601, such as PT30M (30 minutes) or PT2H (two hours)"


def problems(text: str, name: str = "x.yaml") -> list[str]:
    with pytest.raises(ManifestError) as caught:
        read_manifest(text, name)
    return [str(problem) for problem in caught.value.problems]


def test_flow() -> None:
    manifest = read_manifest("id: f\nnamespace: a.b\ntasks:\n  - id: t\n    commands: [x, y]\n", "x.yaml")
    assert (manifest.flow.id, manifest.flow.namespace, manifest.flow.tasks[0].commands) == ("f", "a.b", ("x", "y"))


def test_task_form_is_a_flow_of_one_task() -> None:
    """Properties of flow and task stand side by side; `timeout` is the task's."""
    flow = read_manifest("id: one\nnamespace: a\nvariables: {v: 1}\ncommands: [x]\ntimeout: PT5M\n", "x.yaml").flow
    assert (flow.id, flow.variables, flow.tasks[0].id, flow.tasks[0].timeout) == (
        "one",
        {"v": 1},
        "one",
        timedelta(minutes=5),
    )


def test_task_form_needs_no_id() -> None:
    assert read_manifest('{"commands": ["x"]}', "x.json").flow.tasks[0].id == "task"


def test_text_properties_take_numbers_as_they_were_written() -> None:
    task = read_manifest("commands: [3.10]\nenv: {V: 1.20, W: 007, T: true}", "x.yaml").flow.tasks[0]
    assert task.commands == ("3.10",)
    assert task.env == {"V": "1.20", "W": "007", "T": "true"}


def test_time_limit_is_the_tasks_timeout_or_the_runners() -> None:
    runner = "taskRunner: {waitUntilCompletion: PT2H}\n"
    assert read_manifest(f"commands: [x]\n{runner}", "x.yaml").flow.tasks[0].time_limit == timedelta(hours=2)
    assert read_manifest(f"commands: [x]\ntimeout: PT3M\n{runner}", "x.yaml").flow.tasks[0].time_limit == timedelta(
        minutes=3
    )
    assert read_manifest("commands: [x]", "x.yaml").flow.tasks[0].time_limit == timedelta(hours=1)


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = "id: f\ntasks:\n  - id: a b\n    comands: [x]\n    timeout: 5\n  - id: c\n    commands: x\n"
    assert problems(text) == [
        "tasks[0].id: 'a b' does not match ^[a-zA-Z0-9][a-zA-Z0-9_-]*$ at line 3, column 9",
        'tasks[0].comands: unknown property; did you mean "commands"? at line 4, column 5',
        f"tasks[0].timeout: {DURATION} at line 5, column 14",
        "tasks[1].commands: expected a list, found 'x' at line 7, column 15",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "a manifest is a map of properties, such as `tasks:` or `commands:` at line 1, column 1"),
        (
            "id: a",
            "tasks: a manifest has `tasks`, or for one task `commands` or `script` at top level; none of them is here",
        ),
        ("tasks: []", "tasks: expected at least 1 entry"),
        ("tasks: [{id: a}]", "tasks[0]: a task has either `commands` (a list) or `script` (text)"),
        ("commands: [a]\nscript: b", "a task has either"),
        ("commands: [a]\ntype: io.kestra.plugin.core.log.Log", "unknown task type 'io.kestra.plugin.core.log.Log'"),
        ("commands: [a]\ntaskRunner: {type: docker}", "taskRunner.type: unknown task runner 'docker'"),
        (
            "commands: [a]\ntaskRunner: {accessKey: abc}",
            "taskRunner.accessKey: a credential must not stand in the manifest",
        ),
        ("tasks: [{id: a, commands: [x]}, {id: a, commands: [x]}]", "task ids must differ; there is more than one 'a'"),
        ("commands: [a]\npriority: 2000", "priority: input should be less than or equal to 1000"),
        (
            "commands: [a]\nnamespaceFiles: {enabled: maybe}",
            "namespaceFiles.enabled: expected true or false, found 'maybe'",
        ),
        ("commands: [a]\ntimeout: P0D", "timeout: expected a duration"),
    ],
)
def test_problems(text: str, message: str) -> None:
    assert message in "\n".join(problems(text))


def test_a_literal_credential_is_not_repeated_in_the_problem() -> None:
    assert "hunter2" not in str(problems("commands: [a]\ntaskRunner: {blobStorage: {connectionString: hunter2}}"))


def test_literal_credentials_are_redacted_line_by_line() -> None:
    text = "a: 1\n  accessKey: hunter2\n\"connectionString\": 'x;y'\n  password: \"{{ secret('P') }}\" # ok\n"
    assert (
        redacted(text)
        == 'a: 1\n  accessKey: "******"\n"connectionString": "******"\n  password: "{{ secret(\'P\') }}" # ok\n'
    )


def test_credentials_in_what_cannot_be_parsed_are_redacted_too() -> None:
    assert "hunter2" not in redacted("{[: accessKey: hunter2")
