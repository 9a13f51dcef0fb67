"""The event subscriptions of `infra/subscriptions.bicep`: their numbers here, and what the filters mean.

The local services deliver what these let through and as often as they say. A test compares the numbers with the
template. Filters: https://learn.microsoft.com/azure/event-grid/event-filtering. Not here: other operators than the
deployed ones, and arrays as values (`enableAdvancedFilteringOnArrays`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

MAX_ADVANCED_FILTERS = 25
MAX_FILTER_VALUES = 25
"""In all advanced filters of a subscription together."""
MAX_VALUE_LENGTH = 512


@dataclass(frozen=True)
class StringEndsWith:
    """An advanced filter: the text at `key` ends with one of the values, in any case."""

    key: str
    values: tuple[str, ...]

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether an event passes; one without the key does not."""
        value = _value_at(event, self.key)
        return isinstance(value, str) and value.lower().endswith(tuple(map(str.lower, self.values)))


@dataclass(frozen=True)
class NumberLessThanOrEquals:
    """An advanced filter: the number at `key` is not greater than the value."""

    key: str
    value: float

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether an event passes; one without the key, or with something else than a number there, does not."""
        value = _value_at(event, self.key)
        return isinstance(value, int | float) and not isinstance(value, bool) and value <= self.value


AdvancedFilter = StringEndsWith | NumberLessThanOrEquals


@dataclass(frozen=True)
class EventFilter:
    """Which events a subscription gets: those that satisfy all conditions. Texts are compared without regard to case.

    Raises ValueError beyond Event Grid's limits for advanced filters.
    """

    included_event_types: tuple[str, ...]
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    advanced_filters: tuple[AdvancedFilter, ...] = ()

    def __post_init__(self) -> None:
        texts = [text for each in self.advanced_filters if isinstance(each, StringEndsWith) for text in each.values]
        numbers = [each for each in self.advanced_filters if isinstance(each, NumberLessThanOrEquals)]
        if len(self.advanced_filters) > MAX_ADVANCED_FILTERS or len(texts) + len(numbers) > MAX_FILTER_VALUES:
            raise ValueError(
                f"A subscription has at most {MAX_ADVANCED_FILTERS} advanced filters with {MAX_FILTER_VALUES} values."
            )
        if any(len(text) > MAX_VALUE_LENGTH for text in texts):
            raise ValueError(f"A value of an advanced filter has at most {MAX_VALUE_LENGTH} characters.")

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether an event passes, in CloudEvents' schema or Event Grid's own."""
        event_type = str(event.get("type") or event.get("eventType")).lower()
        subject = str(event.get("subject") or "").lower()
        return (
            event_type in map(str.lower, self.included_event_types)
            and subject.startswith(self.subject_begins_with.lower())
            and subject.endswith(self.subject_ends_with.lower())
            and all(each.matches(event) for each in self.advanced_filters)
        )


def _value_at(event: Mapping[str, object], key: str) -> object:
    """The value at `data.contentLength` or the like, None if there is none; names are found in any case."""
    value: object = event
    for name in key.lower().split("."):
        if not isinstance(value, Mapping):
            return None
        value = next((found for each, found in value.items() if each.lower() == name), None)
    return value


@dataclass(frozen=True)
class RetryPolicy:
    """How long Event Grid tries to deliver an event: until one of the two is reached.

    https://learn.microsoft.com/azure/event-grid/delivery-and-retry#retry-policy
    """

    max_delivery_attempts: int
    event_time_to_live: timedelta


@dataclass(frozen=True)
class EventSubscription:
    """One subscription of a topic; it gets CloudEvents, in whichever schema they are published."""

    name: str
    filter: EventFilter
    retry_policy: RetryPolicy


RETRY_POLICY = RetryPolicy(max_delivery_attempts=10, event_time_to_live=timedelta(minutes=60))
JOB_ENDED = "AzureBatchTaskRunner.JobEnded"
RUN_ENDED = "AzureBatchTaskRunner.RunEnded"
BLOB_CREATED = "Microsoft.Storage.BlobCreated"
MARKER_ENDINGS = ("/task.ended", "/job.ended")

RECORD_RUN = EventSubscription("record-run", EventFilter((JOB_ENDED,)), RETRY_POLICY)
"""What the app's own topic delivers to the app."""
TASK_ENDED = EventSubscription(
    "task-ended",
    EventFilter((BLOB_CREATED,), advanced_filters=(StringEndsWith("Subject", MARKER_ENDINGS),)),
    RETRY_POLICY,
)
"""What the storage account's system topic delivers to `record_run`: the markers of tasks that have ended."""


def subscription_to_ended_runs(name: str) -> EventSubscription:
    """What the app's own topic delivers to somebody who follows runs: `docs/events.md`."""
    return EventSubscription(name, EventFilter((RUN_ENDED,)), RETRY_POLICY)


INBOX_ENDINGS = (".yaml", ".yml", ".json", ".cancel", ".retry")
INBOX_LARGEST_BYTES = 1_114_112


def inbox_filter(container: str) -> EventFilter:
    """The filter of the subscription that brings new blobs of the inbox to the Functions host."""
    return EventFilter(
        included_event_types=(BLOB_CREATED,),
        subject_begins_with=f"/blobServices/default/containers/{container}/",
        advanced_filters=(
            StringEndsWith("Subject", INBOX_ENDINGS),
            NumberLessThanOrEquals("data.contentLength", INBOX_LARGEST_BYTES),
        ),
    )


def blob_created(container: str, blob: str, content_length: int) -> dict[str, object]:
    """What the filter of a storage account's subscription sees of a new blob.

    https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
    """
    return {
        "eventType": BLOB_CREATED,
        "subject": f"/blobServices/default/containers/{container}/blobs/{blob}",
        "data": {"contentLength": content_length},
    }
