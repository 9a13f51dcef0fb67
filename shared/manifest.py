"""The manifest: bytes → `Manifest`, or ManifestError with everything that is wrong and where.

A manifest is a Kestra flow, or one task at top level (the task form). The models below are the language: what is not
in them is an error. Texts may hold expressions; they are rendered when a round is planned (`plan.py`), never here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from shared import yaml_source
from shared.errors import ManifestError, Problem
from shared.manifest_errors import problems_of

MAX_BYTES = 1024 * 1024
LONGEST_FLOW = timedelta(days=6)
RUNNER_TYPE = "io.kestra.plugin.ee.azure.runner.Batch"
TASK_TYPE = re.compile(r"io\.kestra\.plugin\.scripts\.(?P<language>\w+)\.(?P<form>Commands|Script)")


@dataclass(frozen=True)
class Language:
    """What a task type of Kestra brings along where the manifest does not say."""

    image: str
    env: tuple[tuple[str, str], ...] = ()
    script_runner: str | None = None
    script_suffix: str = ""


LANGUAGES = {
    "shell": Language("ubuntu"),
    "python": Language(
        "ghcr.io/kestra-io/kestrapy:latest",
        env=(("PYTHONUNBUFFERED", "true"), ("PIP_ROOT_USER_ACTION", "ignore"), ("PIP_DISABLE_PIP_VERSION_CHECK", "1")),
        script_runner="python",
        script_suffix=".py",
    ),
}


def _as_text(value: object) -> object:
    """Numbers and booleans where text is wanted are taken as they were written, as Kestra does."""
    if isinstance(value, bool):
        return str(value).lower()
    return getattr(value, "text", value)


def _duration(value: object) -> object:
    if isinstance(value, str) and value.startswith("P"):
        try:
            duration = TypeAdapter(timedelta).validate_python(value)
        except ValidationError:
            duration = timedelta(0)
        if duration > timedelta(0):
            return duration
    raise ValueError("expected a duration of ISO 8601, such as PT30M (30 minutes) or PT2H (two hours)")


def _task_type(value: str) -> str:
    match = TASK_TYPE.fullmatch(value)
    if not match or match["language"] not in LANGUAGES:
        known = ", ".join(f"io.kestra.plugin.scripts.{name}.Commands and .Script" for name in LANGUAGES)
        raise ValueError(f"unknown task type {value!r}; there is {known}")
    return value


def _runner_type(value: str) -> str:
    if value != RUNNER_TYPE:
        raise ValueError(f"unknown task runner {value!r}; there is {RUNNER_TYPE}")
    return value


def _only_by_secret(value: str) -> str:
    if not re.fullmatch(r"\s*\{\{.*\bsecret\s*\(.*\}\}\s*", value, re.DOTALL):
        raise ValueError("a credential must not stand in the manifest; write {{ secret('NAME') }}, or leave it out")
    return value


Text = Annotated[str, BeforeValidator(_as_text)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Credential = Annotated[Text, AfterValidator(_only_by_secret)]


class _Properties(BaseModel):
    """The properties of one thing in a manifest; unknown ones are errors."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="forbid")


class BlobStorage(_Properties):
    """Where files pass between the app and the nodes."""

    container_name: Text | None = None
    connection_string: Credential | None = None
    endpoint: Text | None = None
    shared_key_account_name: Text | None = None
    shared_key_account_access_key: Credential | None = None


class IdentityReference(_Properties):
    """A user-assigned identity of the pool."""

    resource_id: Text


class Registry(_Properties):
    """The private registry that the image comes from."""

    registry_server: Text | None = None
    user_name: Text | None = None
    password: Credential | None = None
    identity_reference: IdentityReference | None = None


class TaskRunner(_Properties):
    """Kestra's Azure Batch task runner. Everything is optional: the app's settings are the defaults."""

    type: Annotated[str, AfterValidator(_runner_type)] = RUNNER_TYPE
    account: Text | None = None
    access_key: Credential | None = None
    endpoint: Text | None = None
    pool_id: Text | None = None
    blob_storage: BlobStorage = BlobStorage()
    registry: Registry | None = None
    wait_until_completion: Duration = timedelta(hours=1)
    completion_check_interval: Duration | None = None
    stream_logs: bool = False
    delete: bool = True
    resume: bool = True


class NamespaceFiles(_Properties):
    """Files of the flow's namespace, put into the working directory."""

    enabled: bool = True


class Task(_Properties):
    """One container: its image, its commands, the files it gets and the files it makes."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", max_length=100)]
    type: Annotated[str, AfterValidator(_task_type)] = "io.kestra.plugin.scripts.shell.Commands"
    description: str | None = None
    container_image: Text | None = None
    commands: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    script: Text | None = None
    before_commands: tuple[Text, ...] = ()
    interpreter: Annotated[tuple[Text, ...], Field(min_length=1)] = ("/bin/sh", "-c")
    env: dict[str, Text] = Field(default_factory=dict)
    input_files: dict[str, Text] = Field(default_factory=dict)
    namespace_files: NamespaceFiles = NamespaceFiles(enabled=False)
    output_files: tuple[Text, ...] = ()
    fail_fast: bool = True
    timeout: Duration | None = None
    task_runner: TaskRunner = TaskRunner()

    @model_validator(mode="after")
    def _commands_or_script(self) -> Self:
        if (self.commands is None) == (self.script is None):
            raise ValueError("a task has either `commands` (a list) or `script` (text)")
        return self

    @property
    def language(self) -> Language:
        """What the task's type brings along."""
        match = TASK_TYPE.fullmatch(self.type)
        assert match is not None  # noqa: S101 - the type was validated
        return LANGUAGES[match["language"]]

    @property
    def time_limit(self) -> timedelta:
        """How long the commands may run, from the task's start."""
        return self.timeout or self.task_runner.wait_until_completion


class Input(_Properties):
    """An input of the flow: here its default is its value."""

    id: str
    type: str = "STRING"
    description: str | None = None
    required: bool = True
    defaults: Any = None


class Flow(_Properties):
    """A Kestra flow."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", max_length=100)] | None = None
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=150)] | None = None
    description: str | None = None
    labels: dict[str, Text] = Field(default_factory=dict)
    variables: dict[str, Any] = Field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    timeout: Annotated[Duration, Field(le=LONGEST_FLOW)] = LONGEST_FLOW
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0

    @model_validator(mode="after")
    def _task_ids_differ(self) -> Self:
        ids = [task.id for task in self.tasks]
        repeated = sorted({task_id for task_id in ids if ids.count(task_id) > 1})
        if repeated:
            raise ValueError(f"task ids must differ; there is more than one {repeated[0]!r}")
        return self


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read: the flow, and the text it came from, so that later problems can name their place."""

    flow: Flow
    source: yaml_source.Source
    is_task_form: bool

    def problem(self, path: tuple[str | int, ...], message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property at `path` (counted from the flow: `("tasks", 0, "commands", 1)`)."""
        if self.is_task_form and path[:1] == ("tasks",):
            path = path[2:]
        return self.source.problem(path, message, at_key=at_key)


def read_manifest(text: str, name: str) -> Manifest:
    """Read a manifest; `name` is the blob's name, which tells JSON from YAML.

    Raises ManifestError with all problems that can be found without rendering expressions.
    """
    source = yaml_source.parse(text, as_json=name.endswith(".json"))
    if not isinstance(source.data, dict):
        raise ManifestError([source.problem((), "a manifest is a map of properties, such as `tasks:` or `commands:`")])
    is_task_form = _is_task_form(source.data)
    data = _as_flow(source.data) if is_task_form else source.data
    try:
        flow = Flow.model_validate(data)
    except ValidationError as error:
        raise ManifestError(problems_of(error, source, Flow, is_task_form=is_task_form)) from error
    return Manifest(flow, source, is_task_form)


def _is_task_form(data: dict[str, Any]) -> bool:
    return "tasks" not in data and ("commands" in data or "script" in data)


def _as_flow(data: dict[str, Any]) -> dict[str, Any]:
    """The flow that the task form stands for; `id` names both, `description` and `timeout` are the task's."""
    task_names = {field.alias for field in Task.model_fields.values()}
    flow_names = {field.alias for field in Flow.model_fields.values()} - (task_names - {"id"})
    flow = {name: value for name, value in data.items() if name in flow_names}
    task = {name: value for name, value in data.items() if name not in flow_names or name == "id"}
    return {**flow, "tasks": [{"id": "task", **task}]}


_CREDENTIAL_LINE = re.compile(
    r"""(?P<name>["']?\b(?:accessKey|connectionString|password|sharedKeyAccountAccessKey)["']?\s*:\s*)(?P<value>[^\s].*)"""
)


def redacted(text: str) -> str:
    """The manifest without literal credentials, line by line: what follows their names, unless it is a secret()."""

    def redact(match: re.Match[str]) -> str:
        value = match["value"].strip()
        is_expression = re.fullmatch(r"""["']?\s*\{\{[^{}]*\bsecret\s*\([^{}]*\}\}\s*["']?\s*(#.*)?,?""", value)
        return match.group() if is_expression else f'{match["name"]}"******"'

    return _CREDENTIAL_LINE.sub(redact, text)
