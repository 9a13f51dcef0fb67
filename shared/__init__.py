"""The app: everything that is deployed. Read `submit_run`, `poll_runs` and `record_run` first."""
