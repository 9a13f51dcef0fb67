"""Azure on one machine: never deployed, never imported by `shared` or `batchrun`."""
