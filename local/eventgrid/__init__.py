"""Event Grid on one machine: the app's own topic, and the system topic of the storage account.

The unchanged `azure-eventgrid` publisher posts to `/api/events`. The nodes of the Batch service post what storage would
say to `/storage/events`. Events that pass the filter of a subscription are stored before they are acknowledged, and
delivered at least once by the retry policy that is deployed (`event_subscriptions`). `topic` has the topics and their
HTTP endpoints, `events` defines which events are accepted and in which form they are delivered, `event_store` holds the
undelivered ones, `delivery` delivers those of one subscription, and `retry_policy` decides what follows an attempt.

Not supported: batched delivery, delivery in Event Grid's own schema, destinations other than webhooks, the increasing
delays with which Event Grid treats an endpoint that keeps failing, and the five minutes before an event that was given
up is written.
"""

TOPIC_KEY = "bG9jYWwtZXZlbnQtZ3JpZC10b3BpYy1rZXktMDAwMDE="
"""The access key of the app's own topic; it is public, like that of Azurite."""
OWN_PATH = "/api/events"
STORAGE_PATH = "/storage/events"
