"""The items of fan-outs that have ended → the records of the fan-outs as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shared.documents.record import MAX_ITEMS_IN_RECORD, FanOutItems, Items
from shared.documents.run import Run
from shared.documents.states import SkippedBy, State
from shared.documents.task_result import Failure, ItemRecord, ItemsSummary, TaskRecord
from shared.outputs._usage import usage_of_items
from shared.outputs.cost import cost_of_items
from shared.outputs.printed import MAX_WARNINGS
from shared.plan.round_plan import SubmittedRound

_WORST_FIRST = (State.FAILED, State.KILLED, State.SKIPPED, State.WARNING, State.SUCCESS)


def fan_out_record(name: str, items: Sequence[ItemRecord]) -> TaskRecord:
    """The record of a fan-out as a whole; its state is the worst of its items' states.

    Items that a condition has left out do not count, unless it has left out all. Its time and its retries are those of
    the items that ran in this run.
    """
    states = Counter(item.state for item in items)
    counted = {item.state for item in items if not item.is_left_out}
    own = [item for item in items if item.taken_from is None]
    return TaskRecord(
        id=name,
        state=next((state for state in _WORST_FIRST if state in counted), State.SKIPPED),
        skipped=None if counted else SkippedBy.CONDITION,
        retries=sum(item.retries for item in own),
        requeue_count=sum(item.requeue_count for item in own),
        started=min((item.started for item in own if item.started), default=None),
        ended=max((item.ended for item in own if item.ended), default=None),
        slots=next((item.slots for item in own if item.slots), None),
        cost=cost_of_items(items),
        masked=any(item.masked for item in items),
        failure=_failure_of_items(items),
        warnings=tuple(f"[{item.index}]: {text}" for item in items for text in item.warnings)[:MAX_WARNINGS],
        items=ItemsSummary(
            count=len(items),
            states={state: states[state] for state in _WORST_FIRST if states[state]},
            usage=usage_of_items(name, items),
        ),
    )


def _failure_of_items(items: Sequence[ItemRecord]) -> Failure | None:
    failed = [(item.index, item.failure) for item in items if item.failure and item.state is State.FAILED]
    if not failed:
        return _allowed_failure_of(items)
    index, first = failed[0]
    message = f"{len(failed)} of {len(items)} items failed; the first, [{index}]: {first.message}"
    return Failure(category=first.category, code=first.code, message=message)


MAX_REASONS = 3


def _allowed_failure_of(items: Sequence[ItemRecord]) -> Failure | None:
    failed = [item for item in items if item.is_allowed_failure]
    if not failed or failed[0].failure is None:
        return None
    reasons = list(dict.fromkeys(item.reason for item in failed))
    more = f" and {len(reasons) - MAX_REASONS} more" if len(reasons) > MAX_REASONS else ""
    message = f"{len(failed)} of {len(items)} items failed, allowed: {', '.join(reasons[:MAX_REASONS])}{more}"
    return Failure(category=failed[0].failure.category, code=failed[0].failure.code, message=message)


def with_unfinished_fan_outs(run: Run, plan: SubmittedRound) -> Run:
    """The run with the records of fan-outs some of whose items were to run again in the round `plan`, but will not.

    These items are SKIPPED; `run.items` holds how the other items ended.
    """
    names = run.body.unfinished.keys() - run.body.finished.keys()
    items = {**(run.items or {})}
    for name in names:
        again = [task.item for task in plan.tasks if task.name == name and task.item]
        again += (each.item for each in plan.empty if each.name == name and each.item)
        again += plan.later.get(name, ())
        skipped = {item.index: ItemRecord(**dict(item), state=State.SKIPPED) for item in again}
        ended = {item.index: item for item in items.get(name, ())}
        items[name] = tuple(each for _, each in sorted({**skipped, **ended}.items()))
    records = [fan_out_record(name, items[name]) for name in names if items[name]]
    return run.with_finished(records, run.body.detected).with_items(items)


def separate_items(run: Run) -> Items | None:
    """The content of `tasks.json`: the items of the run's fan-outs, if they are too many for the record."""
    items = run.items or {}
    if sum(map(len, items.values())) <= MAX_ITEMS_IN_RECORD:
        return None
    return Items(run_id=run.id, tasks=tuple(FanOutItems(id=name, items=each) for name, each in items.items()))
