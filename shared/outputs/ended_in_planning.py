"""Tasks, and items of tasks in loops, that end while a round is planned → the run with them."""

from __future__ import annotations

from collections.abc import Mapping

from shared.documents.run import Run
from shared.documents.states import State
from shared.documents.task_result import ItemRecord
from shared.manifest.read import Manifest
from shared.outputs.fan_outs import fan_out_record
from shared.outputs.nothing_to_run import items_of_nothing, records_of_nothing
from shared.plan.lookups import MissingData
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import EndedInPlanning, RoundPlan
from shared.settings import Settings

Items = Mapping[str, tuple[ItemRecord, ...]]


def ended_items(ended: EndedInPlanning) -> dict[str, tuple[ItemRecord, ...]]:
    """The items of tasks in loops that have ended, by task."""
    return items_of_nothing(ended.tasks, _at_once)


def with_ended(run: Run, ended: EndedInPlanning, items: Items) -> Run:
    """The run with what has ended; `items` are all that have, in this round or before, by task."""
    whole = [task for task in ended.tasks if task.item is None]
    by_item = dict.fromkeys(task.name for task in ended.tasks if task.item and task.name not in ended.later)
    records = (fan_out_record(name, items[name]) for name in by_item)
    finished = (*records_of_nothing(whole, _at_once, items), *records)
    return run.with_finished(finished, run.body.detected).with_unfinished(ended.later)


def plan_with_ended(manifest: Manifest, run: Run, settings: Settings) -> tuple[Run, RoundPlan | MissingData]:
    """The plan after the tasks that end in planning, and the run with them, of which nothing is stored.

    Raises ManifestError as `plan_round` does.
    """
    while isinstance(plan := plan_round(manifest, run, settings), EndedInPlanning):
        items = {**(run.items or {})}
        for name, records in ended_items(plan).items():
            items[name] = tuple(sorted((*items.get(name, ()), *records), key=lambda record: record.index))
        run = with_ended(run, plan, items).with_part_of_planning().with_items(items)
    return run, plan


def _at_once(_: tuple[int, ...]) -> State:
    return State.SUCCESS
