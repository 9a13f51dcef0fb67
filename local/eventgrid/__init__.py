"""An Event Grid custom topic with one webhook subscription, on one machine.

The unchanged `azure-eventgrid` publisher posts to `/api/events`; events are stored before they are acknowledged, and
delivered at least once. `events`: what is accepted, and how it is delivered. `retry_policy`: what follows an attempt.
`event_store`: what is not delivered yet. `delivery`: the subscription at work. `topic`: the HTTP endpoint.

Not here: filters, batched delivery, other destinations than one webhook, and the longer and longer delays that Event
Grid gives to endpoints which keep failing.
"""

TOPIC_KEY = "bG9jYWwtZXZlbnQtZ3JpZC10b3BpYy1rZXktMDAwMDE="
"""The access key of the local topic; well-known, as Azurite's."""
