"""How the tasks of a flow depend on each other: which wait for which, and whose values their expressions need."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import ManifestError, Problem, did_you_mean
from shared.manifest.order import tasks_before
from shared.manifest.read import Manifest, Task
from shared.manifest.task import ForeachFile
from shared.plan._rendering import PropertyPath, names_used, placed_texts, texts_rendered
from shared.plan._rounds import GraphTask

_READS = re.compile(r"\bread\s*\(")


class FlowGraph:
    """The tasks of a flow that run, in their order.

    `values` are what expressions see everywhere. Raises ManifestError if an expression uses the outputs of a task that
    does not run before it.
    """

    def __init__(self, manifest: Manifest, values: Mapping[str, Any]) -> None:
        self._manifest = manifest
        self._indexes = {task.id: index for index, task in enumerate(manifest.flow.tasks)}
        self._values = values
        self._before = {name: tasks_before(name, manifest.dependencies) for name in manifest.dependencies}
        problems: list[Problem] = []
        self.tasks = {name: self._graph_task(name, problems) for name in manifest.dependencies}
        if problems:
            raise ManifestError(problems)

    def before(self, name: str) -> set[str]:
        """All tasks that a task waits for, also through others."""
        return self._before[name]

    def is_fan_out(self, name: str) -> bool:
        """Whether a task is run for each of some items."""
        return self._task(name).foreach is not None

    def _task(self, name: str) -> Task:
        return self._manifest.flow.tasks[self._indexes[name]]

    def _graph_task(self, name: str, problems: list[Problem]) -> GraphTask:
        task, before = self._task(name), self._before[name]
        values: set[str] = set()
        for where, text in self._texts(task):
            for path in names_used(text, "outputs"):
                if path and path[0] not in before:
                    message = self._not_before(path[0])
                    problems.append(self._manifest.problem(("tasks", self._indexes[name], *where), message))
                elif not path or path[1:2] != ("outputFiles",) or _READS.search(text):
                    values |= {path[0]} if path else before
        if isinstance(task.foreach, ForeachFile) and task.foreach.files:
            values.add(task.foreach.files.task)
        own_values = frozenset(other for other in values if not self.is_fan_out(other))
        return GraphTask(name, self._manifest.dependencies[name], own_values, is_fan_out=self.is_fan_out(name))

    def _texts(self, task: Task) -> Iterator[tuple[PropertyPath, str]]:
        """Every text that is rendered for a task, once, with its place: also those that it hands to `render()`."""
        placed = {
            text: where for where, written in placed_texts(task) for text in texts_rendered(written, self._values)
        }
        return ((where, text) for text, where in placed.items())

    def _not_before(self, name: str) -> str:
        """The message for the outputs of a task that does not run before."""
        if name in self._indexes:
            return f"uses the outputs of {name!r}, which does not run before it"
        with_hyphen = [other for other in self._indexes if other.startswith(f"{name}-")]
        hint = f"; write `outputs['{with_hyphen[0]}']`" if with_hyphen else did_you_mean(name, self._indexes)
        return f"there is no task {name!r}{hint}"
