"""The app: everything that is deployed. `submit_run`, `poll_runs` and `record_run` are the three stories to read first."""
