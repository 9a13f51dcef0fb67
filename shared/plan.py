"""Manifest and the run document's stored values → the tasks of the next round.

Pure and repeatable: the same document always gives the same tasks with the same ids, so two submitters never
disagree, and the record is made from the same plan as the job was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shared.errors import ManifestError, Problem
from shared.expressions import ExpressionError, references
from shared.manifest import read_manifest
from shared.manifest_task import RunAs
from shared.namespace_files import Selection
from shared.rendering import Rendering, texts_of
from shared.rounds import Node, Split, split
from shared.task_script import OUTPUT_DIRECTORY, Commands, Paths
from shared.upstream import OutputPattern, UpstreamFile, UpstreamFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from shared.manifest import Manifest, Task
    from shared.run import NamespaceFile, Run
    from shared.settings import Settings
    from shared.states import JobReason


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
    allow_failure: bool
    image: Image
    container_run_options: str
    runs_as_root: bool
    slots: int
    retries: int
    commands: Commands
    input_files: Mapping[str, str]
    namespace_files: tuple[NamespaceFile, ...]
    upstream_files: tuple[UpstreamFile, ...]
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
    def prefixes(self) -> list[str]:
        """What the node takes from staging: each prefix ends in a slash, for one without matches its siblings too."""
        own = [self.paths.system, *([self.paths.inputs] if self.input_files or self.namespace_files else [])]
        return own + sorted({prefix for file in self.upstream_files for prefix in file.prefixes})


@dataclass(frozen=True)
class RoundPlan:
    """One Batch job: everything that is known now and can run now."""

    pool_id: str
    staging: str
    priority: int
    keep_job: bool
    reason: JobReason
    tasks: tuple[PlannedTask, ...]

    def is_depended_on(self, task: PlannedTask) -> bool:
        """Whether another task of this round waits for the task's success."""
        return any(task.number in other.depends_on for other in self.tasks)


def namespace_selections(manifest: Manifest, run: Run, settings: Settings) -> dict[str, Selection]:
    """What must be listed before a round can be planned: by task, which files of which namespaces it gets.

    Raises ManifestError if that cannot be rendered, or no namespace is known.
    """
    planner = _Planner(manifest, run, settings)
    tasks = [task for task in manifest.flow.tasks if task.id in manifest.dependencies]
    selections = {task.id: planner.selection(task) for task in tasks if task.namespace_files.enabled}
    if problems := planner.problems():
        raise ManifestError(problems)
    return selections


def plan_round(manifest: Manifest, run: Run, settings: Settings) -> RoundPlan:
    """The tasks of the run's current round; none if nothing is left that could run.

    Raises ManifestError with everything that rendering shows to be wrong, also in tasks of later rounds.
    """
    planner = _Planner(manifest, run, settings)
    ready = planner.split.ready
    tasks = tuple(planner.task(name, ready) for name in ready)
    pool_id = planner.pool_id(ready[0]) if ready else ""
    staging = planner.staging()
    for name in planner.split.later:
        planner.task(name, ())
    if problems := planner.problems():
        raise ManifestError(problems)
    return RoundPlan(
        pool_id=pool_id,
        staging=staging,
        priority=manifest.flow.priority,
        keep_job=not all(task.task_runner.delete for task in manifest.flow.tasks),
        reason=planner.split.reason,
        tasks=tasks,
    )


_CONTAINER = ("taskRunner", "blobStorage", "containerName")


class _Planner:
    """Plans the tasks of one run; renderings are made once for each task and collect its problems."""

    def __init__(self, manifest: Manifest, run: Run, settings: Settings) -> None:
        self._manifest = manifest
        self._run = run
        self._settings = settings
        self._tasks = {task.id: (index, task) for index, task in enumerate(manifest.flow.tasks)}
        self._renderings: dict[str, Rendering] = {}
        self._upstream: dict[str, dict[str, UpstreamFiles]] = {}
        self._unknown: list[Problem] = []
        self.nodes = {name: self._node(name) for name in manifest.dependencies}
        if self._unknown:
            raise ManifestError(self._unknown)
        self.split: Split = split(
            self.nodes, {name: task.state for name, task in run.body.finished.items()}, self.pool_id
        )

    def problems(self) -> list[Problem]:
        """Everything that was wrong so far, in the order of the file."""
        found = {problem: None for rendering in self._renderings.values() for problem in rendering.problems}
        return sorted(found, key=lambda problem: (problem.line or 0, problem.column or 0))

    def _node(self, name: str) -> Node:
        """A task's place in the order, and whose results its expressions need before it can be planned."""
        index, task = self._tasks[name]
        before = self._before(name)
        values = set()
        for path in {path for text in texts_of(task) for path in references(text, "outputs")}:
            if path and path[0] not in before:
                message = f"uses the outputs of {path[0]!r}, which does not run before it"
                self._unknown.append(self._manifest.problem(("tasks", index), message))
            elif not path or path[1:2] != ("outputFiles",):
                values |= {path[0]} if path else before
        return Node(name, self._manifest.dependencies[name], frozenset(values), is_fan_out=False)

    def _before(self, name: str) -> set[str]:
        """All tasks that a task waits for, also through others."""
        found: set[str] = set()
        todo = list(self._manifest.dependencies[name])
        while todo:
            other = todo.pop()
            if other not in found:
                found.add(other)
                todo.extend(self._manifest.dependencies[other])
        return found

    def task(self, name: str, ready: tuple[str, ...]) -> PlannedTask:
        """A task of the round; for one of a later round, only its problems matter."""
        task = self._tasks[name][1]
        rendering = self._rendering(name)
        _check_accounts(task, rendering, self._settings)
        _refuse_unsupported(task, rendering)
        input_files = _input_files(task, rendering)
        commands = _commands(task, rendering)
        used = {path: file for files in self._files_before(name).values() for path, file in files.used.items()}
        brought = {name: used[content] for name, content in input_files.items() if content in used}
        links = [file.link(name) for name, file in brought.items()]
        links += [file.link(path.removeprefix(f"{self._paths(name).link}/")) for path, file in used.items()]
        waits_for = self._manifest.dependencies[name]
        return PlannedTask(
            number=ready.index(name) + 1 if name in ready else 0,
            name=name,
            depends_on=tuple(ready.index(other) + 1 for other in waits_for if other in ready),
            allow_failure=task.allow_failure,
            image=_image(task, rendering),
            container_run_options=task.container_run_options or "",
            runs_as_root=task.run_as is RunAs.ROOT,
            slots=task.required_slots,
            retries=task.retry.retries if task.retry else 0,
            commands=replace(commands, links=tuple(links)),
            input_files={name: content for name, content in input_files.items() if name not in brought},
            namespace_files=(self._run.body.namespace_files or {}).get(name, ()),
            upstream_files=tuple(used.values()),
            output_patterns=self._patterns(name),
            paths=self._paths(name),
        )

    def selection(self, task: Task) -> Selection:
        """A task's namespace files, rendered."""
        rendering, files = self._rendering(task.id), task.namespace_files
        namespaces = rendering.texts(("namespaceFiles", "namespaces"), files.namespaces)
        if not all(namespaces):
            rendering.fail(("namespaceFiles",), "the flow has no `namespace` to take files from")
        return Selection(
            namespaces=namespaces,
            include=rendering.texts(("namespaceFiles", "include"), files.include),
            exclude=rendering.texts(("namespaceFiles", "exclude"), files.exclude),
            if_exists=files.if_exists,
            folder_per_namespace=files.folder_per_namespace,
        )

    def _files_before(self, name: str) -> dict[str, UpstreamFiles]:
        """`outputFiles` of every task that runs before a task, as its expressions see them."""
        if name not in self._upstream:
            self._upstream[name] = {
                other: UpstreamFiles(self._paths(name).link, other, self._paths(other), self._patterns(other))
                for other in sorted(self._before(name))
            }
        return self._upstream[name]

    def _paths(self, name: str) -> Paths:
        return Paths(self._run.id, name)

    def _patterns(self, name: str) -> tuple[OutputPattern, ...]:
        task = self._tasks[name][1]
        patterns = [(pattern, "") for pattern in self._rendering(name).patterns(("outputFiles",), task.output_files)]
        if task.output_directory:
            patterns.append((f"{OUTPUT_DIRECTORY}/**/*", f"{OUTPUT_DIRECTORY}/"))
        if task.task_runner.sync_working_directory:
            patterns.append(("**/*", ""))
        return tuple(OutputPattern(index, pattern, base) for index, (pattern, base) in enumerate(patterns))

    def pool_id(self, name: str) -> str:
        """The pool of a task."""
        task = self._tasks[name][1]
        rendering = self._rendering(name)
        pool = rendering.optional(("taskRunner", "poolId"), task.task_runner.pool_id) or self._settings.batch.pool_id
        if pool is None:
            rendering.fail(("taskRunner",), "no pool: name one in `poolId`, or set the app setting BATCH_POOL_ID")
        return pool or ""

    def staging(self) -> str:
        """The container through which the files of all tasks pass to and from the nodes."""
        own = self._settings.containers.staging
        containers: dict[str, None] = {}
        for name in self.nodes:
            rendering = self._rendering(name)
            container = (
                rendering.optional(_CONTAINER, self._tasks[name][1].task_runner.blob_storage.container_name) or own
            )
            containers[container] = None
            if not self._settings.container_is_allowed(container):
                rendering.fail(_CONTAINER, f"this container cannot be used here; name {own!r}, or leave it out")
            elif len(containers) > 1:
                rendering.fail(_CONTAINER, "all tasks of a flow must use the same container")
        return next(iter(containers), own)

    def _rendering(self, name: str) -> Rendering:
        if name not in self._renderings:
            index, _ = self._tasks[name]
            functions: dict[str, Callable[..., Any]] = {"secret": self._secret, "now": lambda: self._run.body.accepted}
            is_known = self.nodes[name].uses_values_of <= self._run.body.finished.keys()
            self._renderings[name] = Rendering(
                self._manifest, ("tasks", index), self._values(name), functions, outputs_are_known=is_known
            )
        return self._renderings[name]

    def _secret(self, name: str) -> str:
        value = self._settings.secrets.get(name)
        if value is None:
            raise ExpressionError(f"there is no secret {name!r}; the app setting SECRET_{name} would hold it")
        return value

    def _values(self, name: str) -> dict[str, Any]:
        flow = self._manifest.flow
        return {
            "vars": flow.variables,
            "inputs": {item.id: item.defaults for item in flow.inputs},
            "labels": flow.labels,
            "flow": {"id": flow.id, "namespace": flow.namespace},
            "execution": {"id": self._run.id, "startDate": self._run.body.accepted},
            "task": {"id": name},
            "workingDir": self._paths(name).link,
            **({"outputDir": self._paths(name).output_directory} if self._tasks[name][1].output_directory else {}),
            "outputs": self._outputs_before(name),
        }

    def _outputs_before(self, name: str) -> dict[str, dict[str, Any]]:
        outputs: dict[str, dict[str, Any]] = {
            other: {"outputFiles": files} for other, files in self._files_before(name).items()
        }
        for other, values in outputs.items():
            if ended := self._run.body.finished.get(other):
                values.update(vars=ended.outputs.vars, exitCode=ended.exit_code)
        return outputs


def _refuse_unsupported(task: Task, rendering: Rendering) -> None:
    """What is in the language, but not run yet: nothing that a person wrote is silently left out."""
    if task.foreach is not None:
        rendering.fail(("foreach",), "fan-outs are not supported yet; write the tasks out, or loop in the commands")


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
        has_output_directory=task.output_directory,
    )


def _input_files(task: Task, rendering: Rendering) -> dict[str, str]:
    files = rendering.files(("inputFiles",), task.input_files)
    if task.script is not None and task.language.script_runner:
        files[_script_file(task)] = rendering.text(("script",), task.script)
    return files


def _script_file(task: Task) -> str:
    """A hidden name, so that no glob in `outputFiles` matches it."""
    return f".{task.id}{task.language.script_suffix}"


def manifest_of(run: Run) -> Manifest:
    """The manifest that a run document holds. Raises ManifestError if it cannot be read."""
    text = run.body.manifest.text
    if text is None:
        raise ManifestError([Problem("the manifest is larger than 1 MiB, or not text in UTF-8")])
    return read_manifest(text, run.body.manifest.name)


def problem_of_task(manifest: Manifest, name: str, path: tuple[str, ...], message: str) -> Problem:
    """A problem with a property of the task of that id."""
    index = next(index for index, task in enumerate(manifest.flow.tasks) if task.id == name)
    return manifest.problem(("tasks", index, *path), message)
