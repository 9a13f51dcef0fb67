"""Which tasks run when, in which jobs."""
