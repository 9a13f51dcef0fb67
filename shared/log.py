"""The app's log: one line an event, each a JSON object with the same few fields.

The Functions worker hands on a record's level and text and nothing else of it: what is passed as `extra` never becomes
custom dimensions of Application Insights (https://github.com/Azure/azure-functions-python-worker/issues/1327), and the
exporters that could do it would slow every cold start. So the fields are in the text, for `parse_json(Message)`.

`event` what happened, in kebab case; `stage` in which part of the work; `run` and `job` their ids; `ms` how long it
took. Some events have fields of their own beside these.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from enum import StrEnum
from typing import Any

LONGEST_TRACEBACK = 5_000
"""Application Insights cuts a message at 32,768 characters, and half a JSON object cannot be read; a character takes up
to six."""


log = logging.getLogger("azure_batch_task_runner")
"""One logger for all modules, so that one filter masks whatever goes through it."""


class Stage(StrEnum):
    """Which part of the work an event belongs to: the three stories, and the planning that two of them share."""

    SUBMIT = "submit"
    POLL = "poll"
    RECORD = "record"
    PLAN = "plan"


def log_event(stage: Stage, event: str, *, level: int = logging.INFO, **fields: Any) -> None:  # noqa: ANN401 - any JSON
    """Log an event with its fields; those that are None are left out. Inside of `except`, `error` is a useful one."""
    known = {name: value for name, value in fields.items() if value is not None}
    log.log(level, "%s", json.dumps({"event": event, "stage": stage, **known}, default=str))


def log_exception(stage: Stage, event: str, **fields: Any) -> None:  # noqa: ANN401 - any JSON
    """Log the exception that is being handled as an error, with its traceback."""
    log_event(stage, event, level=logging.ERROR, **fields, traceback=traceback.format_exc()[-LONGEST_TRACEBACK:])


def milliseconds_since(started: float) -> int:
    """The time that has passed since `started`, a reading of `time.monotonic()`."""
    return round((time.monotonic() - started) * 1000)
