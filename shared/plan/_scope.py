"""What the expressions of one task can use: values, functions, outputs of earlier tasks; and what they do use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.documents.names import UPSTREAM, Paths
from shared.documents.record import Item, TaskResult
from shared.documents.run import Run
from shared.documents.states import Phase, State
from shared.expressions.functions import OTHER_PARTS, from_json, now_of
from shared.expressions.values import UNKNOWN, Advised, Budget, ExpressionError, LazyValue, Unknown, text_of
from shared.manifest.app_tasks import AppTask
from shared.manifest.read import Flow, Task
from shared.plan._app_variables import app_variables, env_of, hidden_names
from shared.plan._checked_outputs import CheckedOutputs
from shared.plan._directories import last_of
from shared.plan._graph import STATE, FlowGraph
from shared.plan._rendering import NOT_KNOWN_YET, Bindings
from shared.plan._states import FUNCTIONS_OF_ENDED, CheckedStates, TaskStates
from shared.plan.lookups import BlobAddress, Lookups, NotKnownYet, WebAddress, namespace_file, read_address
from shared.plan.run_state import run_state
from shared.plan.upstream import TAKEN, FanOutOutputs, OutputPattern, UpstreamFiles, UpstreamFolder, UpstreamUse
from shared.settings import Settings

VALUES_OF_ENDED = frozenset({"outputs", "tasks", *FUNCTIONS_OF_ENDED})
"""The names whose values are known only once the tasks have ended that they are about."""


@dataclass(frozen=True)
class Context:
    """What the expressions of all tasks of a run share.

    `inputs` are the values of the flow's inputs, of which some, or all, may not be known because of mistakes.
    """

    flow: Flow
    run: Run
    settings: Settings
    budget: Budget = field(default_factory=Budget)
    inputs: Mapping[str, Any] | Unknown = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """The values that every expression can use."""
        return {
            "vars": self.flow.variables,
            "inputs": self.inputs,
            "labels": self.flow.labels,
            "flow": Advised({"id": self.flow.id, "namespace": self.flow.namespace}, OTHER_PARTS["flow"]),
            "execution": {"id": self.run.id, "startDate": self.run.body.accepted, "state": State.RUNNING},
            **app_variables(self.settings),
        }

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions that every expression can call."""
        now = now_of(self.run.body.accepted)
        env = env_of(self.settings)
        return {"secret": self._secret, "now": now, "fromJson": from_json, "json": from_json, "env": env}

    def _secret(self, key: str) -> str:
        value = self.settings.secrets.get(key)
        if value is None:
            raise ExpressionError(f"there is no secret {key!r}; define it as the app setting SECRET_{key}")
        return value


class EarlierTasks(Protocol):
    """What a scope needs to know from the planner about earlier tasks."""

    def items_of(self, name: str) -> tuple[Item, ...]:
        """The items of a fan-out."""

    def is_known(self, name: str) -> bool:
        """Whether the items of a fan-out are known."""

    def is_empty(self, name: str) -> bool:
        """Whether a task is a fan-out that is known to have no items, so that no task waits for it."""

    def has_no_outputs(self, name: str) -> bool:
        """Whether a task is left out, or can never run, so that it has no outputs."""

    def patterns(self, name: str, item: Item | None) -> tuple[OutputPattern, ...]:
        """The patterns of the files that a task, or a fan-out's task for one item, uploads."""


class Scope:
    """What the expressions of a task, or of a fan-out's task for one item, can use.

    `used` collects what they use of earlier tasks. An expression that uses a value not known yet raises NotKnownYet.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each is another source of what expressions see
        self,
        task: Task | AppTask,
        item: Item | None,
        context: Context,
        graph: FlowGraph,
        earlier: EarlierTasks,
        lookups: Lookups,
    ) -> None:
        self.used = UpstreamUse()
        directory = graph.directory(task.id)
        group = directory.group if directory else None
        self.paths = Paths(context.run.id, task.id, item.index if item else None, directory=group)
        self._task = task
        self._item = item
        self._context = context
        self._flow = context.flow
        self._run = context.run
        self._settings = context.settings
        self._graph = graph
        self._earlier = earlier
        self._lookups = lookups

    def bindings(self, unknown: Iterable[str]) -> Bindings:
        """The values and functions for expressions; the values of the `unknown` names are not known yet."""
        functions = {**self._context.functions(), **self._file_functions(), **self._states().functions()}
        names = frozenset(unknown)
        return Bindings(
            self._values(),
            functions,
            self._context.budget,
            names,
            lambda: self._checked_values(names),
            dict.fromkeys(self._file_functions(), self._read_later) | _KNOWN_LATER,
            checks_unknown=not self._run.body.finished,
            major=self._flow.major,
            hidden=hidden_names(self._settings),
            seed=f"{self._run.body.seed}/{self._task.id}/{self._item.index if self._item else ''}",
        )

    def _checked_values(self, unknown: frozenset[str]) -> dict[str, Any]:
        """The values for texts that are only checked: those not known yet have the parts that they will have."""
        taskrun = Unknown(dict.fromkeys((*self._taskrun(), "value", "iteration"), UNKNOWN))
        later: dict[str, LazyValue] = {name: taskrun if name == "taskrun" else UNKNOWN for name in unknown - {"inputs"}}
        checked = CheckedOutputs(self._run, self._graph.is_fan_out, self._known_items, self._checked_files)
        later |= dict.fromkeys(hidden_names(self._settings), UNKNOWN)
        if "tasks" in unknown:
            later["tasks"] = CheckedStates(self._may_be_before, self._no_state)

        def outputs_of(name: str) -> object:
            if app_task := self._graph.app_task(name):
                return self._values_of(app_task)
            if not self._graph.members(name):
                return checked.of(name)
            last = self._last_of(name)
            files = self._checked_files(last, None, of_group=True) if last else None
            return {"outputFiles": UNKNOWN if files is None else files} if last else {}

        return {**self._values(), **later, "outputs": _OutputsByTask(self._task.id, self._graph, outputs_of)}

    def _last_of(self, group: str) -> str | None:
        return last_of(group, self._graph, self._earlier.has_no_outputs, self._run.body.finished)

    def _known_items(self, name: str) -> tuple[Item, ...] | None:
        return self._earlier.items_of(name) if self._earlier.is_known(name) else None

    def _checked_files(self, name: str, item: Item | None, *, of_group: bool = False) -> UpstreamFiles | None:
        """The files of an earlier task for a check: they are not used. None if the patterns are not known yet."""
        patterns = self._patterns(name, item, of_group=of_group)
        if any(pattern.pattern == NOT_KNOWN_YET for pattern in patterns):
            return None
        return UpstreamFiles("", Paths(self._run.id, name, item.index if item else None), patterns, UpstreamUse())

    def _patterns(self, name: str, item: Item | None, *, of_group: bool = False) -> tuple[OutputPattern, ...]:
        """The patterns of a task's own files, or of those of its group."""
        return tuple(pattern for pattern in self._earlier.patterns(name, item) if pattern.of_group is of_group)

    def _file_functions(self) -> dict[str, Callable[[str], object]]:
        """The functions that read files. As in Kestra, a file that is not there has neither a size nor is it empty."""
        return {
            "read": self._read,
            "fileExists": lambda path: self._lookups.etag(self._address_of(path)) is not None,
            "fileSize": lambda path: len(self._read(path).encode()),
            "isFileEmpty": lambda path: not self._read(path),
        }

    def _read_later(self, path: str) -> Unknown:
        """A function that reads a file, in a text that is only checked: the file is not read."""
        if path and not path.startswith("/"):
            self._address_of(path)
        return UNKNOWN

    def _values(self) -> dict[str, Any]:
        item = self._item
        return {
            **self._context.values(),
            "execution": Advised(
                {**self._context.values()["execution"], "state": self._execution_state()}, OTHER_PARTS["execution"]
            ),
            "task": {"id": self._task.id, "type": self._task.type},
            "workingDir": self.paths.link,
            **({"outputDir": self.paths.output_directory} if self._has_output_directory else {}),
            **({"item": item.value} if item else {}),
            "taskrun": Advised(self._taskrun(), OTHER_PARTS["taskrun"]),
            "outputs": _OutputsByTask(self._task.id, self._graph, self._outputs),
            "tasks": self._states(),
        }

    def _execution_state(self) -> State:
        """The state of the run; that with which it ends is known only to what follows its end."""
        if self._graph.phase(self._task.id) is not Phase.AFTER_EXECUTION:
            return State.RUNNING
        return self._final_state()

    def _final_state(self) -> State:
        if self._run.rejection:
            return State.FAILED
        return run_state(self._flow, self._run.body.finished.values(), cancelled=self._run.was_cancelled)

    def _taskrun(self) -> dict[str, Any]:
        """`taskrun`: its value is a text, as in Kestra; lists and maps stay as they are, as their texts equal Kestra's.

        `attemptsCount` is 0 in a first attempt, as in `RunVariables` of Kestra, so that it is known without a retry.
        """
        item = self._item
        of_item = {"value": item.value if isinstance(item.value, list | dict) else text_of(item.value)} if item else {}
        return {
            "id": self.paths.link.rpartition("/")[2],
            **({} if self._task.retry else {"attemptsCount": 0}),
            **of_item,
            **({"iteration": item.index} if item else {}),
        }

    def _states(self) -> TaskStates:
        before = self._graph.upstream_of(self._task.id)
        return TaskStates(before, self._run, self._flow, self._lookups, self._no_state)

    def _may_be_before(self, name: str) -> bool:
        return name in self._graph.upstream_of(self._task.id) or self._graph.may_be_before(self._task.id, name)

    def _no_state(self, name: str) -> str:
        return self._graph.not_before(name, STATE)

    def _outputs(self, name: str) -> object:
        """The value of `outputs.<name>`."""
        folder = f"{self.paths.link}/{UPSTREAM}/{name}"
        if self._graph.members(name):
            last = self._last_of(name)
            ended = self._run.body.finished.get(last) if last else None
            return self._output_files(last, None, folder, ended, of_group=True) if last else {}
        if self._earlier.has_no_outputs(name):
            return {}
        if app_task := self._graph.app_task(name):
            return self._values_of(app_task)
        if self._graph.is_fan_out(name):
            return FanOutOutputs(name, folder, lambda: self._folder(name), lambda: self._items(name, folder), self.used)
        ended = self._run.body.finished.get(name)
        outputs = self._output_files(name, None, folder, ended)
        return {**outputs, **_results(ended)} if ended else outputs

    @property
    def _has_output_directory(self) -> bool:
        return isinstance(self._task, Task) and self._task.has_output_directory

    def _values_of(self, task: AppTask) -> object:
        """The outputs of a task that the app evaluates."""
        ended = self._run.body.finished.get(task.id)
        return ended.outputs.vars if ended else Unknown(dict.fromkeys(task.outputs, UNKNOWN))

    def _output_files(
        self, name: str, item: Item | None, folder: str, ended: TaskResult | None, *, of_group: bool = False
    ) -> dict[str, Any]:
        taken = ended.outputs.output_files if ended and ended.taken_from else None
        paths = Paths(self._run.id, name, item.index if item else None, is_taken=taken is not None)
        patterns = self._patterns(name, item, of_group=of_group)
        return {"outputFiles": UpstreamFiles(folder, paths, patterns, self.used, taken)}

    def _folder(self, name: str) -> UpstreamFolder:
        ended = self._lookups.items(name) if self._run.body.earlier else ()
        taken = frozenset(item.index for item in ended if item.taken_from)
        patterns = {
            item.index: (TAKEN,) if item.index in taken else self._earlier.patterns(name, item)
            for item in self._earlier.items_of(name)
        }
        return UpstreamFolder(Paths(self._run.id, name), patterns, taken)

    def _items(self, name: str, folder: str) -> Iterator[dict[str, Any]]:
        if self._earlier.is_empty(name):
            return
        if name not in self._run.body.finished:
            raise NotKnownYet
        for item in self._lookups.items(name):
            yield {
                "index": item.index,
                "value": item.value,
                **self._output_files(name, item, f"{folder}/{item.index}", item),
                **_results(item),
            }

    def _read(self, path: str) -> str:
        """`read()`: the text of a namespace file, of an allowed blob, or of a file that an earlier task produced."""
        address = self._address_of(path)
        read = self._lookups.text(address)
        if read.problem is not None:
            name = self.used.files[path].name if path in self.used.files else path
            raise ExpressionError(f"{name} cannot be read: {read.problem}")
        return read.text

    def _address_of(self, file_name: str) -> BlobAddress:
        if file := self.used.files.get(file_name):
            return BlobAddress(
                self._settings.containers.results, f"{self._run.results}/outputs/{file.paths.results}{file.name}"
            )
        try:
            if "://" not in file_name:
                return namespace_file(file_name, self._flow.namespace, self._settings)
            address = read_address(file_name, self._flow.namespace, self._settings)
        except ValueError as error:
            raise ExpressionError(str(error)) from error
        if isinstance(address, WebAddress):
            raise ExpressionError("read() cannot read web addresses; fetch the file in a task")
        return address


def _results(ended: TaskResult) -> dict[str, Any]:
    return {"vars": ended.outputs.vars, "exitCode": ended.exit_code}


_KNOWN_LATER: dict[str, Callable[..., Unknown]] = {
    "tasksWithState": lambda state="": UNKNOWN,  # noqa: ARG005 - only to be checked
    "errorLogs": lambda: UNKNOWN,
}


class _OutputsByTask(LazyValue, Mapping[str, object]):
    """`outputs` for a task: the outputs of the tasks before it, each made when it is first used."""

    def __init__(self, task: str, graph: FlowGraph, outputs_of: Callable[[str], object]) -> None:
        self._task = task
        self._names = graph.upstream_of(task)
        self._graph = graph
        self._outputs_of = outputs_of

    def __getitem__(self, name: str) -> object:
        if name not in self._names:
            raise KeyError(name)
        return self._outputs_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)

    def as_text(self) -> str:
        """Raise ExpressionError: there is no text of all outputs."""
        raise ExpressionError(f"name one of its values: {', '.join(self) or 'it has none'}")

    def part(self, name: object) -> object:
        """The outputs of a task. Raises KeyError if it does not run before."""
        other = str(name)
        if other in self._names or self._graph.may_be_before(self._task, other):
            return self._outputs_of(other) if self._graph.has_known_outputs(other) else UNKNOWN
        raise KeyError(other)

    def missing(self, name: str) -> str:
        """Why a task has no outputs here."""
        return self._graph.not_before(name)
