"""A task of a manifest: one container, or with `foreach` one for each item."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from shared.expressions.render import references
from shared.manifest._dependencies import BY_THE_IMAGE, NO_CACHE, NO_UV, Dependencies
from shared.manifest.container_options import check_container_run_options
from shared.manifest.docker import Docker, Runner
from shared.manifest.retry import Retry
from shared.manifest.task_runner import AnyTaskRunner, TaskRunner
from shared.manifest.task_types import DEFAULT_TYPE, SHELL, Language, all_types, checked_type, language_of, of_form
from shared.manifest.types import Duration, NoEffect, Properties, PropertyPath, Text, Unsupported, texts_with_paths

MAX_ITEMS = 10_000


class IfExists(StrEnum):
    """What happens when a namespace file has the name of a file that exists already."""

    OVERWRITE = "OVERWRITE"
    FAIL = "FAIL"
    WARN = "WARN"
    IGNORE = "IGNORE"


class NamespaceFiles(Properties):
    """Files of namespaces, put into the working directory before `inputFiles`."""

    enabled: bool = True
    """Whether the task gets namespace files."""
    namespaces: Annotated[tuple[Text, ...], Field(min_length=1)] = ("{{ flow.namespace }}",)
    """The namespaces whose files the task gets. If two have a file of the same name, `ifExists` decides about that of
    the later namespace."""
    include: Annotated[tuple[Text, ...], Field(examples=[["*.py", "data/**"]])] = ()
    """Patterns of the files to take; without any, all files. One that matches none is a warning."""
    exclude: tuple[Text, ...] = ()
    """Patterns of the files to leave out. One that matches none is a warning."""
    if_exists: IfExists = IfExists.OVERWRITE
    """What happens when a file of the same name exists already."""
    folder_per_namespace: bool = False
    """Put each namespace's files into a folder with the namespace's name."""


class RunAs(StrEnum):
    """The user in the container."""

    ROOT = "root"
    USER = "user"


class FilesOfTask(Properties):
    """Files that an earlier task made."""

    task: str
    """The id of the task."""
    glob: Text
    """A pattern of the files' names, relative to the task's working directory; without a slash it matches in every
    folder."""


class ForeachFile(Properties):
    """The items of a fan-out are the names of files."""

    namespace_files: Text | None = None
    """A pattern over the files of the flow's namespace."""
    files: FilesOfTask | None = None
    """A pattern over the files of an earlier task."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.namespace_files is None) == (self.files is None):
            raise ValueError(
                "expected either `namespaceFiles: data/*.csv`, a glob over files of the namespace, or"
                " `files: {task: extract, glob: '*.csv'}`, a glob over those of an earlier task"
            )
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


TaskId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", max_length=100)]


def _interpreter_of_type(validated: dict[str, Any]) -> tuple[str, ...]:
    language = language_of(validated.get("type", DEFAULT_TYPE))
    return language.interpreter if language else SHELL


ON_POOL = NoEffect("tasks run on the pool that `taskRunner.poolId` names")


class TaskProperties(Properties):
    """The properties that tasks and groups of tasks have in common."""

    description: str | None = None
    """For readers."""
    version: Annotated[str | None, NoEffect("there is only one version of every task type")] = None
    log_level: Annotated[str | None, NoEffect("everything that a task prints is kept")] = None
    log_to_file: Annotated[bool, NoEffect("everything that a task prints is kept, as a file")] = False
    allow_warning: bool = False
    """End as SUCCESS what would end as WARNING; with `allowFailure`, also what failed."""
    worker_group: Annotated[Any, ON_POOL] = None
    worker_selector: Annotated[Any, ON_POOL] = None
    assets: Annotated[Any, NoEffect("there is no catalogue of assets")] = None
    task_cache: Annotated[Any, NoEffect("a task always runs")] = None
    run_if: Annotated[Text | None, Field(examples=["{{ outputs.count.vars.rows > 0 }}"])] = None
    """Leave the task, or the tasks of the group, out unless this holds: empty text, `false`, `0` and `-0` do not, as in
    Kestra. What follows runs. It may use the inputs, and what tasks before it have printed."""
    when: Text | None = None
    """The name of `runIf` in Kestra 2."""
    plugin_defaults_ref: Annotated[None, Unsupported("`pluginDefaults` apply by type")] = None


class Task(TaskProperties):
    """One container: its image, its commands, the files it gets and the files it makes."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["commands"]}, {"required": ["script"]}]})

    id: TaskId
    """Its name: in `dependsOn`, in expressions, and in the results, where its folders have this name."""
    type: Annotated[str, AfterValidator(checked_type), Field(json_schema_extra={"enum": all_types()})] = DEFAULT_TYPE
    """Kestra's type, which decides the image, the interpreter and how a `script` is run."""
    disabled: bool = False
    """Leave the task out. Tasks that depend on it wait for the tasks that it depends on instead."""
    depends_on: Annotated[tuple[str, ...] | None, Field(examples=[["extract", "prepare"]])] = None
    """The ids of the tasks it waits for; `[]` for none. Without it, a task waits for the one before it."""
    allow_failure: bool = False
    """Continue when the task fails: it ends as WARNING, and the tasks that wait for it run."""
    foreach: Annotated[
        Foreach | None,
        Field(examples=[["a", "b"], 10, "{{ outputs.list.vars.names }}", {"namespaceFiles": "data/*.csv"}]),
    ] = None
    """Run the task once for each item, side by side. The items are those of a list, or of an expression that renders to
    a JSON list; the names of files that match a glob (`namespaceFiles`, or `files` of an earlier task); or the numbers
    from 0 below a count. At most 10,000. `{{ item }}` is the item's value, `{{ taskrun.iteration }}` its index from 0,
    ITEM_INDEX in the commands. Files and logs are in folders named after the index. In a later task,
    `{{ outputs.<task> }}` is a folder with all files, and `{{ outputs.<task>[0].vars.x }}` a value that an item
    printed."""
    container_image: Annotated[Text | None, Field(examples=["python:3.13-slim"])] = None
    """The image of the container; without it, the image of the type."""
    commands: Annotated[
        Annotated[tuple[Text, ...], Field(min_length=1)] | None, Field(examples=[["python {{ workingDir }}/main.py"]])
    ] = None
    """The lines that the interpreter runs."""
    script: Text | None = None
    """The program to run, in the language of the type; instead of `commands`."""
    before_commands: Annotated[tuple[Text, ...], Field(examples=[["pip install pandas"]])] = ()
    """Lines that run first, in the same shell; for example, to install packages."""
    interpreter: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(default_factory=_interpreter_of_type)
    """The program that gets the commands as its last argument; without it, the interpreter of the type."""
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
    """Files that are in the working directory before the commands start: by relative path, the text of a file, or its
    address: `nsfile:///<path>` of the flow's namespace, `nsfile://<namespace>/<path>`, `blob://<container>/<path>` of
    the container `uploads` or of one that the app allows, `https://…`, or a file of an earlier task. The map may also
    be a text that renders to a map in JSON."""
    namespace_files: NamespaceFiles = NamespaceFiles(enabled=False)
    """Files of namespaces for the working directory; `inputFiles` of the same name win."""
    output_files: Annotated[tuple[Text, ...], Field(examples=[["result.json", "plots/**/*.{png,svg}"]])] = ()
    """The files to keep, also if the task fails: names of files and folders, or globs, relative to the working
    directory. A name that was not made is a warning. A glob also brings the input files that it matches, as Kestra's
    does."""
    output_directory: bool = False
    """Keep everything that the commands write to the folder `{{ outputDir }}`, files with a leading dot included; a
    text that uses `{{ outputDir }}` implies it."""
    fail_fast: bool = True
    """Stop at the first command that fails, as `set -e` does."""
    timeout: Annotated[Duration | None, Field(examples=["PT30M"])] = None
    """How long one attempt of the commands may take; without it, `taskRunner.waitUntilCompletion` counts."""
    retry: Annotated[Retry | None, Field(examples=[{"maxAttempts": 3, "interval": "PT30S"}])] = None
    """Try the commands again when they fail, or run into their time limit."""
    run_as: RunAs = RunAs.ROOT
    """The user in the container: `root`, as with Docker, or `user`, Azure Batch's unprivileged task user."""
    required_slots: Annotated[int, Field(ge=1, le=256)] = 1
    """How many of a node's task slots the task takes."""
    container_run_options: Annotated[
        Annotated[str, AfterValidator(check_container_run_options)] | None,
        Field(examples=["--memory=4g --shm-size=1g"]),
    ] = None
    """Options of `docker create` for the container's share of its node's resources; expressions are not rendered."""
    task_runner: AnyTaskRunner = TaskRunner()
    """Which account, pool and storage the task uses."""
    target_os: Annotated[Literal["AUTO", "LINUX"], Field(alias="targetOS")] = "AUTO"
    """The system of the containers, which is always Linux."""
    warning_on_std_err: Annotated[bool, NoEffect("what is printed on stderr does not change a task's state")] = False
    dependencies: Dependencies | None = None
    """Packages that are installed in the container before anything else runs there, in the time of the first attempt:
    of Python, as the lines of a requirements file, or of Node, by their names in npm. The indexes are those of pip, uv
    and npm, or those that `env` names, as in PIP_INDEX_URL. A package that cannot be had fails the task as
    `DependenciesNotInstalled`. A Python task whose own texts import `kestra` gets this package too, unless its image
    has it."""
    package_manager: Literal["UV", "PIP"] = "UV"
    """What installs `dependencies` of Python: `UV` stands for pip where the image has no uv."""
    python_version: Annotated[Text | None, BY_THE_IMAGE] = None
    dependency_cache_enabled: Annotated[bool, NO_CACHE] = False
    uv_auto_install_enabled: Annotated[bool, NO_UV] = True
    uv_installer_version: Annotated[Text | None, NO_UV] = None
    uv_installer_sha256: Annotated[Text | None, NO_UV] = None
    docker: Docker | None = None
    """The container of old flows, of which only the image counts."""
    runner: Annotated[Runner | None, NoEffect("every task runs in a container of its image, on Azure Batch")] = None

    _commands_of_commands = field_validator("commands", mode="after")(of_form("commands", "Commands", "Script"))
    _script_of_script = field_validator("script", mode="after")(of_form("script", "Script", "Commands"))

    @model_validator(mode="after")
    def _commands_or_script(self) -> Self:
        if (self.commands is None) == (self.script is None):
            raise ValueError("a task has either `commands` (a list) or `script` (text)")
        return self

    @property
    def language(self) -> Language:
        """The language of the task's type, with its defaults."""
        language = language_of(self.type)
        assert language is not None  # noqa: S101 - the type was validated
        return language

    @cached_property
    def has_output_directory(self) -> bool:
        """Whether it has an `outputDirectory`. A `runner` implies it (`CommandsWrapper.getEnableOutputDirectory`)."""
        if "output_directory" in self.model_fields_set:
            return self.output_directory
        return self.runner is not None or any(references(text, "outputDir") for _, text in texts_with_paths(self))

    @property
    def old_image(self) -> str | None:
        """The image of `docker`, unless `taskRunner` is set alone, which then decides, as in Kestra."""
        is_ignored = self.runner is None and "task_runner" in self.model_fields_set
        return self.docker.image if self.docker and not is_ignored else None

    def warnings(self) -> Iterator[tuple[PropertyPath, str]]:
        """That the image of `docker` has no effect, if so."""
        if self.docker and self.docker.image and not self.old_image:
            yield ("docker", "image"), "without effect beside `taskRunner`, as in Kestra: write `containerImage`"

    @property
    def time_limit(self) -> timedelta:
        """How long one attempt of the commands may take."""
        return self.timeout or self.task_runner.wait_until_completion
