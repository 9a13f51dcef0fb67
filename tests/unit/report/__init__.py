"""The report of a run, and the previews in it."""
