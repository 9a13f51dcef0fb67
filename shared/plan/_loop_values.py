"""What expressions see of loops: the item that they are rendered for, and the outputs of tasks for items."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.documents.items import Item
from shared.expressions.values import UNKNOWN, Budget, ExpressionError, LazyValue, text_of
from shared.manifest.blocks import Each, LoopOutput
from shared.plan.upstream import missing_item


@dataclass(frozen=True)
class PlaceInLoop:
    """Where in a loop an expression stands: in the loop itself, or in a group that is in it.

    The `outputs_of` a Loop are rendered as if after all of its tasks.
    """

    is_in_group: bool = False
    outputs_of: str | None = None


def values_of_item(loops: Sequence[Each], item: Item, at: PlaceInLoop) -> dict[str, Any]:
    """The names for an item of loops, the outermost first; none for one of the `foreach` of a task.

    That of a ForEach is `taskrun`, and `item`, too. The `parents` are the values of the groups around it that are
    children of a ForEach, the nearest first: `Execution.parents` in Kestra 1.x leaves out those without a value. That
    of a Loop is `item`, whose `parents` begin with the outermost: `RunVariables.of(LoopRun)` in Kestra 2.x.
    https://github.com/kestra-io/kestra: core/src/main/java/io/kestra/core
    """
    if not loops:
        return {"item": item.value, "taskrun": _taskrun(item)}
    levels = list(zip(loops, item.lineage, strict=False))
    isolated = [_loop_item(part) for each, part in levels if each.is_isolated]
    if levels and levels[-1][0].is_isolated:
        return {"item": _with_parents(isolated)}
    around = [part for each, part in levels if not each.is_isolated]
    nearest = reversed(around if at.is_in_group else around[:-1])
    parents = [{"taskrun": {"value": _text_or_parts(part)}} for part in nearest]
    names = {"item": _with_parents(isolated) if isolated else item.value, "taskrun": _taskrun(item)}
    return {**names, "parents": parents, **({"parent": parents[0]} if parents else {})}


def _loop_item(item: Item) -> dict[str, Any]:
    """`item` of a Loop, without its parents; its value is always a text."""
    with Budget().charged():
        value = text_of(item.value)
    return {
        "index": item.place,
        **({} if item.key is None else {"key": item.key}),
        "value": value,
    }


def _with_parents(items: list[dict[str, Any]]) -> dict[str, Any]:
    *parents, own = items
    return {**own, "parent": parents[-1], "parents": parents} if parents else own


def _taskrun(item: Item) -> dict[str, Any]:
    """`taskrun`: its value is a text, as in Kestra; lists and maps stay as they are, and their texts equal Kestra's."""
    return {"value": _text_or_parts(item), "iteration": item.place}


def _text_or_parts(item: Item) -> object:
    return item.value if isinstance(item.value, list | dict) else text_of(item.value)


class OutputsByValue(LazyValue):
    """`outputs.<task>` of a task in loops: by the texts of the values of these, the outermost first.

    `lines` are the texts of all items; `outputs_of` are the outputs of one, by its place among them. Of an item in the
    same loops, `own` are those that the two share.
    """

    def __init__(
        self,
        name: str,
        lines: Mapping[tuple[str, ...], int],
        outputs_of: Callable[[int], object],
        own: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
    ) -> None:
        self.own = own
        self._name = name
        self._lines = lines
        self._outputs_of = outputs_of
        self._before = before

    def as_text(self) -> str:
        """Raise ExpressionError: there is no text of the outputs for all values."""
        raise no_text(self._name)

    def part(self, name: object) -> object:
        """The outputs for a value. Raises KeyError if there is no such value."""
        line = (*self._before, text_of(name))
        if line not in self._lines:
            raise KeyError(name)
        place = self._lines[line]
        return (
            self._outputs_of(place)
            if place >= 0
            else OutputsByValue(self._name, self._lines, self._outputs_of, self.own, line)
        )

    def missing(self, name: str) -> str:
        """What to write instead of a value that there is not."""
        return missing_item(self._name, name)


def no_text(name: str) -> ExpressionError:
    """Why the outputs of a task for all values have no text."""
    return ExpressionError(f"name a value of {name!r}, as in `outputs['{name}'][taskrun.value]`")


def lines_of(items: Sequence[Item]) -> dict[tuple[str, ...], int]:
    """The places of items by the texts of their values, with those of the loops around; -1 for those of outer loops."""
    found: dict[tuple[str, ...], int] = {}
    for place, item in enumerate(items):
        line = tuple(text_of(part.value) for part in item.lineage)
        for length in range(1, len(line)):
            found[line[:length]] = -1
        found[line] = place
    return found


class OutputsOfLoop(LazyValue):
    """`outputs.<loop>` of a Loop of Kestra 2: how many iterations it had, and what it makes of the outputs of each."""

    def __init__(self, name: str, items: Callable[[], Sequence[Item]], of: Callable[[Item], dict[str, Any]]) -> None:
        self._name = name
        self._items = items
        self._of = of

    def as_text(self) -> str:
        """Raise ExpressionError: only the parts have a text."""
        raise ExpressionError(f"name one of the values of the loop {self._name!r}: outputs, iterationCount")

    def part(self, name: object) -> object:
        """One of the two. Raises KeyError for any other name."""
        if name == "iterationCount":
            return len(self._items())
        if name != "outputs":
            raise KeyError(name)
        return list(self._iterations())

    def _iterations(self) -> Iterator[dict[str, Any]]:
        for item in self._items():
            own = _loop_item(item)
            own["iteration"] = own.pop("index")
            if outputs := self._of(item):
                yield {"item": own, "outputs": outputs}


_AS_TEXT = frozenset(
    {"STRING", "SELECT", "ENUM", "DATE", "DATETIME", "TIME", "DURATION", "URI", "EMAIL", "FILE", "SECRET"}
)


def typed(output: LoopOutput, text: str) -> object:
    """The value of an output of a loop: its text, or what that is in JSON. Raises ExpressionError."""
    if output.type in _AS_TEXT:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"the output {output.id!r} of the loop is not of the type {output.type}") from error


def current_each_output(outputs: object) -> object:
    """`currentEachOutput()`: the outputs of a task for the values of the loops that the text is rendered for.

    `CurrentEachOutputFunction` in Kestra 1.x: core/src/main/java/io/kestra/core/runners/pebble/functions
    """
    if outputs is UNKNOWN:
        return UNKNOWN
    if not isinstance(outputs, OutputsByValue):
        raise ExpressionError("currentEachOutput() takes the outputs of a task that runs for the same values")
    for name in outputs.own:
        outputs = outputs.part(name) if isinstance(outputs, OutputsByValue) else outputs
    return outputs
