"""What is recorded of tasks, and of items of tasks in loops, that needed no task in Batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from shared.documents.record import ItemRecord, TaskRecord
from shared.documents.states import SkippedBy, State
from shared.outputs.judgement import Judgement
from shared.outputs.record_tasks import fan_out_record, record_of_nothing
from shared.plan.round_plan import NothingToRun, SubmittedRound

StateOf = Callable[[tuple[int, ...]], State | None]
"""The state of what waits for tasks of a round, by their numbers; None if its turn is yet to come."""


def skipped_items(empty: Sequence[NothingToRun], state_of: StateOf) -> dict[str, tuple[ItemRecord, ...]]:
    """The items that needed no task, by task: left out by a condition, or kept from running by a failure."""
    found: dict[str, list[ItemRecord]] = {}
    for each in empty:
        if each.item is None or (state := state_of(each.waits_for)) is None:
            continue
        skipped = SkippedBy.CONDITION if each.record.is_left_out and state is State.SUCCESS else None
        record = ItemRecord(**dict(each.item), state=State.SKIPPED, skipped=skipped)
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
        yield fan_out_record(each.name, ended) if ended else record_of_nothing(each, state)


def unfinished_items(plan: SubmittedRound, judgement: Judgement) -> dict[str, tuple[int, ...]]:
    """The indexes of the items of loops that are left for later rounds, by task."""
    found = {name: tuple(item.index for item in items) for name, items in plan.later.items()}
    for each in plan.empty:
        if each.item is not None and judgement.of_empty(each.waits_for) is None:
            found[each.name] = (*found.get(each.name, ()), each.item.index)
    return found
