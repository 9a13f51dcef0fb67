"""When stored flows start by their schedules, and how their last runs ended."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime

from batchrun.client.flows import Flows
from batchrun.client.given import what_is_readable
from batchrun.client.ledger import LedgerReader
from shared.documents.ledger import LedgerLine, LineKind
from shared.parallel import in_parallel
from shared.schedules import Schedule

MOST_DAYS = 31
"""Of how many days that have runs the ledger is read for the last run of each flow."""


def next_times(flows: Flows, names: Iterable[str], now: datetime) -> dict[str, datetime | None]:
    """When each flow is due next by its schedules, whatever their `when` says; None if it has none, or is wrong."""
    all_names = list(names)
    found = in_parallel(lambda name: _next_time(flows, name, now), all_names)
    return dict(zip(all_names, found, strict=True))


def _next_time(flows: Flows, name: str, now: datetime) -> datetime | None:
    blob = flows.read(name)
    manifest = what_is_readable(blob.text, blob.name, stored=True)
    schedules = manifest.flow.placed_triggers.schedules if manifest else ()
    times = (Schedule(each.normal_cron, each.timezone).next_after(now) for each in schedules)
    return min(filter(None, times), default=None)


def last_runs(ledger: LedgerReader, names: Iterable[str]) -> Mapping[str, LedgerLine]:
    """The last run of each flow that has been recorded, if it was dropped on one of the last days that have runs."""
    wanted, found = set(names), dict[str, LedgerLine]()
    for day in itertools.islice(ledger.days(), MOST_DAYS):
        if not wanted - found.keys():
            break
        lines = (line for line in ledger.of_day(day).values() if line.kind is LineKind.RECORDED)
        for line in sorted(lines, key=lambda line: line.dropped, reverse=True):
            name = f"{line.flow.namespace}/{line.flow.id}"
            if name in wanted:
                found.setdefault(name, line)
    return found
