"""The app's log: one line per event, each a JSON object with the same few fields.

The Functions worker passes on only the level and the text of a log record: `extra` never becomes custom dimensions of
Application Insights (https://github.com/Azure/azure-functions-python-worker/issues/1327), and the exporters that could
do it would slow every cold start. So the fields are in the text, for `parse_json(Message)`.

Fields: `event` (what happened, in kebab case), `stage` (the part of the work), `run` and `job` (ids), `ms` (duration).
Some events have further fields.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from enum import StrEnum
from typing import Any

LONGEST_TRACEBACK = 5_000
"""In characters, each of which takes up to six: Application Insights cuts a message at 32,768, and half a JSON object
cannot be parsed."""


log = logging.getLogger("azure_batch_task_runner")
"""One logger for all modules, so that one filter masks every line."""


class Stage(StrEnum):
    """The part of the work that an event belongs to: one of the three stories, or planning, which two of them share."""

    SUBMIT = "submit"
    POLL = "poll"
    RECORD = "record"
    PLAN = "plan"


def log_event(stage: Stage, event: str, *, level: int = logging.INFO, **fields: Any) -> None:  # noqa: ANN401 - any JSON
    """Log an event with its fields; fields that are None are left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    log.log(level, "%s", json.dumps({"event": event, "stage": stage, **known}, default=str))


def log_exception(stage: Stage, event: str, **fields: Any) -> None:  # noqa: ANN401 - any JSON
    """Log the exception that is being handled as an error, with its traceback."""
    log_event(stage, event, level=logging.ERROR, **fields, traceback=traceback.format_exc()[-LONGEST_TRACEBACK:])


def milliseconds_since(started: float) -> int:
    """The milliseconds that have passed since `started`, a reading of `time.monotonic()`."""
    return round((time.monotonic() - started) * 1000)
