"""What the expressions of one task may see, and what they ask for: values, functions, earlier outputs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from shared.documents.names import UPSTREAM, Paths
from shared.documents.record import Item, TaskResult
from shared.documents.run import Run
from shared.errors import Problem
from shared.expressions.functions import from_json, now_of
from shared.expressions.values import Budget, ExpressionError, text_of
from shared.manifest.inputs import Input
from shared.manifest.read import Flow, Manifest, Task
from shared.plan._graph import FlowGraph
from shared.plan._rendering import Bindings, Rendering
from shared.plan.lookups import BlobAddress, Lookups, NotKnownYet, WebAddress, namespace_file, read_address
from shared.plan.upstream import FanOutOutputs, OutputPattern, UpstreamFiles, UpstreamFolder, UpstreamUse
from shared.settings import Settings


@dataclass(frozen=True)
class Context:
    """What all tasks of a run have in common; `inputs` are the values of the flow's inputs."""

    flow: Flow
    run: Run
    settings: Settings
    budget: Budget = field(default_factory=Budget)
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """What expressions see everywhere."""
        return {
            "vars": self.flow.variables,
            "inputs": self.inputs,
            "labels": self.flow.labels,
            "flow": {"id": self.flow.id, "namespace": self.flow.namespace},
            "execution": {"id": self.run.id, "startDate": self.run.body.accepted},
        }

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions that they can call everywhere."""
        return {"secret": self._secret, "now": now_of(self.run.body.accepted), "fromJson": from_json, "json": from_json}

    def _secret(self, name: str) -> str:
        value = self.settings.secrets.get(name)
        if value is None:
            raise ExpressionError(f"there is no secret {name!r}; the app setting SECRET_{name} would hold it")
        return value


class Earlier(Protocol):
    """What a scope asks the planner about earlier tasks."""

    def items_of(self, name: str) -> tuple[Item, ...]:
        """The items of a fan-out."""

    def is_empty(self, name: str) -> bool:
        """Whether a task is a fan-out that is known to have no items: nobody waits for it."""

    def patterns(self, name: str, item: Item | None) -> tuple[OutputPattern, ...]:
        """What a task, or a fan-out's task for one item, brings back."""


class Scope:
    """The world as the expressions of a task, or of a fan-out's task for one item, see it.

    `used` is what they asked for of earlier tasks. An expression that needs what is not known yet raises NotKnownYet.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each is another source of what expressions see
        self,
        task: Task,
        item: Item | None,
        context: Context,
        graph: FlowGraph,
        earlier: Earlier,
        lookups: Lookups,
    ) -> None:
        self.used = UpstreamUse()
        self.paths = Paths(context.run.id, task.id, item.index if item else None)
        self._task = task
        self._item = item
        self._context = context
        self._flow = context.flow
        self._run = context.run
        self._settings = context.settings
        self._graph = graph
        self._earlier = earlier
        self._lookups = lookups

    def visible(self, unknown: Iterable[str]) -> Bindings:
        """What expressions may see, of which some names are not known yet."""
        functions = {**self._context.functions(), "read": self._read}
        return Bindings(self._values(), functions, self._context.budget, frozenset(unknown))

    def _values(self) -> dict[str, Any]:
        item = self._item
        return {
            **self._context.values(),
            "task": {"id": self._task.id},
            "workingDir": self.paths.link,
            **({"outputDir": self.paths.output_directory} if self._task.output_directory else {}),
            **({"item": item.value, "taskrun": _taskrun(item)} if item else {}),
            "outputs": _OutputsBefore(self._graph.before(self._task.id), self._outputs),
        }

    def _outputs(self, name: str) -> object:
        """What `outputs.<name>` is."""
        folder = f"{self.paths.link}/{UPSTREAM}/{name}"
        if self._graph.is_fan_out(name):
            return FanOutOutputs(folder, lambda: self._folder(name), lambda: self._items(name, folder), self.used)
        outputs = self._outputs_of(name, None, folder)
        ended = self._run.body.finished.get(name)
        return {**outputs, **_results(ended)} if ended else outputs

    def _outputs_of(self, name: str, item: Item | None, folder: str) -> dict[str, Any]:
        paths = Paths(self._run.id, name, item.index if item else None)
        return {"outputFiles": UpstreamFiles(folder, paths, self._earlier.patterns(name, item), self.used)}

    def _folder(self, name: str) -> UpstreamFolder:
        patterns = {item.index: self._earlier.patterns(name, item) for item in self._earlier.items_of(name)}
        return UpstreamFolder(Paths(self._run.id, name), patterns)

    def _items(self, name: str, folder: str) -> Iterator[dict[str, Any]]:
        if self._earlier.is_empty(name):
            return
        if name not in self._run.body.finished:
            raise NotKnownYet
        for item in self._lookups.items(name):
            yield {
                "index": item.index,
                "value": item.value,
                **self._outputs_of(name, item, f"{folder}/{item.index}"),
                **_results(item),
            }

    def _read(self, where: str) -> str:
        """`read()`: the text of a namespace file, of an allowed blob, or of a file that an earlier task made."""
        address = self._address_of(where)
        known = self._lookups.text(address)
        if known.problem is not None:
            name = self.used.files[where].name if where in self.used.files else where
            raise ExpressionError(f"{name} cannot be read: {known.problem}")
        return known.text

    def _address_of(self, where: str) -> BlobAddress:
        if file := self.used.files.get(where):
            return BlobAddress(
                self._settings.containers.results, f"{self._run.results}/outputs/{file.paths.results}{file.name}"
            )
        try:
            if "://" not in where:
                return namespace_file(where, self._flow.namespace, self._settings)
            address = read_address(where, self._flow.namespace, self._settings)
        except ValueError as error:
            raise ExpressionError(str(error)) from error
        if isinstance(address, WebAddress):
            raise ExpressionError("read() does not fetch from the web; let a task do that")
        return address


def _taskrun(item: Item) -> dict[str, Any]:
    """Its value is text, as in Kestra; a list or a map stays one, whose text is that of Kestra's too."""
    return {
        "value": item.value if isinstance(item.value, list | dict) else text_of(item.value),
        "iteration": item.index,
    }


def _results(ended: TaskResult) -> dict[str, Any]:
    return {"vars": ended.outputs.vars, "exitCode": ended.exit_code}


class _OutputsBefore(Mapping[str, object]):
    """`outputs`: what is asked for is made when it is asked for."""

    def __init__(self, names: set[str], outputs_of: Callable[[str], object]) -> None:
        self._names = names
        self._outputs_of = outputs_of

    def __getitem__(self, name: str) -> object:
        if name not in self._names:
            raise KeyError(name)
        return self._outputs_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)


def with_inputs(context: Context, manifest: Manifest) -> tuple[Context, list[Problem]]:
    """The context with the values of the inputs, and what is wrong with them."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    ids = {each.id for each in manifest.flow.inputs}
    context = replace(context, inputs=values)
    for index, each in enumerate(manifest.flow.inputs):
        visible = Bindings(context.values(), context.functions(), context.budget)
        rendering = Rendering(manifest, ("inputs", index), visible)
        folders, _, name = each.id.rpartition(".")
        if above := sorted(_above(each.id) & ids):
            rendering.fail(("id",), f"the input {above[0]!r} has a value of its own, so it cannot hold others")
        else:
            _folder(values, folders)[name] = _value(each, rendering)
        problems += rendering.problems
    return context, problems


def _above(input_id: str) -> set[str]:
    """The ids of which an id is a part: of `a.b.c` they are `a` and `a.b`."""
    parts = input_id.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def _folder(values: dict[str, Any], path: str) -> dict[str, Any]:
    for part in path.split(".") if path else ():
        values = values.setdefault(part, {})
    return values


def _value(given: Input, rendering: Rendering) -> object:
    problems = len(rendering.problems)
    rendered = _rendered(("defaults",), given.defaults, rendering)
    if len(rendering.problems) > problems or rendered == given.defaults:
        return rendered
    try:
        return given.value_of(rendered)
    except ValueError as error:
        rendering.fail(("defaults",), str(error))
        return None


def _rendered(path: tuple[str | int, ...], value: object, rendering: Rendering) -> object:
    match value:
        case str():
            return rendering.known_text(path, value)
        case list():
            return [_rendered((*path, index), entry, rendering) for index, entry in enumerate(value)]
    return value
