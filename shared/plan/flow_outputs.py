"""The outputs of a flow: checked when its run begins, rendered when all of its tasks have ended.

As in Kestra, the outputs that are required are rendered all or none, and one that is not is null if it cannot be:
`onEnd` of ExecutorService.java and `renderOutputs` of InputAndOutputImpl.java,
https://github.com/kestra-io/kestra/blob/develop/core/src/main/java/io/kestra/core/runners/InputAndOutputImpl.java
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

from shared.documents.items import Item
from shared.documents.run import Run
from shared.documents.states import State
from shared.documents.task_result import TaskResult
from shared.errors import Problem
from shared.expressions.values import ExpressionError
from shared.manifest.read import Manifest, Task
from shared.manifest.types import PropertyPath, texts_with_paths
from shared.plan._context import Context
from shared.plan._file_functions import FileFunctions
from shared.plan._graph import AT_THE_END, FlowGraph
from shared.plan._loop_values import PlaceInLoop
from shared.plan._rendering import Bindings, Rendering, with_texts
from shared.plan._scope import VALUES_OF_ENDED, Scope
from shared.plan.inputs import with_inputs
from shared.plan.lookups import BlobAddress, Lookups, MissingData, NotKnownYet
from shared.plan.planner import Planner
from shared.plan.upstream import UpstreamFolder
from shared.settings import Settings

_NO_TASK = Task.model_construct(id=AT_THE_END)
_OF_A_TASK = ("task", "taskrun", "workingDir")


@dataclass(frozen=True)
class FlowOutputs:
    """The outputs of a run by their ids; none if there are `problems`. `warnings` tell of those that are null."""

    values: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def problems_of_outputs(manifest: Manifest, run: Run, settings: Settings) -> list[Problem]:
    """What is wrong with the outputs, as far as it can be told before anything has run.

    The mistakes of one that is not `required` make it null; they are told at the end.
    """
    if not any(output.required for output in manifest.flow.outputs):
        return []
    scope, wrong_inputs = _scope(manifest, run, settings, Lookups(run))
    bindings = scope.bindings({*VALUES_OF_ENDED, *manifest.gaps.values, *(["inputs"] if wrong_inputs else [])})
    renderings = [
        _checked(manifest, index, output.value, bindings)
        for index, output in enumerate(manifest.flow.outputs)
        if output.required
    ]
    return [problem for rendering in renderings for problem in rendering.problems]


def _checked(manifest: Manifest, index: int, value: object, bindings: Bindings) -> Rendering:
    rendering = Rendering(partial(_problem, manifest, index), bindings)
    for path, text in texts_with_paths(value, ("value",)):
        rendering.text(path, text)
    return rendering


def outputs_of(manifest: Manifest, run: Run, settings: Settings) -> FlowOutputs | MissingData:
    """The outputs of a run all of whose tasks have ended; or, as missing data, the files that must be read first."""
    lookups = Lookups(run)
    scope, _ = _scope(manifest, run, settings, lookups)
    bindings = scope.bindings(())
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for index, output in enumerate(manifest.flow.outputs):
        rendering = Rendering(partial(_problem, manifest, index), bindings)
        try:
            rendered = with_texts(rendering.known_text, ("value",), output.value)
            values[output.id] = output.value_of(rendered) if not rendering.problems else None
        except NotKnownYet:  # it is not the first pass
            continue
        except ValueError as error:
            problems.append(_problem(manifest, index, ("value",), str(error)))
        (problems if output.required else warnings).extend(rendering.problems)
    if lookups.missing:
        return lookups.missing
    return FlowOutputs({} if problems else values, tuple(problems), tuple(warnings))


def _problem(manifest: Manifest, index: int, path: PropertyPath, message: str) -> Problem:
    return manifest.problem(("outputs", index, *path), message)


def _scope(manifest: Manifest, run: Run, settings: Settings, lookups: Lookups) -> tuple[_Scope, list[Problem]]:
    """What outputs can use, and the problems of the inputs."""
    context, wrong_inputs = with_inputs(Context(manifest.flow, run, settings), manifest)
    graph = FlowGraph(manifest, context.values)
    return _Scope(
        _NO_TASK, None, context, graph, Planner(manifest, run, settings), lookups, PlaceInLoop()
    ), wrong_inputs


class _FilesInResults(FileFunctions):
    def address_of(self, file_name: str) -> BlobAddress:
        root = _root(self.run, self.settings)
        if file_name.startswith(root):
            container = self.settings.containers.results
            return BlobAddress(container, f"{self.run.results}/{unquote(file_name.removeprefix(root))}")
        return super().address_of(file_name)


class _Scope(Scope):
    """What outputs can use: all tasks have ended, and there is no node, so files are those in the results."""

    files_by = _FilesInResults

    def _values(self) -> dict[str, Any]:
        return {name: value for name, value in super()._values().items() if name not in _OF_A_TASK}

    def _checked_values(self, unknown: frozenset[str]) -> dict[str, Any]:
        return super()._checked_values(unknown) if unknown else self._values()

    def _execution_state(self) -> State:
        return self._final_state()

    def _outputs(self, name: str) -> object:
        if self._graph.members(name):
            return super()._outputs(name)
        ended = self._run.body.finished.get(name)
        has_run = ended is not None and (ended.state is not State.SKIPPED or ended.is_left_out)
        return super()._outputs(name) if has_run else {}

    def _output_files(
        self,
        name: str,  # noqa: ARG002 - as a task's
        item: Item | None,  # noqa: ARG002
        folder: str,  # noqa: ARG002
        ended: TaskResult | None,
        *,
        of_group: bool = False,  # noqa: ARG002
    ) -> dict[str, Any]:
        files = ended.outputs.output_files.items() if ended else ()
        root = _root(self._run, self._settings)
        return {"outputFiles": {path: root + quote(file.blob, safe="~/") for path, file in files}}

    def _folder(self, name: str) -> UpstreamFolder:
        raise ExpressionError(f"there is no folder with the files of {name!r} here: name an item, and a file of it")


def _root(run: Run, settings: Settings) -> str:
    """The address of the run's folder, with a slash at its end."""
    endpoint, container = settings.storage.blob_endpoint, settings.containers.results
    return f"{endpoint}/{container}/{quote(run.results, safe='~/')}/"
