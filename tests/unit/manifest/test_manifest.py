"""The manifest's language: what is read, and what is said about what cannot be."""

from datetime import timedelta

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest

DURATION = "expected an ISO 8601 duration, such as PT30M (30 minutes) or PT2H (2 hours)"


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


def test_json_may_name_its_schema_as_editors_want_it() -> None:
    tasks = '"tasks": [{"id": "t", "commands": ["x"]}]'
    assert read_manifest(f'{{"$schema": "s.json", "id": "f", {tasks}}}', "x.json").flow.tasks[0].id == "t"
    assert read_manifest('{"$schema": "s.json", "commands": ["x"]}', "x.json").flow.tasks[0].commands == ("x",)


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
        ("tasks: [{id: a, commands: [x]}]\ntype: f", "type: unknown property at line 2, column 1"),
        ("- a", "a manifest is a map of properties, such as `tasks:` or `commands:` at line 1, column 1"),
        (
            "id: a",
            "tasks: a manifest has `tasks`, or for one task `commands` or `script` at top level; this has none of them",
        ),
        ("tasks: []", "tasks: expected at least 1 entry"),
        ("tasks: [{id: a}]", "tasks[0]: a task has either `commands` (a list) or `script` (text)"),
        ("commands: [a]\nscript: b", "a task has either"),
        (
            "commands: [a]\ntype: io.kestra.plugin.core.kv.Set",
            "type: the task type 'io.kestra.plugin.core.kv.Set' is not",
        ),
        (
            "commands: [a]\ntype: io.kestra.plugin.scripts.python.Command",
            "'io.kestra.plugin.scripts.python.Command' is not a known task type; expected io.kestra.plugin.scripts.",
        ),
        ("commands: [a]\ntype: 3", "type: expected text, found '3'"),
        ("commands: [a]\ntargetOS: WINDOWS", "targetOS: expected 'AUTO' or 'LINUX', found 'WINDOWS'"),
        (
            "commands: [a]\nforeach: {files: {task: b, glob: x}}",
            "foreach.files.task: 'b' is not a task that runs before",
        ),
        ("commands: [a]\ndisabled: true", "every task is disabled; there is nothing to run at line 1"),
        ("tasks:", "tasks: a manifest has `tasks`"),
        (
            f"tasks: [{', '.join(f'{{id: t{n}, commands: [x]}}' for n in range(1001))}]",
            "at most 1000 tasks, this one has",
        ),
        (f"id: {'a' * 101}\ncommands: [x]", "id: string should have at most 100 characters"),
        (
            "commands: [a]\ntaskRunner: {type: docker}",
            "taskRunner.type: tasks run on Azure Batch, and 'docker' is no task runner of Kestra's: leave",
        ),
        (
            "commands: [a]\ntaskRunner: {accessKey: abc}",
            "taskRunner.accessKey: a credential must not be written in a manifest",
        ),
        ("tasks: [{id: a, commands: [x]}, {id: a, commands: [x]}]", "task ids must differ; there is more than one 'a'"),
        ("commands: [a]\npriority: 2000", "priority: input should be less than or equal to 1000"),
        (
            "commands: [a]\nnamespaceFiles: {enabled: maybe}",
            "namespaceFiles.enabled: expected true or false, found 'maybe'",
        ),
        ("commands: [a]\ntimeout: P0D", "timeout: expected an ISO 8601 duration"),
        ("commands: [a]\ndependsOn: [task]", "dependsOn[0]: a task cannot wait for itself at line 2, column 13"),
        ("commands: [a]\nretry: {type: linear, maxAttempts: 2}", "retry.type: expected 'constant', 'exponential' or"),
        ("commands: [a]\nretry: {interval: PT1M}", "retry: a retry needs `maxAttempts`"),
        ("commands: [a]\nretry: {maxAttempts: 0}", "retry.maxAttempts: input should be greater than or equal to 1"),
        ("commands: [a]\nrunAs: admin", "runAs: expected 'root' or 'user', found 'admin'"),
        ("commands: [a]\nrequiredSlots: 0", "requiredSlots: input should be greater than or equal to 1"),
        ("commands: [a]\ncontainerRunOptions: --privileged", "containerRunOptions: --privileged is not allowed"),
        ("commands: [a]\nnamespaceFiles: {ifExists: ASK}", "namespaceFiles.ifExists: expected 'OVERWRITE', 'FAIL',"),
        ("commands: [a]\nnamespaceFiles: {namespaces: []}", "namespaceFiles.namespaces: expected at least 1 entry"),
        ("commands: [a]\nforeach: true", "foreach: expected a list, a whole number, an expression, or a map"),
        ("commands: [a]\nforeach: -1", "foreach: input should be greater than or equal to 0"),
        ("commands: [a]\nforeach: 10001", "foreach: input should be less than or equal to 10000"),
        ("commands: [a]\nforeach: {}", "foreach: expected either `namespaceFiles: data/*.csv`, a glob"),
        ("commands: [a]\nforeach: {files: {task: a}}", "foreach.files.glob: this property is missing at line 2"),
    ],
)
def test_problems(text: str, message: str) -> None:
    assert message in "\n".join(problems(text))


@pytest.mark.parametrize("foreach", ["[1, a, {b: c}]", "3", "'{{ outputs.a.vars.list }}'", "{namespaceFiles: '*.csv'}"])
def test_foreach_takes_a_list_a_count_an_expression_or_files(foreach: str) -> None:
    assert read_manifest(f"commands: [x]\nforeach: {foreach}", "x.yaml").flow.tasks[0].foreach is not None


def test_namespace_files_are_enabled_by_naming_any_of_their_properties() -> None:
    assert not read_manifest("commands: [x]", "x.yaml").flow.tasks[0].namespace_files.enabled
    assert (
        read_manifest("commands: [x]\nnamespaceFiles: {include: [a]}", "x.yaml").flow.tasks[0].namespace_files.enabled
    )


def test_a_property_without_a_value_is_as_good_as_absent() -> None:
    assert read_manifest("commands: [x]\nenv:\ntimeout: null\n", "x.yaml").flow.tasks[0].env == {}


def test_labels_may_be_kestras_list() -> None:
    text = "commands: [x]\nlabels: [{key: team, value: 1.10}]"
    assert read_manifest(text, "x.yaml").flow.labels == {"team": "1.10"}


@pytest.mark.parametrize("old", ["azure.runner.Batch", "azure.runner.AzureBatchTaskRunner", "azure.ee.runner.Batch"])
def test_old_names_of_the_task_runner_are_understood(old: str) -> None:
    text = f"commands: [x]\ntaskRunner: {{type: io.kestra.plugin.{old}}}"
    assert read_manifest(text, "x.yaml").flow.tasks[0].task_runner.type == "io.kestra.plugin.ee.azure.runner.Batch"


@pytest.mark.parametrize(
    "text",
    [
        "commands: [x]\n" + "".join(f"comand{number}: 1\n" for number in range(20_000)),
        "commands: [" + "[]," * 20_000 + "]",
        "tasks:\n" + "".join(f"- {{id: t{n}, commands: [x], dependsOn: [a, b, c, d, e]}}\n" for n in range(900)),
    ],
    ids=["names", "values", "dependencies"],
)
def test_of_very_many_problems_the_first_are_told(text: str) -> None:
    found = problems(text)
    assert len(found) == 51
    assert found[-1].startswith("there are more problems from here on at line")


def test_a_wrong_value_of_a_default_does_not_hide_other_problems() -> None:
    """It is wrong in every task, but one problem."""
    listed = "".join(f"- {{id: t{number}, commands: [x]}}\n" for number in range(99))
    defaults = "pluginDefaults: [{type: io.kestra.plugin.scripts, values: {x: 1}}]\n"
    assert len(problems(f"{defaults}tasks:\n{listed}priority: high\n")) == 2


@pytest.mark.parametrize(
    "value",
    ["hunter2", "{{ vars.key }}", "{{ secret('A') }}hunter2", "{{ vars.a }}hunter2{{ secret('A') }}", "secret('A')"],
)
def test_a_credential_is_one_expression_that_reads_a_secret(value: str) -> None:
    [problem] = problems(f'commands: [x]\ntaskRunner: {{accessKey: "{value}"}}')
    assert "a credential must not be written in a manifest" in problem


def test_a_literal_credential_is_not_repeated_in_the_problem() -> None:
    assert "hunter2" not in str(problems("commands: [a]\ntaskRunner: {blobStorage: {connectionString: hunter2}}"))


@pytest.mark.parametrize(
    "text", [f"tasks: [{{id: a, type: {'x' * 50_000}}}]", f"tasks: []\n{'y' * 50_000}: 1", "a: " + "[" * 50_000]
)
def test_a_problem_is_as_long_as_a_person_reads(text: str) -> None:
    """Of what it quotes the middle is left out; the beginning and the advice at the end are there."""
    found = problems(text)
    assert found
    assert all(len(problem) < 5_000 for problem in found)
