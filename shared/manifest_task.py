"""A task of a manifest: one container, or with `foreach` one for each item."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from shared.container_run_options import check_container_run_options
from shared.manifest_task_runner import TaskRunner
from shared.manifest_values import Duration, Properties, Text
from shared.task_types import LANGUAGES, TASK_TYPE, Language

if TYPE_CHECKING:
    from datetime import timedelta

MAX_ITEMS = 10_000


class IfExists(StrEnum):
    """What happens when a namespace file has the name of one that is there already."""

    OVERWRITE = "OVERWRITE"
    FAIL = "FAIL"
    WARN = "WARN"
    IGNORE = "IGNORE"


class NamespaceFiles(Properties):
    """Files of namespaces, put into the working directory before `inputFiles`."""

    enabled: bool = True
    """Whether they are put there at all."""
    namespaces: Annotated[tuple[Text, ...], Field(min_length=1)] = ("{{ flow.namespace }}",)
    """Whose files; of two with the same name, `ifExists` decides about the one of the later namespace."""
    include: tuple[Text, ...] = ()
    """Globs of what is taken; without any, everything. A bare name matches at any depth."""
    exclude: tuple[Text, ...] = ()
    """Globs of what is left out of it."""
    if_exists: IfExists = IfExists.OVERWRITE
    """What happens when a file of this name is there already."""
    folder_per_namespace: bool = False
    """Put each namespace's files into a folder of its name."""


class RunAs(StrEnum):
    """The user in the container."""

    ROOT = "root"
    USER = "user"


class Retry(Properties):
    """What happens when the commands fail: Batch runs them again, at once."""

    max_attempts: Annotated[int, Field(ge=1, le=100)]
    """How often the task is started at most, the first time included."""
    type: Literal["constant", "exponential", "random"] = "constant"
    interval: Duration | None = None
    min_interval: Duration | None = None
    max_interval: Duration | None = None
    max_duration: Duration | None = None
    delay_factor: float | None = None
    warning_on_retry: bool = False
    behavior: Literal["RETRY_FAILED_TASK"] = "RETRY_FAILED_TASK"

    @property
    def retries(self) -> int:
        """How often the task is started again at most."""
        return self.max_attempts - 1


class FilesOfTask(Properties):
    """Files that an earlier task made."""

    task: str
    """The id of the task."""
    glob: Text
    """Which of its files, by name relative to its working directory."""


class ForeachFile(Properties):
    """The items of a fan-out are the names of files."""

    namespace_files: Text | None = None
    """A glob over the files of the flow's namespace."""
    files: FilesOfTask | None = None
    """A glob over the files of an earlier task."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.namespace_files is None) == (self.files is None):
            raise ValueError("expected either `namespaceFiles: <glob>` or `files: {task: <id>, glob: <glob>}`")
        return self


def _foreach_kind(value: object) -> str | None:
    match value:
        case ForeachFile() | dict():
            return "<ForeachFile>"
        case list() | tuple():
            return "<list>"
        case str():
            return "<text>"
        case int() if not isinstance(value, bool):
            return "<count>"
    return None


Foreach = Annotated[
    Annotated[tuple[Any, ...], Field(max_length=MAX_ITEMS), Tag("<list>")]
    | Annotated[int, Field(ge=0, le=MAX_ITEMS), Tag("<count>")]
    | Annotated[str, Tag("<text>")]
    | Annotated[ForeachFile, Tag("<ForeachFile>")],
    Discriminator(
        _foreach_kind,
        custom_error_type="foreach",
        custom_error_message="expected a list, a whole number, an expression, or a map with namespaceFiles or files",
    ),
]


def _task_type(value: str) -> str:
    match = TASK_TYPE.fullmatch(value)
    if not match or match["language"] not in LANGUAGES:
        known = ", ".join(f"io.kestra.plugin.scripts.{name}.Commands and .Script" for name in LANGUAGES)
        raise ValueError(f"unknown task type {value!r}; there is {known}")
    return value


class Task(Properties):
    """One container: its image, its commands, the files it gets and the files it makes."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", max_length=100)]
    type: Annotated[str, AfterValidator(_task_type)] = "io.kestra.plugin.scripts.shell.Commands"
    description: str | None = None
    disabled: bool = False
    """Leave the task out; who waits for it waits for what it would have waited for."""
    depends_on: tuple[str, ...] | None = None
    """The ids of the tasks it waits for; `[]` for none. Without it, a task waits for the one before it."""
    allow_failure: bool = False
    """Go on when the task fails: it ends as WARNING, and what waits for it runs."""
    foreach: Foreach | None = None
    """Run the task for each item of a list, of the JSON list that an expression gives, of files; or so many times."""
    container_image: Text | None = None
    commands: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    script: Text | None = None
    before_commands: tuple[Text, ...] = ()
    interpreter: Annotated[tuple[Text, ...], Field(min_length=1)] = ("/bin/sh", "-c")
    env: dict[str, Text] = Field(default_factory=dict)
    input_files: dict[str, Text] = Field(default_factory=dict)
    namespace_files: NamespaceFiles = NamespaceFiles(enabled=False)
    output_files: tuple[Text, ...] = ()
    output_directory: bool = False
    """Bring back everything that the commands put into `{{ outputDir }}`."""
    fail_fast: bool = True
    timeout: Duration | None = None
    retry: Retry | None = None
    """Run the commands again when they fail."""
    run_as: RunAs = RunAs.ROOT
    """The user in the container: `root`, as with Docker, or `user`, Azure Batch's unprivileged task user."""
    required_slots: Annotated[int, Field(ge=1, le=256)] = 1
    """How many of a node's task slots the task takes."""
    container_run_options: Annotated[str, AfterValidator(check_container_run_options)] | None = None
    """Options of `docker create` that limit or extend what the container gets of its node."""
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
