"""Plans the tasks of one round: order, expressions and what they may see, files of earlier tasks. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared import task_properties
from shared.errors import ManifestError, Problem
from shared.expression_environment import ExpressionError
from shared.expressions import references
from shared.manifest_task import RunAs
from shared.namespace_files import Selection
from shared.planned import PlannedTask
from shared.rendering import Rendering, texts_of
from shared.rounds import Node, Split, split
from shared.task_script import OUTPUT_DIRECTORY, Paths
from shared.upstream import OutputPattern, UpstreamFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.manifest import Manifest, Task
    from shared.run import Run
    from shared.settings import Settings

_CONTAINER = ("taskRunner", "blobStorage", "containerName")


class Planner:
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
        task_properties.check_accounts(task, rendering, self._settings)
        task_properties.refuse_unsupported(task, rendering)
        input_files = task_properties.input_files(task, rendering)
        commands = task_properties.commands(task, rendering)
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
            image=task_properties.image(task, rendering),
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
