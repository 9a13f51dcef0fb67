"""Azure on one machine: storage, Batch, Event Grid and the Functions host as processes that start and end together."""
