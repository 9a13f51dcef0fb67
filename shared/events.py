"""The events that the app publishes (JobEnded, RunEnded), and those that it gets (JobEnded, BlobCreated of a marker).

JobEnded is a CloudEvent of type `AzureBatchTaskRunner.JobEnded`; its subject is the run id. It is published at least
once per round and may arrive late, repeatedly and out of order: its receiver must read the run document first. The same
is true of BlobCreated, which storage publishes when a task has left its marker; it may never arrive.

RunEnded, for others, is `AzureBatchTaskRunner.RunEnded`: at least once per run, after its record was written.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from shared.documents.end_markers import MARKER_ENDINGS, EndMarker, end_marker_at
from shared.documents.run_ended import RunEnded, subject_of
from shared.log import Stage, log_event
from shared.masking import Masker

if TYPE_CHECKING:
    from azure.core.messaging import CloudEvent
    from azure.eventgrid import EventGridPublisherClient

JOB_ENDED = "AzureBatchTaskRunner.JobEnded"
RUN_ENDED = "AzureBatchTaskRunner.RunEnded"
SOURCE = "/azure-batch-task-runner"
MAX_EVENTS = 1_000  # a request may have 1 MB: https://learn.microsoft.com/azure/event-grid/quotas-limits
_NEVER_ACCEPTED = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


@dataclass(frozen=True)
class JobEnded:
    """The job of one round of a run has ended. `last`: this is the final announcement; the run must end now."""

    run_id: str
    round: int
    last: bool = False


class DeliveredEvent(Protocol):
    """An event as a Python function gets it, in either schema: CloudEvents or Event Grid's own."""

    def get_json(self) -> object:
        """The `data` of the event."""


class Events:
    """The app's own topic."""

    def __init__(self, client: EventGridPublisherClient, masker: Masker) -> None:
        self._client = client
        self._masker = masker

    def publish(self, events: Sequence[JobEnded]) -> None:
        """Publish JobEnded, up to 1,000 per call. Raises AzureError; some events may have been published then."""
        for start in range(0, len(events), MAX_EVENTS):
            self._client.send([_job_ended(event) for event in events[start : start + MAX_EVENTS]])

    def publish_end(self, ended: RunEnded) -> None:
        """Publish RunEnded; its id is the run id, so that those who get it twice can tell.

        Raises AzureError. What the topic will never accept is logged: it must not keep the run open.
        """
        from azure.core.exceptions import HttpResponseError

        try:
            self._client.send([self._run_ended(ended)])
        except HttpResponseError as error:
            if error.status_code not in _NEVER_ACCEPTED:
                raise
            log_event(
                Stage.RECORD,
                "run-ended-refused",
                level=logging.ERROR,
                run=ended.run_id,
                reason=str(error).partition("\n")[0],
            )

    def _run_ended(self, ended: RunEnded) -> CloudEvent[object]:
        from azure.core.messaging import CloudEvent

        data = self._masker.mask_all(ended.model_dump(mode="json", by_alias=True))
        subject = self._masker.mask(subject_of(ended))
        return CloudEvent(source=SOURCE, type=RUN_ENDED, id=ended.run_id, subject=subject, data=data)


def _job_ended(event: JobEnded) -> CloudEvent[dict[str, object]]:
    from azure.core.messaging import CloudEvent

    data = {"runId": event.run_id, "round": event.round, "last": event.last}
    return CloudEvent(source=SOURCE, type=JOB_ENDED, subject=event.run_id, data=data)


def parse(event: DeliveredEvent) -> JobEnded | EndMarker | None:
    """Parse a delivered event of either schema; None if it is that of another blob whose name ends like a marker's.

    Raises ValueError for any other event: a subscription has the wrong filter.

    Only `data` is read: azure-functions before 1.25 passes a CloudEvent with all other fields empty.
    """
    match event.get_json():
        case {"runId": str(run_id), "round": int(round_number), **rest}:
            return JobEnded(run_id, round_number, last=rest.get("last") is True)
        case {"url": str(url)} if url.endswith(MARKER_ENDINGS):
            return end_marker_at(url)
    raise ValueError(
        f"This is neither a {JOB_ENDED} event nor that of a new marker blob: its data must have runId and round, or"
        " the url of a marker. Check the filters of the subscriptions."
    )
