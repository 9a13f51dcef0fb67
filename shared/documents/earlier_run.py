"""What a run that retries another one knows of that."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from shared.documents.record import RetryRef


class EarlierRun(RetryRef):
    """The run that a retry runs again: its folder in the results, and the inputs, labels and seed that it had.

    The retry begins with the tasks `begin`, and with those that did not end well. It may be `of_stored_flow`.
    """

    begin: tuple[str, ...] = ()
    inputs: dict[str, Any] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    seed: str | None = None
    of_stored_flow: bool = False
