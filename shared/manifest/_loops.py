"""Loops: the language for what runs once for each value, apart from the tasks in them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from shared.manifest.blocks import Each, LoopOutput
from shared.manifest.task import MAX_ITEMS, Foreach
from shared.manifest.types import NoEffect, Properties, PropertyPath, Text

MANY_VALUES = 5


def _kind_of_values(value: object) -> str | None:
    match value:
        case dict():
            return "<map>"
        case list() | tuple():
            return "<list>"
        case str():
            return "<text>"
    return None


def _is_transmitted(value: object) -> object:
    if value is False:
        raise ValueError(
            "a failure in an iteration is one of the loop; for the loop to go on, use `allowFailure` on tasks"
        )
    return value


class ForEachProperties(Properties):
    """The properties of a ForEach."""

    values: Foreach
    """As `foreach` of a task. `{{ taskrun.value }}` is the value, with numbers and booleans as text; the parts of
    a map can be named, as in `{{ taskrun.value.name }}`, where Kestra has only their JSON. `{{ taskrun.iteration }}`
    counts the values from 0. In a group inside, Kestra calls it `{{ parent.taskrun.value }}`; in a loop inside, that is
    the value of the loop around it, and `{{ parents[1].taskrun.value }}` that of the next one.
    `{{ outputs.<task>[taskrun.value].vars.x }}` is what an earlier task printed for the same value; for a loop in a
    loop, `{{ outputs.<task>['<outer value>']['<value>'].vars.x }}`. Values that are the same as text run once; null is
    an error."""
    concurrency_limit: Annotated[int, Field(ge=0)] = 1
    """For how many values the tasks run at once at most; 0 for all. With 1 they run one value after the other, and
    nothing else of the run meanwhile. With a limit of *n*, a value begins once the tasks of the *n*-th before it have
    ended. None begins any more once a task has failed for one, unless it may fail (`allowFailure`); what has begun goes
    on. With 0, a failure stops only the tasks of its own value."""

    @property
    def is_serial_by_default(self) -> bool:
        """Whether many values, or nobody knows how many, run one after the other without anybody having said so."""
        return "concurrency_limit" not in self.model_fields_set and _count(self.values) >= MANY_VALUES

    def each(self, name: str, path: PropertyPath) -> Each:
        """The loop of this name, whose group is at `path`."""
        return Each(name, (*path, "values"), self.values, self.concurrency_limit, self.is_serial_by_default)


class OutputOfLoop(Properties):
    """A value of each iteration of a Loop."""

    id: str
    """Its name."""
    type: str = "STRING"
    """The type of the value, as that of an input: `STRING`, `INT`, `FLOAT`, `BOOL`, `JSON`, `ARRAY` and so on."""
    value: Text
    """A text with expressions, rendered where the value is used, as if in the iteration: `{{ outputs.<task>.vars.x }}`
    is that of the same iteration."""
    description: str | None = None
    """For readers."""
    display_name: Annotated[str | None, NoEffect("a value has its `id` as its name")] = None
    required: Annotated[bool, NoEffect("a value that cannot be rendered is an error where it is used")] = True


class LoopProperties(Properties):
    """The properties of a Loop."""

    values: Annotated[
        Annotated[tuple[Any, ...], Field(max_length=MAX_ITEMS), Tag("<list>")]
        | Annotated[dict[str, Any], Field(max_length=MAX_ITEMS), Tag("<map>")]
        | Annotated[str, Tag("<text>")],
        Discriminator(
            _kind_of_values,
            custom_error_type="foreach",
            custom_error_message="expected a list, a map, or an expression that renders to one of them in JSON",
        ),
    ]
    """A list, a map, or a text that renders to one of them in JSON. `{{ item.value }}` is the value as text, maps and
    lists as JSON (`{{ fromJson(item.value).name }}`), `{{ item.index }}` its place, from 0, and `{{ item.key }}` its
    key in a map. In a loop in a loop, `item.parent` is that of the loop around it, and `item.parents` are those of all
    loops around it, the outermost first. Values of a list that are the same as text run once; null is an error."""
    concurrency_limit: Annotated[int, Field(ge=0)] = 1
    """As that of a ForEach: for how many values the tasks run at once at most; 0 for all."""
    transmit_failed: Annotated[Literal[True], BeforeValidator(_is_transmitted)] = True
    """A failure in an iteration is one of the loop: `false` is an error."""
    outputs: tuple[OutputOfLoop, ...] = ()
    """What later tasks can use of each iteration: `{{ outputs.<loop>.outputs[0].outputs.<id> }}`, with the value in
    `{{ outputs.<loop>.outputs[0].item.value }}`; `{{ loopOutputs(outputs.<loop>.outputs, '<id>') }}` is the list of
    all. `{{ outputs.<loop>.iterationCount }}` is how many there were."""
    fetch_type: Literal["AUTO", "FETCH"] = "AUTO"
    """Where these are kept, which is always where expressions find them."""

    @property
    def is_serial_by_default(self) -> bool:
        """Whether many values, or nobody knows how many, run one after the other without anybody having said so."""
        return "concurrency_limit" not in self.model_fields_set and _count(self.values) >= MANY_VALUES

    def each(self, name: str, path: PropertyPath) -> Each:
        """The loop of this name, whose group is at `path`."""
        outputs = tuple(
            LoopOutput(each.id, (*path, "outputs", index, "value"), each.type, each.value)
            for index, each in enumerate(self.outputs)
        )
        serial = self.is_serial_by_default
        return Each(name, (*path, "values"), self.values, self.concurrency_limit, serial, True, outputs)


def _count(values: object) -> int:
    match values:
        case tuple() | list() | dict():
            return len(values)
        case int(number):
            return number
    return MANY_VALUES


def no_foreach(tasks: Sequence[Any]) -> Sequence[Any]:
    """The tasks of a loop. Raises ValueError if one of them, or one in a group of them, has a `foreach`."""
    todo = list(tasks)
    while todo:
        task = todo.pop()
        task = getattr(task, "task", task)
        if getattr(task, "foreach", None) is not None:
            raise ValueError(
                f"the task {task.id!r} in a loop cannot have a `foreach` of its own: put it into a ForEach there"
            )
        todo += itertools.chain.from_iterable(getattr(task, name, ()) for name in _LISTS)
        todo += itertools.chain.from_iterable(getattr(task, "cases", {}).values())
    return tasks


_LISTS = ("tasks", "then", "else_", "defaults")
