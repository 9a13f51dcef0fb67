"""Properties that Kestra knows and this app does not act on: warnings, or errors that say what to do instead."""

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest


def warnings(text: str) -> list[str]:
    return [str(warning) for warning in read_manifest(text, "x.yaml").warnings]


PYTHON = "type: io.kestra.plugin.scripts.python.Commands\ncommands: [x]\n"


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("revision: 3\ntasks: [{id: a, commands: [x]}]", "revision: without effect"),
        ("triggers: [{id: t}]\ntasks: [{id: a, commands: [x]}]", "triggers: without effect: only a stored flow has"),
        ("commands: [x]\nlogLevel: DEBUG", "logLevel: without effect: everything that a task prints is kept"),
        ("commands: [x]\nwarningOnStdErr: true", "warningOnStdErr: without effect"),
        ("commands: [x]\nworkerGroup: {key: gpu}", "workerGroup: without effect: tasks run on the pool"),
        ("commands: [x]\ntaskCache: {enabled: true}", "taskCache: without effect: a task always runs"),
        ("commands: [x]\ntaskRunner: {completionCheckInterval: PT5S}", "taskRunner.completionCheckInterval: without"),
        ("commands: [x]\ntaskRunner: {streamLogs: true}", "taskRunner.streamLogs: without effect"),
        ("commands: [x]\ntaskRunner: {resume: false}", "taskRunner.resume: without effect"),
        ("inputs: [{id: i, defaults: x, prefill: y}]\ncommands: [x]", "inputs[0].prefill: without effect"),
        ("inputs: [{id: i, defaults: x, expression: y}]\ncommands: [x]", "inputs[0].expression: without effect"),
        ("commands: [x]\nrunner: DOCKER", "runner: without effect: every task runs in a container of its image"),
        ("commands: [x]\nrunner: PROCESS", "runner: without effect: every task runs in a container of its image"),
        ("commands: [x]\ndocker: {pullPolicy: NEVER}", "docker.pullPolicy: without effect: a node pulls the images"),
        ("commands: [x]\ndocker: {entryPoint: ['']}", "docker.entryPoint: without effect"),
        ("commands: [x]\ndocker: {volumes: ['/a:/b']}", "docker.volumes: without effect: nothing is mounted"),
        (
            "commands: [x]\ndocker: {cpu: {cpus: 2}}",
            "docker.cpu: without effect: write `containerRunOptions: --cpus",
        ),
        ("commands: [x]\ndocker: {config: a}", "docker.config: without effect: the login to a registry is that of"),
        (
            "commands: [x]\ntaskRunner: {}\ndocker: {image: a}",
            "docker.image: without effect beside `taskRunner`, as in Kestra: write `containerImage`",
        ),
        (f"{PYTHON}pythonVersion: '3.12'", "pythonVersion: without effect: the packages are those for the Python of"),
        (f"{PYTHON}dependencyCacheEnabled: true", "dependencyCacheEnabled: without effect: each task installs its"),
        (f"{PYTHON}uvAutoInstallEnabled: false", "uvAutoInstallEnabled: without effect: uv is used where the image"),
        (f"{PYTHON}uvInstallerVersion: 0.11.26", "uvInstallerVersion: without effect: uv is used where the image"),
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
        "commands: [x]\ndocker: {image: a}",
        f"{PYTHON}dependencies: [a]\npackageManager: PIP\ndependencyCacheEnabled: false\nuvAutoInstallEnabled: true",
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
        (
            "dependencies: [pandas]",
            "dependencies: only tasks of `io.kestra.plugin.scripts.node` and `io.kestra.plugin.scripts.python` have",
        ),
        (
            "type: io.kestra.plugin.scripts.ruby.Commands\ndependencies: [pg]",
            "dependencies: only tasks of `io.kestra.plugin.scripts.node` and `io.kestra.plugin.scripts.python` have",
        ),
        ("docker: {imag: a}", 'docker.imag: unknown property; did you mean "image"?'),
        ("runner: KUBERNETES", "runner: expected 'DOCKER' or 'PROCESS', found 'KUBERNETES'"),
        ("taskRunner: {pluginDefaultsRef: a}", "taskRunner.pluginDefaultsRef: not supported here"),
    ],
)
def test_what_would_change_the_result_of_a_task_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(f"commands: [x]\n{text}", "x.yaml")
    assert str(caught.value).startswith(problem)


LOGINS = """docker: {image: a, config: '{"auths": {"r": {"auth": "hunter2"}}}', credentials: {password: hunter2}}"""


def test_credentials_of_docker_are_not_repeated() -> None:
    assert "hunter2" not in str(warnings(f"commands: [x]\n{LOGINS}"))
    with pytest.raises(ManifestError) as caught:
        read_manifest(f"commands: [x]\ncommandz: [x]\n{LOGINS}", "x.yaml")
    assert "hunter2" not in str(caught.value)
