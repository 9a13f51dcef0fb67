"""Manifest and the run document's stored values → the tasks of the next round.

Pure and repeatable: the same document always gives the same tasks with the same ids, so two submitters never
disagree, and the record is made from the same plan as the job was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import ManifestError, Problem
from shared.expressions import ExpressionError
from shared.manifest import read_manifest
from shared.rendering import Rendering
from shared.task_script import Commands, Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from shared.manifest import Manifest, Task
    from shared.run import NamespaceFile, Run
    from shared.settings import Settings

_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class OutputPattern:
    """One entry of `outputFiles`: a glob, or the name of one file, relative to the working directory."""

    index: int
    pattern: str

    @property
    def is_literal(self) -> bool:
        """Whether it names one file."""
        return not _WILDCARD.search(self.pattern)

    @property
    def folder(self) -> str:
        """The folder in which the pattern's first wildcard (or the named file) stands: empty, or ending in a slash."""
        wildcard = _WILDCARD.search(self.pattern)
        literal = self.pattern[: wildcard.start()] if wildcard else self.pattern
        return literal[: literal.rfind("/") + 1]


@dataclass(frozen=True)
class Image:
    """A container image, and how to log in where its registry wants it."""

    name: str
    server: str | None = None
    user_name: str | None = None
    password: str | None = None
    identity: str | None = None


@dataclass(frozen=True)
class PlannedTask:
    """One Batch task. `number` is its Batch id; `name` is the id of the task in the manifest."""

    number: int
    name: str
    depends_on: tuple[int, ...]
    pool_id: str
    staging: str
    image: Image
    commands: Commands
    input_files: Mapping[str, str]
    namespace_files: tuple[NamespaceFile, ...]
    output_patterns: tuple[OutputPattern, ...]
    paths: Paths

    @property
    def id(self) -> str:
        """The Batch task id."""
        return str(self.number)

    @property
    def time_limit(self) -> timedelta:
        """How long the commands may run."""
        return self.commands.time_limit

    @property
    def has_inputs(self) -> bool:
        """Whether any file is staged for the task."""
        return bool(self.input_files or self.namespace_files)


@dataclass(frozen=True)
class RoundPlan:
    """One Batch job: everything that is known now and can run now. There is at least one task."""

    priority: int
    keep_job: bool
    tasks: tuple[PlannedTask, ...]

    @property
    def pool_id(self) -> str:
        """The pool of all tasks."""
        return self.tasks[0].pool_id

    @property
    def staging(self) -> str:
        """The container through which files pass to and from the nodes."""
        return self.tasks[0].staging

    def is_depended_on(self, task: PlannedTask) -> bool:
        """Whether another task of this round waits for the task's success."""
        return any(task.number in other.depends_on for other in self.tasks)


def wanted_namespaces(manifest: Manifest) -> dict[str, str]:
    """What must be listed before a round can be planned: by task, the namespace whose files it gets.

    Raises ManifestError if a task wants files of a namespace and the flow has none.
    """
    wanting = [index for index, task in enumerate(manifest.flow.tasks) if task.namespace_files.enabled]
    namespace = manifest.flow.namespace
    if namespace is None:
        problems = [
            manifest.problem(("tasks", index, "namespaceFiles"), "the flow has no `namespace` to take files from")
            for index in wanting
        ]
        if problems:
            raise ManifestError(problems)
        return {}
    return {manifest.flow.tasks[index].id: namespace for index in wanting}


def plan_round(manifest: Manifest, run: Run, settings: Settings) -> RoundPlan:
    """The tasks of the run's current round.

    Raises ManifestError with everything that rendering shows to be wrong.
    """
    renderings = [_rendering(manifest, run, settings, index) for index in range(len(manifest.flow.tasks))]
    tasks = tuple(
        _task(index, task, rendering, run, settings)
        for index, (task, rendering) in enumerate(zip(manifest.flow.tasks, renderings, strict=True))
    )
    for task, rendering in zip(tasks, renderings, strict=True):
        if task.pool_id != tasks[0].pool_id:
            rendering.fail(("taskRunner", "poolId"), "all tasks of a flow must run on the same pool")
        if task.staging != tasks[0].staging:
            rendering.fail(_CONTAINER, "all tasks of a flow must use the same container")
    problems = [problem for rendering in renderings for problem in rendering.problems]
    if problems:
        raise ManifestError(problems)
    keep_job = not all(task.task_runner.delete for task in manifest.flow.tasks)
    return RoundPlan(manifest.flow.priority, keep_job, tasks)


_CONTAINER = ("taskRunner", "blobStorage", "containerName")


def _task(index: int, task: Task, rendering: Rendering, run: Run, settings: Settings) -> PlannedTask:
    _check_accounts(task, rendering, settings)
    stored = run.body.namespace_files or {}
    return PlannedTask(
        number=index + 1,
        name=task.id,
        depends_on=(index,) if index else (),
        pool_id=_pool_id(task, rendering, settings),
        staging=_staging(task, rendering, settings),
        image=_image(task, rendering),
        commands=_commands(task, rendering),
        input_files=_input_files(task, rendering),
        namespace_files=stored.get(task.id, ()),
        output_patterns=_output_patterns(task, rendering),
        paths=Paths(run.id, task.id),
    )


def _rendering(manifest: Manifest, run: Run, settings: Settings, index: int) -> Rendering:
    def secret(name: str) -> str:
        value = settings.secrets.get(name)
        if value is None:
            raise ExpressionError(f"there is no secret {name!r}; the app setting SECRET_{name} would hold it")
        return value

    functions: dict[str, Callable[..., Any]] = {"secret": secret, "now": lambda: run.body.accepted}
    return Rendering(manifest, ("tasks", index), _values(manifest, run, index), functions)


def _values(manifest: Manifest, run: Run, index: int) -> dict[str, Any]:
    flow = manifest.flow
    return {
        "vars": flow.variables,
        "inputs": {item.id: item.defaults for item in flow.inputs},
        "labels": flow.labels,
        "flow": {"id": flow.id, "namespace": flow.namespace},
        "execution": {"id": run.id, "startDate": run.body.accepted},
        "task": {"id": flow.tasks[index].id},
        "workingDir": Paths(run.id, flow.tasks[index].id).link,
    }


def _check_accounts(task: Task, rendering: Rendering, settings: Settings) -> None:
    """A run uses the app's own accounts; a manifest may name them, but no others."""
    runner, storage = task.task_runner, task.task_runner.blob_storage
    expected = [
        (("account",), runner.account, settings.batch.account_name),
        (("endpoint",), runner.endpoint, settings.batch.endpoint),
        (("blobStorage", "sharedKeyAccountName"), storage.shared_key_account_name, settings.storage.account_name),
        (("blobStorage", "endpoint"), storage.endpoint, settings.storage.blob_endpoint),
    ]
    for path, value, own in expected:
        rendered = rendering.optional(("taskRunner", *path), value)
        if rendered is not None and rendered.rstrip("/") != own:
            rendering.fail(("taskRunner", *path), f"runs use the app's own account, {own}; name it, or leave it out")
    where = ("taskRunner", "blobStorage", "connectionString")
    connection_string = rendering.optional(where, storage.connection_string)
    if connection_string is not None and f"AccountName={settings.storage.account_name}" not in connection_string.split(
        ";"
    ):
        rendering.fail(where, f"runs use the app's own storage account, {settings.storage.account_name}; leave it out")


def _pool_id(task: Task, rendering: Rendering, settings: Settings) -> str:
    pool = rendering.optional(("taskRunner", "poolId"), task.task_runner.pool_id) or settings.batch.pool_id
    if pool is None:
        rendering.fail(("taskRunner",), "no pool: name one in `poolId`, or set the app setting BATCH_POOL_ID")
    return pool or ""


def _staging(task: Task, rendering: Rendering, settings: Settings) -> str:
    own = settings.containers.staging
    container = rendering.optional(_CONTAINER, task.task_runner.blob_storage.container_name) or own
    if not settings.container_is_allowed(container):
        rendering.fail(_CONTAINER, f"this container cannot be used here; name {own!r}, or leave it out")
    return container


def _image(task: Task, rendering: Rendering) -> Image:
    name = rendering.optional(("containerImage",), task.container_image) or task.language.image
    registry = task.task_runner.registry
    if registry is None:
        return Image(name)
    where = ("taskRunner", "registry")
    reference = registry.identity_reference
    return Image(
        name,
        server=rendering.optional((*where, "registryServer"), registry.registry_server),
        user_name=rendering.optional((*where, "userName"), registry.user_name),
        password=rendering.optional((*where, "password"), registry.password),
        identity=rendering.text((*where, "identityReference", "resourceId"), reference.resource_id)
        if reference
        else None,
    )


def _commands(task: Task, rendering: Rendering) -> Commands:
    lines = [*rendering.texts(("beforeCommands",), task.before_commands)]
    if task.commands is not None:
        lines += rendering.texts(("commands",), task.commands)
    elif task.language.script_runner:
        lines.append(f"{task.language.script_runner} {_script_file(task)}")
    else:
        lines.append(rendering.text(("script",), task.script or ""))
    return Commands(
        interpreter=rendering.texts(("interpreter",), task.interpreter),
        text="\n".join(["set -e", *lines] if task.fail_fast else lines),
        env={**dict(task.language.env), **rendering.env(("env",), task.env)},
        time_limit=task.time_limit,
    )


def _input_files(task: Task, rendering: Rendering) -> dict[str, str]:
    files = rendering.files(("inputFiles",), task.input_files)
    if task.script is not None and task.language.script_runner:
        files[_script_file(task)] = rendering.text(("script",), task.script)
    return files


def _script_file(task: Task) -> str:
    """A hidden name, so that no glob in `outputFiles` matches it."""
    return f".{task.id}{task.language.script_suffix}"


def _output_patterns(task: Task, rendering: Rendering) -> tuple[OutputPattern, ...]:
    patterns = rendering.patterns(("outputFiles",), task.output_files)
    return tuple(OutputPattern(index, pattern) for index, pattern in enumerate(patterns))


def manifest_of(run: Run) -> Manifest:
    """The manifest that a run document holds. Raises ManifestError if it cannot be read."""
    text = run.body.manifest.text
    if text is None:
        raise ManifestError([Problem("the manifest is larger than 1 MiB, or not text in UTF-8")])
    return read_manifest(text, run.body.manifest.name)
