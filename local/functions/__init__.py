"""The Functions host for Python (v2 model) apps, on one machine: fires the triggers of an unchanged `function_app.py`.

It does what the real host and its Python worker do with blob, timer and Event Grid triggers, and nothing else. Where it
is kinder than Azure is said in docs/local-batch.md.

`app_index` reads the app's functions; `triggers` are the words for what fires them; `invocation` calls them as the
worker does. What fires: `blob_scan` (finds new blobs) and `blob_queue` (hands them over), `timer_listener` on an
`ncrontab` schedule, `event_grid_webhook`. `host` puts these together.
"""
