"""Fires timers at every occurrence of the schedule, but never while the previous invocation still runs.

An invocation that outlasts one or more occurrences is followed immediately by one more invocation. Occurrences while no
host runs are lost, as with schedules under a minute in the real host, so `past_due` is always false.
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime

from azure.functions.meta import Datum

from local.functions.app_index import IndexedFunction
from local.functions.background import BackgroundTasks
from local.functions.invocation import Invoker
from local.functions.triggers import TimerTrigger

TIMER_INFO = json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False})

_log = logging.getLogger(__name__)


async def run_timer(
    function: IndexedFunction, trigger: TimerTrigger, invoker: Invoker, background: BackgroundTasks
) -> None:
    """Fire one timer until cancelled; an invocation in progress continues as a background task."""
    _log.info("Timer '%s' fires at '%s'", function.name, trigger.schedule.expression)

    async def fire() -> None:
        invocation = invoker.invoke(function, "Timer fired", Datum(TIMER_INFO, "json"))
        await asyncio.shield(background.start(invocation))

    if trigger.run_on_startup:
        await fire()
    occurrence = trigger.schedule.next_after(datetime.now(UTC))
    while True:
        await asyncio.sleep((occurrence - datetime.now(UTC)).total_seconds())
        fired = max(datetime.now(UTC), occurrence)  # a sleep that ends a little early must not fire the timer twice
        await fire()
        occurrence = trigger.schedule.next_after(fired)
