"""What the expressions of one task can use: values, functions, outputs of earlier tasks; and what they do use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from shared.documents.items import Item
from shared.documents.names import UPSTREAM, Paths
from shared.documents.states import Phase, State
from shared.documents.task_result import ItemRecord, TaskResult
from shared.expressions.functions import OTHER_PARTS
from shared.expressions.values import UNKNOWN, Advised, ExpressionError, LazyValue, Unknown, text_of
from shared.manifest.app_tasks import AppTask
from shared.manifest.read import Task
from shared.plan._app_variables import hidden_names
from shared.plan._checked_outputs import CheckedOutputs
from shared.plan._context import Context
from shared.plan._directories import last_of, paths_of
from shared.plan._earlier_tasks import EarlierTasks
from shared.plan._file_functions import FileFunctions
from shared.plan._graph import STATE, FlowGraph
from shared.plan._loop_values import OutputsByValue, OutputsOfLoop, PlaceInLoop, values_of_item
from shared.plan._outputs_by_task import OutputsByTask
from shared.plan._rendering import NOT_KNOWN_YET, Bindings
from shared.plan._states import FUNCTIONS_OF_ENDED, STATES_LATER, CheckedStates, TaskStates
from shared.plan.lookups import Lookups, NotKnownYet
from shared.plan.run_state import run_state
from shared.plan.upstream import TAKEN, FanOutOutputs, OutputPattern, UpstreamFiles, UpstreamFolder, UpstreamUse

VALUES_OF_ENDED = frozenset({"outputs", "tasks", *FUNCTIONS_OF_ENDED})
"""The names whose values are known only once the tasks have ended that they are about."""


class Scope:
    """What the expressions of a task, or of a fan-out's task for one item, can use.

    `used` collects what they use of earlier tasks. An expression that uses a value not known yet raises NotKnownYet.
    `files_by` finds the files that they read.
    """

    files_by: type[FileFunctions] = FileFunctions

    def __init__(  # noqa: PLR0913, PLR0917 - each is another source of what expressions see
        self,
        task: Task | AppTask,
        item: Item | None,
        context: Context,
        graph: FlowGraph,
        earlier: EarlierTasks,
        lookups: Lookups,
        place: PlaceInLoop,
    ) -> None:
        self.used = UpstreamUse()
        self.paths = paths_of(context.run, graph, task.id, item)
        self._task = task
        self._item = item
        self._context = context
        self._flow = context.flow
        self._run = context.run
        self._settings = context.settings
        self._graph = graph
        self._earlier = earlier
        self._lookups = lookups
        self._place = place
        self.files = self.files_by(context, lookups, self.used)

    def bindings(self, unknown: Iterable[str]) -> Bindings:
        """The values and functions for expressions; the values of the `unknown` names are not known yet."""
        functions = {**self._context.functions, **self.files.functions(), **self._states().functions()}
        names = frozenset(unknown)
        return Bindings(
            self._values(),
            functions,
            self._context.budget,
            names,
            lambda: self._checked_values(names),
            self.files.functions_later() | STATES_LATER,
            checks_unknown=not self._run.body.finished,
            major=self._flow.major,
            hidden=self._context.hidden,
            seed=f"{self._run.body.seed}/{self._task.id}/{self._item.index if self._item else ''}",
        )

    def _checked_values(self, unknown: frozenset[str]) -> dict[str, Any]:
        """The values for texts that are only checked: those not known yet have the parts that they will have."""
        taskrun = Unknown(dict.fromkeys((*self._taskrun(), "value", "iteration"), UNKNOWN))
        later: dict[str, LazyValue] = {name: taskrun if name == "taskrun" else UNKNOWN for name in unknown - {"inputs"}}
        checked = CheckedOutputs(self._run, self._graph, self._known_items, self._checked_files)
        later |= dict.fromkeys(hidden_names(self._settings), UNKNOWN)
        if "tasks" in unknown:
            later["tasks"] = CheckedStates(self._may_be_before, self._no_state)

        def outputs_of(name: str) -> object:
            app_task, is_in_loop = self._graph.app_task(name), bool(self._graph.loops(name))
            if app_task and not is_in_loop:
                return self._values_of(app_task)
            if self._graph.members(name):
                last = self._last_of(name)
                files = self._checked_files(last, None, of_group=True) if last else None
                return {"outputFiles": UNKNOWN if files is None else files} if last else {}
            return UNKNOWN if self._is_sibling(name) else checked.of(name)

        return {**self._values(), **later, "outputs": self._outputs_by_task(outputs_of)}

    def _last_of(self, group: str) -> str | None:
        return last_of(group, self._graph, self._earlier.has_no_outputs, self._run.body.finished)

    def _outputs_by_task(self, outputs_of: Callable[[str], object]) -> OutputsByTask:
        more = self._graph.tasks_in(self._place.outputs_of) if self._place.outputs_of else ()
        return OutputsByTask(self._task.id, self._graph, outputs_of, more)

    def _is_sibling(self, name: str) -> bool:
        return self._item is not None and self._graph.shares_loop(self._task.id, name)

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
        if not of_group:
            return self._earlier.own_patterns(name, item)
        return tuple(pattern for pattern in self._earlier.patterns(name, item) if pattern.of_group)

    def _values(self) -> dict[str, Any]:
        item = self._item
        return {
            **self._context.values,
            "execution": Advised(
                {**self._context.values["execution"], "state": self._execution_state()}, OTHER_PARTS["execution"]
            ),
            "task": {"id": self._task.id, "type": self._task.type},
            "workingDir": self.paths.link,
            **({"outputDir": self.paths.output_directory} if self._has_output_directory else {}),
            **(values_of_item(self._graph.loops(self._task.id), item, self._place) if item else {}),
            "taskrun": Advised(self._taskrun(), OTHER_PARTS["taskrun"]),
            "outputs": self._outputs_by_task(self._outputs),
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
        """`taskrun`, with what it has for an item.

        `attemptsCount` is 0 in a first attempt, as in `RunVariables` of Kestra, so that it is known without a retry.
        """
        loops, item = self._graph.loops(self._task.id), self._item
        of_item = values_of_item(loops, item, self._place).get("taskrun", {}) if item else {}
        count = {} if self._task.retry else {"attemptsCount": 0}
        return {"id": self.paths.link.rpartition("/")[2], **count, **of_item}

    def _states(self) -> TaskStates:
        before = self._graph.upstream_of(self._task.id)
        return TaskStates(before, self._run, self._flow, self._lookups, self._no_state)

    def _may_be_before(self, name: str) -> bool:
        return name in self._graph.upstream_of(self._task.id) or self._graph.may_be_before(self._task.id, name)

    def _no_state(self, name: str) -> str:
        return self._graph.not_before(name, STATE)

    def _outputs(self, name: str) -> object:
        """The value of `outputs.<name>`, which may be that of a group."""
        if self._graph.members(name):
            return self._of_directory(name)
        if not self._graph.is_known(name):
            return OutputsOfLoop(
                name,
                lambda: self._earlier.loop_outputs.iterations(name, self._item),
                partial(self._earlier.loop_outputs.value_of, name),
            )
        if self._earlier.has_no_outputs(name) or self._earlier.loop_outputs.are_left_out(name):
            return {}
        app_task = self._graph.app_task(name)
        return self._values_of(app_task) if app_task and not self._graph.loops(name) else self._of_task(name)

    def _of_directory(self, group: str) -> dict[str, Any]:
        last = self._last_of(group)
        ended = self._run.body.finished.get(last) if last else None
        return self._output_files(last, None, self._folder_of(group), ended, of_group=True) if last else {}

    def _folder_of(self, name: str) -> str:
        return f"{self.paths.link}/{UPSTREAM}/{name}"

    def _of_task(self, name: str) -> object:
        folder = self._folder_of(name)
        if self._item is not None and self._is_sibling(name):
            return self._of_sibling(name, self._item)
        if self._graph.is_nested(name) or self._graph.app_task(name):
            return self._by_value(name)
        if self._graph.is_fan_out(name):
            return FanOutOutputs(name, folder, lambda: self._folder(name), lambda: self._items(name, folder), self.used)
        ended = self._run.body.finished.get(name)
        outputs = self._output_files(name, None, folder, ended)
        return {**outputs, **_results(ended)} if ended else outputs

    @property
    def _has_output_directory(self) -> bool:
        return isinstance(self._task, Task) and self._task.has_output_directory

    def _values_of(self, task: AppTask) -> object:
        """The outputs of a task that the app evaluates, which is in no loop."""
        return _of_app(task, self._run.body.finished.get(task.id))

    def _of_sibling(self, name: str, item: Item) -> object:
        """The outputs of a task in the same loops: in a Loop those for the same item, in a ForEach by its value."""
        loops = self._graph.loops(name)
        if not loops[-1].is_isolated:
            return self._by_value(name, item)
        found = self._earlier.loop_outputs.sibling(name, item)
        if found is None:
            loop = loops[-1].id
            raise ExpressionError(f"{name!r} is in the loop {loop!r}; what is used after it is one of its `outputs`")
        return self._of_one(name, found)

    def _by_value(self, name: str, item: Item | None = None) -> OutputsByValue:
        lines = self._earlier.loop_outputs.lines(name)
        if item is None and name not in self._run.body.finished:
            raise NotKnownYet
        items = self._earlier.items_of(name) if item is None else self._earlier.loop_outputs.known_items_of(name)
        shared = item.lineage[: len(self._graph.loops(name))] if item else ()
        own = tuple(text_of(part.value) for part in shared)
        return OutputsByValue(name, lines, lambda place: self._at(name, items[place], item), own)

    def _at(self, name: str, of: Item, item: Item | None) -> object:
        if (ended := self._earlier.loop_outputs.ended_item(name, of.index)) is not None:
            return self._of_one(name, ended)
        if item is not None and of in item.lineage:
            return self._of_one(name, of)
        raise ExpressionError(f"{name!r} has not run for {text_of(of.value)!r} before")

    def _of_one(self, name: str, item: ItemRecord | Item) -> object:
        """The outputs of a task for one item; only its files as long as it has not ended."""
        ended = item if isinstance(item, ItemRecord) else None
        if ended and ended.is_left_out:
            return {}
        if app_task := self._graph.app_task(name):
            return _of_app(app_task, ended)
        folder = f"{self.paths.link}/{UPSTREAM}/{name}/{item.index}"
        plain = ended.item if ended else item
        files = self._output_files(name, plain, folder, ended)
        return {"index": item.place, "value": item.value, **files, **(_results(ended) if ended else {})}

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


def _of_app(task: AppTask, ended: TaskResult | None) -> object:
    return ended.outputs.vars if ended else Unknown(dict.fromkeys(task.outputs, UNKNOWN))


def _results(ended: TaskResult) -> dict[str, Any]:
    return {"vars": ended.outputs.vars, "exitCode": ended.exit_code}
