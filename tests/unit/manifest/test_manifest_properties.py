"""Each property of the manifest, good and bad: the table is complete, or a test says what it lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from shared.errors import ManifestError
from shared.manifest._labels import Label
from shared.manifest._loops import OutputOfLoop
from shared.manifest.app_tasks import APP_TASKS, Assert, Fail, Log, OutputValues, Return
from shared.manifest.docker import Docker
from shared.manifest.flow import PluginDefault
from shared.manifest.groups import (
    FOR_EACH,
    LOOP,
    PARALLEL,
    SEQUENTIAL,
    AllowFailure,
    Dag,
    DagTask,
    EachParallel,
    EachSequential,
    ForEach,
    If,
    Loop,
    Parallel,
    Sequential,
    Switch,
)
from shared.manifest.inputs import Input
from shared.manifest.read import Flow, Manifest, Task, read_manifest
from shared.manifest.retry import Retry
from shared.manifest.task import FilesOfTask, ForeachFile, NamespaceFiles
from shared.manifest.task_runner import (
    RUNNER_TYPE,
    BlobStorage,
    IdentityReference,
    OtherTaskRunner,
    Registry,
    TaskRunner,
)
from shared.manifest.types import Properties, Unsupported


class Row(NamedTuple):
    """A value that is read, one that is refused, and what is said of it; None where there is no such value."""

    good: Any
    bad: Any = None
    message: str = ""


TEXT = Row("a", {"a": 1}, "expected text, found a map")
FLAG = Row(True, "maybe", "expected true or false, found 'maybe'")
DURATION = Row("PT1M", "1 minute", "expected an ISO 8601 duration")
WHOLE_NUMBER = Row(3, "many", "expected a whole number, found 'many'")
TEXTS = Row(["a"], "a", "expected a list, found 'a'")
CREDENTIAL = Row("{{ secret('A') }}", "hunter2", "a credential must not be written in a manifest")
ANYTHING = Row({"a": 1})
UNSUPPORTED = Row(None, "x", "not supported here: ")

DOCKER = "io.kestra.plugin.scripts.runner.docker.Docker"
LOG, RETURN, OUTPUT_VALUES, FAIL, ASSERT = APP_TASKS
ONE = [{"id": "one", "commands": ["x"]}]
OTHERS = Row([{"id": "other", "commands": ["x"]}], "x", "expected a list, found 'x'")
CORE = "io.kestra.plugin.core.flow"
VALUES = Row([1, "a"], True, "expected a list, a whole number, an expression, or a map")
TASK_OF_KESTRA = {
    "description": TEXT,
    "version": TEXT,
    "logLevel": TEXT,
    "logToFile": FLAG,
    "allowWarning": FLAG,
    **dict.fromkeys(("workerGroup", "workerSelector", "assets", "taskCache"), ANYTHING),
    **dict.fromkeys(("runIf", "when"), TEXT),
    "pluginDefaultsRef": UNSUPPORTED,
}
GROUP_WITHOUT_TASKS = {
    **TASK_OF_KESTRA,
    "id": Row("g", "a b", "does not match"),
    "disabled": Row(False, "maybe", "expected true or false"),
    "dependsOn": Row([], ["nobody"], "there is no task 'nobody'"),
    "allowFailure": FLAG,
    **dict.fromkeys(("errors", "finally"), OTHERS),
    **dict.fromkeys(("timeout", "retry"), UNSUPPORTED),
}
APP_TASK = {
    **TASK_OF_KESTRA,
    "id": Row("g", "a b", "does not match"),
    "disabled": Row(False, "maybe", "expected true or false"),
    "dependsOn": Row([], ["nobody"], "there is no task 'nobody'"),
    "allowFailure": FLAG,
    **dict.fromkeys(("timeout", "retry"), ANYTHING),
}
GROUP = {**GROUP_WITHOUT_TASKS, "tasks": Row(ONE, [], "expected at least 1 entry")}
TABLE: Mapping[type[Properties], Mapping[str, Row]] = {
    Flow: {
        "id": Row("my.flow", "a b", "'a b' does not match"),
        "namespace": Row("company.team", "Company", "'Company' does not match"),
        "description": TEXT,
        "$schema": TEXT,
        "labels": Row({"team": 3}, "team", "expected a map (name: value), found 'team'"),
        "variables": Row({"a": [1]}, [1], "expected a map (name: value), found a list"),
        "inputs": Row([{"id": "a", "defaults": "b"}], {}, "expected a list, found a map"),
        "tasks": Row(ONE, [], "expected at least 1 entry"),
        "pluginDefaults": Row([], {}, "expected a list, found a map"),
        "concurrency": Row({"limit": 1}, 1, "expected a map (name: value), found '1'"),
        "outputs": Row([{"id": "o", "type": "STRING", "value": "x"}], {}, "expected a list, found a map"),
        "timeout": Row("P6D", "P7D", "a flow may take at most P6D"),
        "priority": Row(-1000, 1001, "less than or equal to 1000"),
        "revision": WHOLE_NUMBER,
        "tenantId": TEXT,
        "deleted": FLAG,
        "kestra": Row(2, 3, "expected 1 or 2, found"),
        "disabled": Row(False, True, "expected False, found True"),
        **dict.fromkeys(("updated", "triggers", "workerGroup", "workerSelector"), ANYTHING),
        **dict.fromkeys(("errors", "finally", "afterExecution"), OTHERS),
        **dict.fromkeys(("listeners", "sla", "checks", "retry", "policyRefs", "flow", "taskDefaults"), UNSUPPORTED),
    },
    Label: {"key": Row("a", {}, "the key of a label must be text"), "value": TEXT},
    Input: {
        "id": Row("a.b", "a b", "'a b' does not match"),
        "type": Row("STRING", "SECRET", "inputs of type SECRET are not supported here: write {{ secret('NAME') }}"),
        "displayName": TEXT,
        "description": TEXT,
        "required": FLAG,
        "defaults": Row("a", {}, "expected text, as its type is STRING"),
        "values": Row(["a", "b"], ["b"], "'a' is not one of its values: b"),
        "options": Row(["a", "b"], ["b"], "'a' is not one of its values: b"),
        "itemType": Row("INT", "ARRAY", "the entries of a list cannot be of type ARRAY"),
        **dict.fromkeys(("allowCustomValue", "autoSelectFirst", "isRadio"), FLAG),
        "validator": Row("a+", "a(", "the regular expression 'a(' is not valid"),
        **dict.fromkeys(("min", "max"), Row(1, "one", "expected a whole number, as its type is INT")),
        **dict.fromkeys(("after", "before"), Row("2026-01-31", "31.1.2026", "expected a date such as 2026-01-31")),
        "allowedFileExtensions": Row([".csv"], ["csv"], "an extension begins with a dot: write .csv"),
        **dict.fromkeys(("prefill", "dependsOn", "expression", "jsonSchema", "accept", "extension"), ANYTHING),
        "name": UNSUPPORTED,
    },
    PluginDefault: {
        "type": Row("io.kestra", 3, "expected text, found '3'"),
        "forced": FLAG,
        "values": Row({"description": "a"}, [], "expected a map (name: value), found a list"),
    },
    Task: {
        **TASK_OF_KESTRA,
        "id": Row("a-b_c", "a.b", "'a.b' does not match"),
        "type": Row("io.kestra.plugin.scripts.r.Commands", "io.kestra.plugin.core.flow.Sleep", "use `sleep` in"),
        "disabled": Row(False, "maybe", "expected true or false"),
        "dependsOn": Row([], ["nobody"], "there is no task 'nobody'"),
        "allowFailure": FLAG,
        "foreach": Row([1, 2], True, "expected a list, a whole number, an expression, or a map"),
        "containerImage": TEXT,
        "commands": Row(["x", 3.10], [], "expected at least 1 entry"),
        "script": Row("x", ["x"], "expected text, found a list"),
        "beforeCommands": TEXTS,
        "interpreter": Row(["bash", "-c"], [], "expected at least 1 entry"),
        "env": Row({"A": 1}, ["A=1"], "expected a map (name: value), found a list"),
        "inputFiles": Row({"a": "b"}, 3, "found '3'"),
        "namespaceFiles": Row({"enabled": True}, True, "expected a map (name: value), found True"),
        "outputFiles": TEXTS,
        "outputDirectory": FLAG,
        "failFast": FLAG,
        "timeout": DURATION,
        "retry": Row({"maxAttempts": 2}, 2, "expected a map (name: value), found '2'"),
        "runAs": Row("user", "nobody", "expected 'root' or 'user', found 'nobody'"),
        "requiredSlots": Row(256, 257, "less than or equal to 256"),
        "containerRunOptions": Row("--memory=4g", "--privileged", "--privileged is not allowed"),
        "taskRunner": Row({}, "batch", "expected a map (name: value), found 'batch'"),
        "warningOnStdErr": FLAG,
        "targetOS": Row("LINUX", "WINDOWS", "expected 'AUTO' or 'LINUX', found 'WINDOWS'"),
        "dependencies": TEXTS,
        **dict.fromkeys(("pythonVersion", "uvInstallerVersion", "uvInstallerSha256"), TEXT),
        "packageManager": Row("PIP", "conda", "expected 'UV' or 'PIP', found 'conda'"),
        **dict.fromkeys(("dependencyCacheEnabled", "uvAutoInstallEnabled"), FLAG),
        "docker": Row({"image": "a"}, "a", "expected a map (name: value), found 'a'"),
        "runner": Row("PROCESS", "ssh", "expected 'DOCKER' or 'PROCESS', found 'ssh'"),
    },
    Docker: {
        "image": TEXT,
        **dict.fromkeys(
            (
                *("host", "dockerHost", "config", "dockerConfig", "credentials", "user", "entryPoint", "extraHosts"),
                *("networkMode", "volumes", "pullPolicy", "deviceRequests", "cpu", "memory", "shmSize", "privileged"),
            ),
            ANYTHING,
        ),
    },
    ForeachFile: {
        "namespaceFiles": Row("data/*.csv", {}, "expected text, found a map"),
        "files": Row({"task": "zero", "glob": "*"}, "*", "expected a map (name: value), found '*'"),
    },
    FilesOfTask: {"task": Row("zero", "nobody", "'nobody' is not a task that runs before this one"), "glob": TEXT},
    NamespaceFiles: {
        "enabled": FLAG,
        "namespaces": Row(["a", "{{ flow.namespace }}"], [], "expected at least 1 entry"),
        "include": TEXTS,
        "exclude": TEXTS,
        "ifExists": Row("WARN", "ASK", "expected 'OVERWRITE', 'FAIL', 'WARN' or 'IGNORE', found 'ASK'"),
        "folderPerNamespace": FLAG,
    },
    Retry: {
        "type": Row("random", "linear", "expected 'constant', 'exponential' or 'random', found 'linear'"),
        "maxAttempts": Row(100, 0, "greater than or equal to 1"),
        "maxAttempt": Row(100, 0, "greater than or equal to 1"),
        "behavior": Row("RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION", "expected 'RETRY_FAILED_TASK'"),
        "warningOnRetry": FLAG,
        "delayFactor": Row(1.5, "double", "expected a number, found 'double'"),
        **dict.fromkeys(("interval", "minInterval", "maxInterval", "maxDuration"), DURATION),
    },
    TaskRunner: {
        "type": Row(RUNNER_TYPE, "io.kestra.plugin.other.runner.Other", "tasks run on Azure Batch, and"),
        **dict.fromkeys(("account", "endpoint", "poolId"), TEXT),
        "accessKey": CREDENTIAL,
        "blobStorage": Row({}, "a", "expected a map (name: value), found 'a'"),
        "registry": Row({}, "a", "expected a map (name: value), found 'a'"),
        "waitUntilCompletion": DURATION,
        "completionCheckInterval": DURATION,
        **dict.fromkeys(("delete", "syncWorkingDirectory", "streamLogs", "resume"), FLAG),
        "version": TEXT,
        "pluginDefaultsRef": UNSUPPORTED,
    },
    BlobStorage: {
        **dict.fromkeys(("containerName", "endpoint", "sharedKeyAccountName"), TEXT),
        **dict.fromkeys(("connectionString", "sharedKeyAccountAccessKey"), CREDENTIAL),
    },
    Registry: {
        **dict.fromkeys(("registryServer", "userName"), TEXT),
        "password": CREDENTIAL,
        "identityReference": Row({"resourceId": "/subscriptions/a"}, {}, "resourceId: this property is missing"),
    },
    IdentityReference: {"resourceId": TEXT},
    OtherTaskRunner: {"type": Row(DOCKER), "accessKey": CREDENTIAL},
    Log: {
        **APP_TASK,
        "type": Row(LOG),
        "message": Row(["a", "b"], {"a": 1}, "expected text, found a map"),
        "level": Row("WARN", "LOUD", "expected 'TRACE', 'DEBUG', 'INFO', 'WARN' or 'ERROR', found 'LOUD'"),
    },
    Return: {**APP_TASK, "type": Row(RETURN), "format": TEXT},
    OutputValues: {
        **APP_TASK,
        "type": Row(OUTPUT_VALUES),
        "values": Row({"a": [1]}, [1], "expected a map (name: value), found a list"),
    },
    Fail: {**APP_TASK, "type": Row(FAIL), "condition": TEXT, "errorMessage": TEXT},
    Assert: {
        **APP_TASK,
        "type": Row(ASSERT),
        "conditions": Row(["a"], [], "expected at least 1 entry"),
        "errorMessage": TEXT,
    },
    Sequential: {**GROUP, "type": Row(SEQUENTIAL)},
    Parallel: {**GROUP, "type": Row(PARALLEL), "concurrent": WHOLE_NUMBER, "failFast": FLAG},
    AllowFailure: {**GROUP, "type": Row(f"{CORE}.AllowFailure")},
    If: {
        **GROUP_WITHOUT_TASKS,
        "type": Row(f"{CORE}.If"),
        "condition": TEXT,
        "then": Row(ONE, [], "expected at least 1 entry"),
        "else": OTHERS,
    },
    Switch: {
        **GROUP_WITHOUT_TASKS,
        "type": Row(f"{CORE}.Switch"),
        "value": TEXT,
        "cases": Row({"a": OTHERS.good}, {"a": "b"}, "expected a list, found 'b'"),
        "defaults": OTHERS,
    },
    Dag: {
        **GROUP_WITHOUT_TASKS,
        "type": Row(f"{CORE}.Dag"),
        "concurrent": WHOLE_NUMBER,
        "tasks": Row([{"task": ONE[0]}], [], "expected at least 1 entry"),
    },
    DagTask: {
        "task": Row(ONE[0], {"id": "a"}, "a task has either `commands` (a list) or `script` (text)"),
        "dependsOn": Row(["zero"], ["nobody"], "there is no task 'nobody'"),
    },
    ForEach: {
        **GROUP,
        "type": Row(FOR_EACH),
        "values": VALUES,
        "concurrencyLimit": WHOLE_NUMBER,
        "tasks": Row(ONE, [{**ONE[0], "foreach": 2}], "in a loop cannot have a `foreach` of its own"),
    },
    Loop: {
        **GROUP,
        **dict.fromkeys(("errors", "finally"), UNSUPPORTED),
        "type": Row(LOOP),
        "values": Row({"a": 1}, True, "expected a list, a map, or an expression"),
        "concurrencyLimit": WHOLE_NUMBER,
        "transmitFailed": Row(True, False, "a failure in an iteration is one of the loop"),
        "outputs": Row([{"id": "a", "value": "x"}], [{"id": "a"}], "value: this property is missing"),
        "fetchType": Row("FETCH", "STORE", "expected 'AUTO' or 'FETCH'"),
        "tasks": Row(ONE, [{**ONE[0], "foreach": 2}], "in a loop cannot have a `foreach` of its own"),
    },
    OutputOfLoop: {
        "id": TEXT,
        "type": TEXT,
        "value": TEXT,
        "description": TEXT,
        "displayName": TEXT,
        "required": FLAG,
    },
    EachSequential: {**GROUP, "type": Row(f"{CORE}.EachSequential"), "value": VALUES},
    EachParallel: {**GROUP, "type": Row(f"{CORE}.EachParallel"), "value": VALUES, "concurrent": WHOLE_NUMBER},
}


def in_task(name: str, needed: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A flow whose task has the properties in its property of that name."""
    task = {"id": "one", "commands": ["x"]}
    return lambda properties: {"tasks": [{"id": "zero", "commands": ["x"]}, {**task, name: {**needed, **properties}}]}


def in_runner(*path: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A task form whose task runner has the properties at the end of a path."""

    def flow(properties: Mapping[str, Any]) -> dict[str, Any]:
        for name in reversed(path):
            properties = {name: properties}
        return {"commands": ["x"], "taskRunner": properties}

    return flow


def group(kind: str, needed: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A flow of one group."""
    return lambda properties: {"tasks": [{"id": "g", "type": kind, **needed, **properties}]}


def dag_task(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A flow of one Dag of two tasks."""
    tasks = [{"task": {"id": "zero", "commands": ["x"]}}, {"task": ONE[0], **properties}]
    return {"tasks": [{"id": "g", "type": f"{CORE}.Dag", "tasks": tasks}]}


def app_task(kind: str, needed: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A flow of one task that needs no node."""
    return lambda properties: {"tasks": [{"id": "g", "type": kind, **needed, **properties}]}


def output_of_loop(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A Loop with one output."""
    return group(LOOP, {"tasks": ONE, "values": [1]})({"outputs": [{"id": "a", "value": "x", **properties}]})


def task_form(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties of a task at top level, beside the commands, or the type, that it needs."""
    of_python = {"type": "io.kestra.plugin.scripts.python.Commands"} if "dependencies" in properties else {}
    return {**({} if "script" in properties else {"commands": ["x"]}), **of_python, **properties}


def foreach_files(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A fan-out over the files of a task."""
    return in_task("foreach", {})({"files": {"task": "zero", "glob": "*", **properties}})


_RANDOM = {"type": "random", "minInterval": "PT1S", "maxInterval": "PT1H"}
_EXPONENTIAL = {"type": "exponential", "interval": "PT1S", "maxInterval": "PT1H"}
_BESIDE = {"type": _RANDOM, "minInterval": _RANDOM, "maxInterval": _RANDOM, "delayFactor": _EXPONENTIAL}


def retry(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A task that is tried again, with what a retry must have beside the one property."""
    (name,) = properties
    return in_task("retry", {"maxAttempts": 2, **_BESIDE.get(name, {})})(properties)


_OF_NUMBERS = {"type": "INT", "defaults": 1}
_OF_DATES = {"type": "DATE", "defaults": "2026-01-31"}
_OF_CHOICES = {"type": "SELECT"}
_OF_INPUTS: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("min", "max"), _OF_NUMBERS),
    **dict.fromkeys(("after", "before"), _OF_DATES),
    **dict.fromkeys(("values", "options", "allowCustomValue", "autoSelectFirst", "isRadio"), _OF_CHOICES),
    "itemType": {"type": "ARRAY", "defaults": [1]},
    "allowedFileExtensions": {"type": "FILE", "defaults": "nsfile:///a.csv"},
}


def flow_with_input(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A flow with an input of a type that has the property."""
    (name,) = properties
    return {"tasks": ONE, "inputs": [{"id": "i", "defaults": "a", **_OF_INPUTS.get(name, {}), **properties}]}


FLOWS: Mapping[type[Properties], Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    Flow: lambda properties: {"id": "f", "tasks": ONE, **properties},
    Label: lambda properties: {"tasks": ONE, "labels": [{"key": "a", "value": "b", **properties}]},
    Input: flow_with_input,
    PluginDefault: lambda properties: {
        "tasks": ONE,
        "pluginDefaults": [{"type": "io.kestra.plugin.scripts", "values": {}, **properties}],
    },
    Task: task_form,
    ForeachFile: in_task("foreach", {}),
    FilesOfTask: foreach_files,
    NamespaceFiles: in_task("namespaceFiles", {}),
    Docker: in_task("docker", {}),
    Retry: retry,
    TaskRunner: in_runner(),
    OtherTaskRunner: lambda properties: in_runner()({"type": DOCKER, **properties}),
    Log: app_task(LOG, {"message": "x"}),
    Return: app_task(RETURN, {}),
    OutputValues: app_task(OUTPUT_VALUES, {"values": {}}),
    Fail: app_task(FAIL, {}),
    Assert: app_task(ASSERT, {"conditions": ["x"]}),
    BlobStorage: in_runner("blobStorage"),
    Registry: in_runner("registry"),
    IdentityReference: in_runner("registry", "identityReference"),
    Sequential: group(SEQUENTIAL, {"tasks": ONE}),
    Parallel: group(PARALLEL, {"tasks": ONE}),
    AllowFailure: group(f"{CORE}.AllowFailure", {"tasks": ONE}),
    If: group(f"{CORE}.If", {"condition": "true", "then": ONE}),
    Switch: group(f"{CORE}.Switch", {"value": "a", "cases": {"b": ONE}}),
    Dag: group(f"{CORE}.Dag", {"tasks": [{"task": ONE[0]}]}),
    DagTask: dag_task,
    ForEach: group(FOR_EACH, {"tasks": ONE, "values": [1]}),
    Loop: group(LOOP, {"tasks": ONE, "values": [1]}),
    OutputOfLoop: output_of_loop,
    EachSequential: group(f"{CORE}.EachSequential", {"tasks": ONE, "value": [1]}),
    EachParallel: group(f"{CORE}.EachParallel", {"tasks": ONE, "value": [1]}),
}
ROWS = [(model, name, row) for model, rows in TABLE.items() for name, row in rows.items()]
GOOD = [
    pytest.param(model, name, row.good, id=f"{model.__name__}.{name}")
    for model, name, row in ROWS
    if row.good is not None
]
BAD = [
    pytest.param(model, name, row, id=f"{model.__name__}.{name}") for model, name, row in ROWS if row.bad is not None
]


def read(model: type[Properties], name: str, value: object) -> Manifest:
    return read_manifest(json.dumps(FLOWS[model]({name: value})), "x.json")


@pytest.mark.parametrize("model", TABLE, ids=lambda model: model.__name__)
def test_the_table_has_every_property(model: type[Properties]) -> None:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    assert set(TABLE[model]) == set(fields) or model is OtherTaskRunner  # which has those of TaskRunner
    refused = {name for name, field in fields.items() if any(isinstance(note, Unsupported) for note in field.metadata)}
    assert {name for name, row in TABLE[model].items() if row is UNSUPPORTED} == refused or model is OtherTaskRunner


@pytest.mark.parametrize(("model", "name", "value"), GOOD)
def test_a_good_value_is_read(model: type[Properties], name: str, value: object) -> None:
    read(model, name, value)


@pytest.mark.parametrize(("model", "name", "row"), BAD)
def test_a_bad_value_is_one_problem_that_names_the_property_and_its_place(
    model: type[Properties], name: str, row: Row
) -> None:
    with pytest.raises(ManifestError) as caught:
        read(model, name, row.bad)
    [problem] = caught.value.problems
    assert row.message in str(problem)
    assert problem.line == 1
    assert "hunter2" not in str(problem)
