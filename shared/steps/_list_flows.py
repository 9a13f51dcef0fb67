"""Keeps the document of schedules as the stored flows are: ticks list them once a minute.

What follows a run is asked of a listing that is younger than its end, so that no flow is missed that was stored before.

A flow is read once in each version. Reading it tells what ticks and recorders must know of its triggers; whether one
starts a run, and with what, is decided on the version that is there then.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from shared.app import App, isolate_failures
from shared.documents.schedules import KnownFlow, KnownSchedule, Schedules
from shared.errors import ManifestError, RunChanged
from shared.log import Stage, log_event
from shared.manifest.triggers import Triggers
from shared.parallel import in_parallel
from shared.plan.run_manifest import stored_manifest
from shared.storage.flows import FlowVersion
from shared.storage.schedules import StoredSchedules

LISTED_EVERY = timedelta(minutes=1)
MAX_CONFLICTS = 5


def list_flows(app: App, now: datetime, deadline: datetime, since: datetime | None = None) -> StoredSchedules:
    """The document of schedules as the flows were at some time after a moment; without one, in the last minute."""
    for _ in range(MAX_CONFLICTS):
        stored = app.schedules.last()
        if app.schedules.are_flows_listed(now - LISTED_EVERY if since is None else since, now):
            return stored
        if _versions(stored.document) == _etags(app.flows.list()):
            app.schedules.note_listed(now)
            return stored
        with suppress(RunChanged):  # by another listing, or by somebody who has started runs
            return _read_changed(app, now, deadline)
    return app.schedules.read()


def _versions(document: Schedules) -> dict[str, str]:
    return {name: flow.etag for name, flow in document.flows.items()}


def _etags(listed: Mapping[str, FlowVersion]) -> dict[str, str]:
    return {name: version.etag for name, version in listed.items()}


def _read_changed(app: App, now: datetime, deadline: datetime) -> StoredSchedules:
    """Read the flows that have changed, as many as there is time for; the next tick reads the others.

    The document is read before the flows are listed: one that a later listing has written is not written over. Raises
    RunChanged then.
    """
    stored = app.schedules.read()
    listed = app.flows.list()
    known = _versions(stored.document)
    changed = [name for name, version in listed.items() if known.get(name) != version.etag]
    found: dict[str, KnownFlow] = {}

    def read(name: str) -> None:
        if app.now() < deadline:
            with isolate_failures(Stage.POLL, blob=name):
                if flow := _known_flow(app, name, listed[name]):
                    found[name] = flow

    in_parallel(read, changed)
    is_whole = len(found) == len(changed)
    document = stored.document.with_flows(found, listed, now if is_whole else None)
    if document.flows != stored.document.flows:
        stored = app.schedules.save(replace(stored, document=document))
    if is_whole:
        app.schedules.note_listed(now)
    return stored


def _known_flow(app: App, name: str, version: FlowVersion) -> KnownFlow | None:
    """What is to be known of a flow; None if it has changed since it was listed."""
    blob = app.flows.read(name)
    if blob.etag != version.etag:
        return None
    try:
        triggers = stored_manifest(blob, name).flow.placed_triggers
    except ManifestError as error:
        reason = str(error)[:300]
        log_event(Stage.POLL, "flow-starts-nothing", level=logging.WARNING, flow=name, etag=blob.etag, reason=reason)
        return KnownFlow(etag=version.etag, is_wrong=True)
    return _of_triggers(triggers, version)


def _of_triggers(triggers: Triggers, version: FlowVersion) -> KnownFlow:
    return KnownFlow(
        etag=version.etag,
        schedules={
            each.id: KnownSchedule(cron=each.normal_cron, timezone=each.timezone, since=version.last_modified)
            for each in triggers.schedules
        },
        follows={each.id: f"{each.after.namespace}/{each.after.flow_id}" for each in triggers.flows},
    )
