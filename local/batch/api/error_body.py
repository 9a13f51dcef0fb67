"""How errors look over the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from local.batch.errors import BatchError
from local.batch.models.common import time_text


def error_body(error: BatchError, request_id: str) -> dict[str, Any]:
    """Return an error as JSON, as the body of an answer and inside the results of `addtaskcollection`."""
    message = f"{error.error.message}\nRequestId:{request_id}\nTime:{time_text(datetime.now(UTC))}"
    body: dict[str, Any] = {"code": error.error.code, "message": {"lang": "en-US", "value": message}}
    if error.details:
        body["values"] = [{"key": key, "value": value} for key, value in error.details.items()]
    return body
