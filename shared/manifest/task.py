"""A task of a manifest: one container, or with `foreach` one for each item."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from shared.manifest.container_options import check_container_run_options
from shared.manifest.task_runner import TaskRunner
from shared.manifest.task_types import DEFAULT_TYPE, SHELL, Language, all_types, instead_of, known_types, language_of
from shared.manifest.types import Duration, KestraRetry, KestraScript, Properties, Text

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
    include: Annotated[tuple[Text, ...], Field(examples=[["*.py", "data/**"]])] = ()
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


class Retry(KestraRetry):
    """What happens when the commands fail: Azure Batch runs them again, at once."""

    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    """How often the task is started at most, the first time included."""
    max_attempt: Annotated[int, Field(ge=1, le=100)] | None = None
    """The old name of `maxAttempts`."""

    @model_validator(mode="after")
    def _attempts_are_counted(self) -> Self:
        if self.max_attempts is None and self.max_attempt is None:
            raise ValueError("a retry needs `maxAttempts`: Azure Batch counts attempts, it knows no other limit")
        return self

    @property
    def retries(self) -> int:
        """How often the task is started again at most."""
        return (self.max_attempts or self.max_attempt or 1) - 1


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


def _input_files_kind(value: object) -> str:
    return "<text>" if isinstance(value, str) else "<map>"


InputFiles = Annotated[
    Annotated[dict[str, Text], Tag("<map>")] | Annotated[str, Tag("<text>")], Discriminator(_input_files_kind)
]


GROUP_TYPES = "io.kestra.plugin.core.flow.<Sequential|Parallel|ForEach>"
TaskId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", max_length=100)]


def _task_type(value: str) -> str:
    if language_of(value) is None:
        if instead := instead_of(value):
            raise ValueError(f"the task type {value!r} is not supported here: {instead}")
        raise ValueError(f"unknown task type {value!r}; there is {known_types()}, and the groups {GROUP_TYPES}")
    return value


def _interpreter_of_type(validated: dict[str, Any]) -> tuple[str, ...]:
    language = language_of(validated.get("type", DEFAULT_TYPE))
    return language.interpreter if language else SHELL


class Task(KestraScript):
    """One container: its image, its commands, the files it gets and the files it makes."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["commands"]}, {"required": ["script"]}]})

    id: TaskId
    """Its name: in `dependsOn`, in expressions, and of its folders in the results."""
    type: Annotated[str, AfterValidator(_task_type), Field(json_schema_extra={"enum": all_types()})] = DEFAULT_TYPE
    """Kestra's type, which decides the image, the interpreter and how a `script` is run."""
    disabled: bool = False
    """Leave the task out; who waits for it waits for what it would have waited for."""
    depends_on: Annotated[tuple[str, ...] | None, Field(examples=[["extract", "prepare"]])] = None
    """The ids of the tasks it waits for; `[]` for none. Without it, a task waits for the one before it."""
    allow_failure: bool = False
    """Go on when the task fails: it ends as WARNING, and what waits for it runs."""
    foreach: Annotated[
        Foreach | None,
        Field(examples=[["a", "b"], 10, "{{ outputs.list.vars.names }}", {"namespaceFiles": "data/*.csv"}]),
    ] = None
    """Run the task once for each item, side by side: the items of a list, of an expression that is a list in JSON, the
    files whose names match a glob (`namespaceFiles`, or `files` of an earlier task); or so many times. At most 10,000.
    `{{ item }}` is the item's value, `{{ taskrun.iteration }}` its index from 0, ITEM_INDEX in the commands. Files and
    logs lie in folders named after the index. For a later task `{{ outputs.<task> }}` is a folder with all files, and
    `{{ outputs.<task>[0].vars.x }}` what an item printed."""
    container_image: Annotated[Text | None, Field(examples=["python:3.13-slim"])] = None
    """The image that the container is made of; without it, that of the type."""
    commands: Annotated[
        Annotated[tuple[Text, ...], Field(min_length=1)] | None, Field(examples=[["python {{ workingDir }}/main.py"]])
    ] = None
    """What is run: these lines, by the interpreter."""
    script: Text | None = None
    """What is run: this program, in the language of the type. Instead of `commands`."""
    before_commands: Annotated[tuple[Text, ...], Field(examples=[["pip install pandas"]])] = ()
    """What is run before it, in the same shell: to install packages, for example."""
    interpreter: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(default_factory=_interpreter_of_type)
    """The program that gets the commands as its last argument; without it, that of the type."""
    env: Annotated[dict[str, Text], Field(examples=[{"TOKEN": "{{ secret('TOKEN') }}"}])] = Field(default_factory=dict)
    """Environment variables of the commands."""
    input_files: Annotated[
        InputFiles,
        Field(
            examples=[
                {"data.csv": "a,b\n1,2\n"},
                {"lib.py": "nsfile:///lib.py"},
                {"x.csv": "{{ outputs.extract.outputFiles['x.csv'] }}"},
                "{{ outputs.extract.outputFiles }}",
            ]
        ),
    ] = Field(default_factory=dict)
    """Files in the working directory before the commands start: by relative path, their text, or the address of a file:
    `nsfile:///<path>` of the flow's namespace, `nsfile://<namespace>/<path>`, `blob://<container>/<path>` of a
    container that the app allows, `https://…`, or a file of an earlier task. The map may be a text that renders to one
    in JSON."""
    namespace_files: NamespaceFiles = NamespaceFiles(enabled=False)
    """Files of namespaces in the working directory; `inputFiles` of the same name win."""
    output_files: Annotated[tuple[Text, ...], Field(examples=[["result.json", "plots/**/*.png"]])] = ()
    """What is brought back, also if the task fails: globs, relative to the working directory (`**` crosses folders)."""
    output_directory: bool = False
    """Bring back everything that the commands put into `{{ outputDir }}`."""
    fail_fast: bool = True
    """Stop at the first command that fails, as `set -e` does."""
    timeout: Annotated[Duration | None, Field(examples=["PT30M"])] = None
    """How long the commands may run, from the task's start; without it, `taskRunner.waitUntilCompletion`."""
    retry: Annotated[Retry | None, Field(examples=[{"maxAttempts": 3}])] = None
    """Run the commands again when they fail."""
    run_as: RunAs = RunAs.ROOT
    """The user in the container: `root`, as with Docker, or `user`, Azure Batch's unprivileged task user."""
    required_slots: Annotated[int, Field(ge=1, le=256)] = 1
    """How many of a node's task slots the task takes."""
    container_run_options: Annotated[
        Annotated[str, AfterValidator(check_container_run_options)] | None,
        Field(examples=["--memory=4g --shm-size=1g"]),
    ] = None
    """Options of `docker create` that limit or extend what the container gets of its node; without expressions."""
    task_runner: TaskRunner = TaskRunner()
    """Which account, pool and storage the task uses."""

    @model_validator(mode="after")
    def _commands_or_script(self) -> Self:
        if (self.commands is None) == (self.script is None):
            raise ValueError("a task has either `commands` (a list) or `script` (text)")
        return self

    @property
    def language(self) -> Language:
        """What the task's type brings along."""
        language = language_of(self.type)
        assert language is not None  # noqa: S101 - the type was validated
        return language

    @property
    def time_limit(self) -> timedelta:
        """How long the commands may run, from the task's start."""
        return self.timeout or self.task_runner.wait_until_completion
