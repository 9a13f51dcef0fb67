"""A round in which nothing needs a node is recorded without a job."""

from __future__ import annotations

from collections.abc import Sequence

from shared.app import App
from shared.documents.run import Part, Run
from shared.documents.states import State
from shared.outputs.nothing_to_run import records_of_nothing, skipped_items
from shared.plan.round_plan import NothingToRun


def with_nothing(app: App, run: Run, empty: Sequence[NothingToRun]) -> Run:
    """The run with the records of what has nothing to run, and waits for no task of its round."""
    skipped = skipped_items(empty, _at_once)
    if skipped:
        app.parts.keep(run, 0, Part(items=skipped))
        run = run.with_parts()
    items = app.parts.items(run.id) if skipped or run.body.unfinished else {}
    whole = [each for each in empty if each.item is None]
    names = dict.fromkeys(each.name for each in empty if each.item is not None)
    by_item = [NothingToRun(name) for name in names]
    return run.with_finished(records_of_nothing([*whole, *by_item], _at_once, items), None)


def _at_once(_: tuple[int, ...]) -> State:
    return State.SUCCESS
