"""Properties that Kestra knows and this app does not act on: warnings, or errors that say what to do instead."""

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest


def warnings(text: str) -> list[str]:
    return [str(warning) for warning in read_manifest(text, "x.yaml").warnings]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("revision: 3\ntasks: [{id: a, commands: [x]}]", "revision: without effect"),
        ("triggers: [{id: t}]\ntasks: [{id: a, commands: [x]}]", "triggers: without effect: a run starts only when"),
        ("commands: [x]\nlogLevel: DEBUG", "logLevel: without effect: everything that a task prints is kept"),
        ("commands: [x]\nwarningOnStdErr: true", "warningOnStdErr: without effect"),
        ("commands: [x]\nworkerGroup: {key: gpu}", "workerGroup: without effect: tasks run on the pool"),
        ("commands: [x]\ntaskCache: {enabled: true}", "taskCache: without effect: a task always runs"),
        ("commands: [x]\ntaskRunner: {completionCheckInterval: PT5S}", "taskRunner.completionCheckInterval: without"),
        ("commands: [x]\ntaskRunner: {streamLogs: true}", "taskRunner.streamLogs: without effect"),
        ("commands: [x]\ntaskRunner: {resume: false}", "taskRunner.resume: without effect"),
        ("inputs: [{id: i, defaults: x, prefill: y}]\ncommands: [x]", "inputs[0].prefill: without effect"),
        ("inputs: [{id: i, defaults: x, expression: y}]\ncommands: [x]", "inputs[0].expression: without effect"),
    ],
)
def test_what_changes_nothing_is_noted_with_its_place(text: str, warning: str) -> None:
    [found] = warnings(text)
    assert found.startswith(warning)
    assert "at line" in found


@pytest.mark.parametrize(
    "text",
    [
        "commands: [x]\nwarningOnStdErr: false\nallowWarning: false\ntargetOS: LINUX",
        "commands: [x]\ntaskRunner: {streamLogs: false, resume: true}",
        "disabled: false\ntriggers:\ntasks: [{id: a, commands: [x]}]",
    ],
)
def test_what_happens_anyway_is_not_noted(text: str) -> None:
    assert warnings(text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("listeners: [{id: e}]", "listeners: not supported here: write their tasks into `afterExecution`"),
        ("concurrency: {limit: 1}", "concurrency: a flow whose runs are counted needs an `id`"),
        ("concurrency: {limit: 0}", "concurrency.limit: input should be greater than or equal to 1"),
        ("concurrency: {behavior: QUEUE}", "concurrency.limit: this property is missing"),
        ("concurrency: {limit: 1, behavior: STOP}", "concurrency.behavior: expected 'QUEUE', 'CANCEL' or"),
        ("concurrency: {limit: 1, behaviour: X}", 'concurrency.behaviour: unknown property; did you mean "behavior"?'),
        ("outputs: [{id: o, type: INT}]", "outputs[0].value: this property is missing"),
        ("outputs: [{id: o, value: x}]", "outputs[0].type: this property is missing"),
        ("outputs: [{id: o, type: SECRET, value: x}]", "outputs[0].type: outputs of type SECRET are not supported"),
        ("outputs: [{id: -o, type: INT, value: 1}]", "outputs[0].id: '-o' does not match"),
        (
            "outputs: [{id: o, type: INT, value: 1}, {id: o, type: INT, value: 1}]",
            "outputs: the ids of outputs must differ; there is more than one 'o'",
        ),
        ("sla: [{id: s}]", "sla: not supported here: use the flow's `timeout`"),
        ("checks: [{id: s}]", "checks: not supported here: let the first task fail instead"),
        ("policyRefs: [a]", "policyRefs: not supported here: write what the policies add into the flow"),
        ("retry: {maxAttempts: 2}", "retry: not supported here: give the tasks a `retry`"),
        ("taskDefaults: []", "taskDefaults: not supported here: this is the old name of `pluginDefaults`"),
        ("disabled: true", "disabled: expected False, found True"),
    ],
)
def test_what_would_change_the_result_of_a_flow_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(f"tasks: [{{id: a, commands: [x]}}]\n{text}", "x.yaml")
    [found] = map(str, caught.value.problems)
    assert found.startswith(problem)
    assert "at line 2" in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("docker: {image: a}", "docker: not supported here: name the image in `containerImage`"),
        ("runner: DOCKER", "runner: not supported here: tasks run on Azure Batch"),
        ("dependencies: [pandas]", "dependencies: not supported here: install them in `beforeCommands`"),
        ("taskRunner: {pluginDefaultsRef: a}", "taskRunner.pluginDefaultsRef: not supported here"),
    ],
)
def test_what_would_change_the_result_of_a_task_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(f"commands: [x]\n{text}", "x.yaml")
    assert str(caught.value).startswith(problem)
