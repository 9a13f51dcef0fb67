"""An Event Grid custom topic with one webhook subscription, on one machine.

The unchanged `azure-eventgrid` publisher posts to `/api/events`. Events that pass the subscription's filter are stored
before they are acknowledged, and delivered at least once by the retry policy that is deployed (`event_subscriptions`).
`topic` is the HTTP endpoint, `events` defines which events are accepted and in which form they are delivered,
`event_store` holds the undelivered ones, `delivery` delivers them, and `retry_policy` decides what follows an attempt.

Not supported: batched delivery, destinations other than one webhook, the increasing delays with which Event Grid treats
an endpoint that keeps failing, and the five minutes before an event that was given up is written.
"""

TOPIC_KEY = "bG9jYWwtZXZlbnQtZ3JpZC10b3BpYy1rZXktMDAwMDE="
"""The access key of the local topic; it is public, like that of Azurite."""
