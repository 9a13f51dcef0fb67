"""The outputs of earlier tasks for texts that are only checked: what can be known of them before the tasks have run."""

from __future__ import annotations

from collections.abc import Callable

from shared.documents.items import Item
from shared.documents.run import Run
from shared.expressions.values import UNKNOWN, LazyValue, Unknown, text_of
from shared.plan._graph import FlowGraph
from shared.plan._loop_values import no_text
from shared.plan.upstream import UpstreamFiles, missing_item

_OF_A_TASK = ("vars", "exitCode", "outputFiles")
_ANY_ITEM = Unknown(dict.fromkeys(("index", "value", *_OF_A_TASK), UNKNOWN))


class _CheckedByValue(Unknown):
    """The outputs of a task in loops in each other, which have no text as a whole."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def as_text(self) -> str:
        """Raise ExpressionError."""
        raise no_text(self._name)


class CheckedOutputs:
    """Makes the value of `outputs.<name>` for a check; `files_of` are the files of a task, or of one of its items."""

    def __init__(
        self,
        run: Run,
        graph: FlowGraph,
        items_of: Callable[[str], tuple[Item, ...] | None],
        files_of: Callable[[str, Item | None], UpstreamFiles | None],
    ) -> None:
        self._run = run
        self._graph = graph
        self._items_of = items_of
        self._files_of = files_of

    def of(self, name: str) -> object:
        """The value of `outputs.<name>`."""
        if self._graph.is_nested(name):
            return _CheckedByValue(name) if self._graph.is_known(name) else UNKNOWN
        if app_task := self._graph.app_task(name):
            of_item = Unknown(dict.fromkeys(app_task.outputs, UNKNOWN))
            return _CheckedFanOut(name, self._items_of(name), lambda _: of_item, of_item)
        if self._graph.is_fan_out(name):
            return _CheckedFanOut(name, self._items_of(name), lambda item: self._outputs(name, item), _ANY_ITEM)
        if ended := self._run.body.finished.get(name):
            outputs = {"vars": ended.outputs.vars, "exitCode": ended.exit_code}
            return {"outputFiles": self._files(name, None), **outputs}
        return self._outputs(name, None)

    def _outputs(self, name: str, item: Item | None) -> Unknown:
        of_item = {} if item is None else {"index": item.index, "value": item.value}
        return Unknown({**of_item, "vars": UNKNOWN, "exitCode": UNKNOWN, "outputFiles": self._files(name, item)})

    def _files(self, name: str, item: Item | None) -> LazyValue:
        files = self._files_of(name, item)
        return UNKNOWN if files is None else files


class _CheckedFanOut(LazyValue):
    """`outputs.<fan-out>`, some of whose items may be known."""

    def __init__(
        self, name: str, items: tuple[Item, ...] | None, outputs_of: Callable[[Item], object], any_item: Unknown
    ) -> None:
        self._name = name
        self._items = items
        self._outputs_of = outputs_of
        self._any_item = any_item

    def as_text(self) -> str:
        """The folder, whose path is of no interest here."""
        return ""

    def part(self, name: object) -> object:
        """An item's outputs. Raises KeyError if there can be no such item."""
        if isinstance(name, Unknown) or (self._items is None and name not in _OF_A_TASK):
            return self._any_item
        for item in self._items or () if not isinstance(name, bool) else ():
            if name == (text_of(item.value) if isinstance(name, str) else item.index):
                return self._outputs_of(item)
        raise KeyError(name)

    def missing(self, name: str) -> str:
        """What to write instead."""
        return missing_item(self._name, name)
