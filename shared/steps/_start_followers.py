"""The runs that follow one that has ended, each created once: before that one is closed, whoever closes it.

Which flows may follow is known from the document of schedules, after a listing that is younger than the end of the run.
The id of a follower follows from its flow, its trigger and the run that ended; one that has a record is not made again.
A tick submits it.
"""

from __future__ import annotations

from datetime import timedelta

from shared.app import App
from shared.documents.record import Record
from shared.documents.run import Run
from shared.documents.schedules import TriggerName
from shared.documents.trigger import EndedRun, StartedBy
from shared.log import Stage
from shared.manifest.triggers import FlowTrigger
from shared.plan.triggers import ended_run
from shared.steps._list_flows import list_flows
from shared.steps._run_of_trigger import create_run, note_accepted, read_stored_flow, run_of_trigger, starts_run

MAX_DEPTH = 20
LONGEST_LISTING = timedelta(seconds=10)


def start_followers(app: App, run: Run, record: Record) -> None:
    """Create the documents of all runs that follow a recorded one. Raises if that fails: the run then stays open."""
    for follower in followers(app, run, record):
        if created := create_run(app, follower):
            note_accepted(app, Stage.RECORD, created)


def followers(app: App, run: Run, record: Record) -> list[Run]:
    """The runs that follow one with this record, before they are stored."""
    ended, depth = ended_run(record, run.results), (record.trigger.depth if record.trigger else 0) + 1
    if ended is None or depth > MAX_DEPTH + 1:
        return []
    now = app.now()
    known = list_flows(app, now, now + LONGEST_LISTING, since=ended.ended).document
    names = known.followers(f"{ended.namespace}/{ended.flow_id}")
    return [follower for name in names if (follower := _follower(app, name, ended, depth))]


def _follower(app: App, name: TriggerName, ended: EndedRun, depth: int) -> Run | None:
    flow = read_stored_flow(app, name[0])
    triggers = flow.manifest.flow.placed_triggers.flows if flow else ()
    trigger = next((each for each in triggers if each.id == name[1]), None)
    if flow is None or trigger is None or not _follows(trigger, ended):
        return None
    by = StartedBy(id=trigger.id, type=trigger.type, flow=flow.name, ended=ended, depth=depth)
    if not starts_run(app, flow, trigger, by):
        return None
    refused = (
        f"the trigger {trigger.id!r} would start the {MAX_DEPTH + 1}st run of a chain: at most {MAX_DEPTH} runs follow"
        f" each other, so that flows which follow each other in a circle end; this one follows {ended.run_id!r}"
    )
    return run_of_trigger(app, flow, trigger, by, refused if depth > MAX_DEPTH else None)


def _follows(trigger: FlowTrigger, ended: EndedRun) -> bool:
    return trigger.after.is_met_by(ended.namespace, ended.flow_id, ended.state, ended.labels.items())
