"""What goes wrong before a task's command runs."""

from __future__ import annotations

from local.batch.models.common import FailureInfo


class PreProcessingError(Exception):
    """The task's command cannot be run; `failure` is what the task reports. Batch never retries this."""

    def __init__(self, failure: FailureInfo) -> None:
        self.failure = failure
        super().__init__(f"{failure.code}: {failure.message}")
