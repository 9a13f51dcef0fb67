"""Builds, publishes and parses JobEnded events.

JobEnded is a CloudEvent of type `AzureBatchTaskRunner.JobEnded`; its subject is the run id. It is published at least
once per round and may arrive late, repeatedly and out of order: its receiver must read the run document first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from azure.core.messaging import CloudEvent
    from azure.eventgrid import EventGridPublisherClient

EVENT_TYPE = "AzureBatchTaskRunner.JobEnded"
SOURCE = "/azure-batch-task-runner"
MAX_EVENTS = 1_000  # a request may have 1 MB: https://learn.microsoft.com/azure/event-grid/quotas-limits


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
    """The topic to which JobEnded is published."""

    def __init__(self, client: EventGridPublisherClient) -> None:
        self._client = client

    def publish(self, events: Sequence[JobEnded]) -> None:
        """Publish the events, up to 1,000 per call. Raises AzureError; some events may have been published then."""
        for start in range(0, len(events), MAX_EVENTS):
            self._client.send([_cloud_event(event) for event in events[start : start + MAX_EVENTS]])


def _cloud_event(event: JobEnded) -> CloudEvent[dict[str, object]]:
    from azure.core.messaging import CloudEvent

    data = {"runId": event.run_id, "round": event.round, "last": event.last}
    return CloudEvent(source=SOURCE, type=EVENT_TYPE, subject=event.run_id, data=data)


def parse(event: DeliveredEvent) -> JobEnded:
    """Parse a delivered event of either schema. Raises ValueError if it is not a JobEnded event.

    Only `data` is read: azure-functions before 1.25 passes a CloudEvent with all other fields empty.
    """
    data = event.get_json()
    match data:
        case {"runId": str(run_id), "round": int(round_number), **rest}:
            return JobEnded(run_id, round_number, last=rest.get("last") is True)
    raise ValueError(
        f"This is not a {EVENT_TYPE} event: its data must have runId and round. Check the subscription's filter."
    )
