"""What the properties of a manifest hold: texts, durations, credentials; and what all of its models have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue


class Properties(BaseModel):
    """The properties of one thing in a manifest; unknown ones are errors."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:  # noqa: ANN401 - whatever stands in the manifest
        """A property without a value is as good as not there, as in Kestra."""
        if not isinstance(data, dict):
            return data
        known = {field.alias for field in cls.model_fields.values()}
        return {name: value for name, value in data.items() if value is not None or name not in known}


def _as_text(value: object) -> object:
    """Numbers and booleans where text is wanted are taken as they were written, as Kestra does."""
    if isinstance(value, bool):
        return str(value).lower()
    return getattr(value, "text", value)


def as_duration(value: object) -> timedelta:
    """A duration of ISO 8601 that is longer than nothing. Raises ValueError."""
    if isinstance(value, str) and value.startswith("P"):
        try:
            duration = TypeAdapter(timedelta).validate_python(value)
        except ValidationError:
            duration = timedelta(0)
        if duration > timedelta(0):
            return duration
    raise ValueError("expected a duration of ISO 8601, such as PT30M (30 minutes) or PT2H (two hours)")


def is_secret(text: str) -> bool:
    """Whether a text is one expression that reads a secret, and nothing else. Takes time in proportion to the text."""
    inside = text.strip().removeprefix("{{").removesuffix("}}")
    is_one_expression = len(text.strip()) == len(inside) + len("{{}}") and "{{" not in inside and "}}" not in inside
    return is_one_expression and re.search(r"\bsecret\s*\(", inside) is not None


def _only_by_secret(value: str) -> str:
    if not is_secret(value):
        raise ValueError("a credential must not stand in the manifest; write {{ secret('NAME') }}, or leave it out")
    return value


Text = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Duration = Annotated[timedelta, BeforeValidator(as_duration)]
Credential = Annotated[
    Text,
    AfterValidator(_only_by_secret),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\{\{[\s\S]*secret\s*\([\s\S]*\}\}\s*$"}),
]


@dataclass(frozen=True)
class NoEffect:
    """Marks a property that is accepted; a value other than its default is a warning that gives the reason."""

    reason: str

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """As without the mark, described by the reason."""
        return {**handler(schema), "description": f"Without effect: {self.reason}."}


@dataclass(frozen=True)
class Unsupported:
    """Marks a property that is an error, for the reason given."""

    reason: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Reject every value."""
        return core_schema.no_info_plain_validator_function(self._reject)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """No value is valid."""
        return {"not": {}, "description": f"Not supported: {self.reason}."}

    def _reject(self, _: object) -> NoReturn:
        raise PydanticCustomError("unsupported", "{reason}", {"reason": f"not supported here: {self.reason}"})


AFTERWARDS = "a task with `dependsOn` on tasks that have `allowFailure` runs after them, whatever comes of them"


class KestraFlow(Properties):
    """Kestra's properties of a flow."""

    revision: Annotated[int | None, NoEffect("versions are those of the blob")] = None
    updated: Annotated[Any, NoEffect("versions are those of the blob")] = None
    tenant_id: Annotated[str | None, NoEffect("there are no tenants")] = None
    deleted: Annotated[bool, NoEffect("what lies in the inbox is run")] = False
    triggers: Annotated[Any, NoEffect("a run starts when the manifest is dropped, and by nothing else")] = None
    outputs: Annotated[Any, NoEffect("the record holds the outputs of every task")] = None
    worker_group: Annotated[Any, NoEffect("tasks run on the pool that `taskRunner.poolId` names")] = None
    worker_selector: Annotated[Any, NoEffect("tasks run on the pool that `taskRunner.poolId` names")] = None
    disabled: Literal[False] = False
    """A flow that is dropped is run: `true` is an error."""
    errors: Annotated[None, Unsupported(AFTERWARDS)] = None
    finally_: Annotated[None, Unsupported(AFTERWARDS)] = Field(None, alias="finally")
    after_execution: Annotated[None, Unsupported(AFTERWARDS)] = None
    listeners: Annotated[None, Unsupported(AFTERWARDS)] = None
    concurrency: Annotated[
        None, Unsupported("runs do not wait for each other; how many tasks run at once is a matter of the pool's slots")
    ] = None
    sla: Annotated[None, Unsupported("use the flow's `timeout`")] = None
    checks: Annotated[None, Unsupported("let the first task fail instead")] = None
    retry: Annotated[None, Unsupported("give the tasks a `retry`; to run a flow again, drop it again")] = None
    task_defaults: Annotated[None, Unsupported("this is the old name of `pluginDefaults`")] = None


class KestraTask(Properties):
    """Kestra's properties of every task, groups included."""

    description: str | None = None
    """For readers."""
    version: Annotated[str | None, NoEffect("there is one version of every task type")] = None
    log_level: Annotated[str | None, NoEffect("everything that a task prints is kept")] = None
    log_to_file: Annotated[bool, NoEffect("everything that a task prints is kept, as a file")] = False
    allow_warning: Annotated[bool, NoEffect("a warning stays one, and the tasks after it run")] = False
    worker_group: Annotated[Any, NoEffect("tasks run on the pool that `taskRunner.poolId` names")] = None
    worker_selector: Annotated[Any, NoEffect("tasks run on the pool that `taskRunner.poolId` names")] = None
    assets: Annotated[Any, NoEffect("there is no catalogue of assets")] = None
    task_cache: Annotated[Any, NoEffect("a task always runs")] = None
    run_if: Annotated[
        None, Unsupported("use `disabled`, or test for it in the commands: `[ … ] || exit 0` as their first line")
    ] = None
    plugin_defaults_ref: Annotated[None, Unsupported("`pluginDefaults` apply by type")] = None


class KestraScript(KestraTask):
    """Kestra's properties of script tasks."""

    warning_on_std_err: Annotated[bool, NoEffect("what is printed on stderr does not change a task's state")] = False
    target_os: Annotated[Literal["AUTO", "LINUX"], Field(alias="targetOS")] = "AUTO"
    """The system of the containers, which is always Linux."""
    python_version: Annotated[Text | None, NoEffect("the image decides the version of Python")] = None
    package_manager: Annotated[str | None, NoEffect("only `dependencies` would use it")] = None
    dependency_cache_enabled: Annotated[bool | None, NoEffect("only `dependencies` would use it")] = None
    dependencies: Annotated[None, Unsupported("install them in `beforeCommands`: `pip install …`")] = None
    docker: Annotated[None, Unsupported("name the image in `containerImage`")] = None
    runner: Annotated[None, Unsupported("tasks run on Azure Batch; leave it out, or use `taskRunner`")] = None


class KestraRunner(Properties):
    """Kestra's properties of its Azure Batch task runner."""

    version: Annotated[str | None, NoEffect("there is one version of the task runner")] = None
    completion_check_interval: Annotated[
        Duration | None, NoEffect("when a run is looked at is the app's setting POLL_SCHEDULE")
    ] = None
    stream_logs: Annotated[bool, NoEffect("logs are kept when the task has ended")] = False
    resume: Annotated[bool, NoEffect("a run is always resumed, never started twice")] = True
    plugin_defaults_ref: Annotated[None, Unsupported("`pluginDefaults` apply by type")] = None


class KestraRetry(Properties):
    """Kestra's properties of a retry that say when to try again: Azure Batch tries again at once."""

    type: Literal["constant", "exponential", "random"] = "constant"
    """How the interval grows; without effect, as there is none."""
    interval: Annotated[Duration | None, NoEffect("Azure Batch runs a task that failed again at once")] = None
    min_interval: Annotated[Duration | None, NoEffect("Azure Batch runs a task that failed again at once")] = None
    max_interval: Annotated[Duration | None, NoEffect("Azure Batch runs a task that failed again at once")] = None
    delay_factor: Annotated[float | None, NoEffect("Azure Batch runs a task that failed again at once")] = None
    max_duration: Annotated[Duration | None, NoEffect("only `maxAttempts` limits how often a task is run")] = None
    warning_on_retry: Annotated[bool, NoEffect("the record tells how often a task was run again")] = False
    behavior: Literal["RETRY_FAILED_TASK"] = "RETRY_FAILED_TASK"
    """What is run again: the task."""
