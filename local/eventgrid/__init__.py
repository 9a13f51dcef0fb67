"""An Event Grid custom topic with one webhook subscription, on one machine.

The unchanged `azure-eventgrid` publisher posts to `/api/events`; events that pass the subscription's filter are stored
before they are acknowledged, and delivered at least once, by the retry policy that is deployed (`event_subscriptions`).
`events`: what is accepted, and how it is delivered. `retry_policy`: what follows an attempt. `event_store`: what is not
delivered yet. `delivery`: the subscription at work. `topic`: the HTTP endpoint.

Not here: batched delivery, other destinations than one webhook, the longer and longer delays that Event Grid gives to
endpoints which keep failing, and the five minutes before an event that was given up is written.
"""

TOPIC_KEY = "bG9jYWwtZXZlbnQtZ3JpZC10b3BpYy1rZXktMDAwMDE="
"""The access key of the local topic; well-known, as Azurite's."""
