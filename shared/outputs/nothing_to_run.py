"""What is recorded of tasks, and of items of tasks in loops, that needed no task in Batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.outputs.fan_outs import fan_out_record
from shared.outputs.judgement import Judgement
from shared.outputs.record_tasks import record_of_nothing
from shared.plan.round_plan import NothingToRun, SubmittedRound

StateOf = Callable[[tuple[int, ...]], State | None]
"""The state of what waits for tasks of a round, by their numbers; None if its turn is yet to come."""


def items_of_nothing(empty: Sequence[NothingToRun], state_of: StateOf) -> dict[str, tuple[ItemRecord, ...]]:
    """The items that needed no task, by task: left out, kept from running by a failure, or evaluated by the app."""
    found: dict[str, list[ItemRecord]] = {}
    for each in empty:
        if each.item is None or (state := state_of(each.waits_for)) is None:
            continue
        is_well = state is State.SUCCESS
        record = (
            each.item_record(each.record.skipped) if is_well else ItemRecord(**dict(each.item), state=State.SKIPPED)
        )
        found.setdefault(each.name, []).append(record)
    return {name: tuple(items) for name, items in found.items()}


def records_of_nothing(
    empty: Sequence[NothingToRun], state_of: StateOf, items: Mapping[str, tuple[ItemRecord, ...]]
) -> Iterator[TaskRecord]:
    """The records of tasks with nothing to run; `items` are those of tasks of which some ran in earlier rounds."""
    for each in empty:
        if each.item is not None or (state := state_of(each.waits_for)) is None:
            continue
        ended = items.get(each.name)
        record = fan_out_record(each.name, ended) if ended else record_of_nothing(each, state)
        is_wrong = bool(ended) and each.record.failure is not None
        failure = {"state": each.record.state, "failure": each.record.failure} if is_wrong else {}
        yield record.model_copy(update=failure)


def unfinished_items(plan: SubmittedRound, judgement: Judgement) -> dict[str, tuple[int, ...]]:
    """The indexes of the items of loops that are left for later rounds, by task."""
    found = {name: tuple(item.index for item in items) for name, items in plan.later.items()}
    for each in plan.empty:
        if each.item is not None and judgement.of_empty(each.waits_for) is None:
            found[each.name] = (*found.get(each.name, ()), each.item.index)
    return found
