"""The Functions host for Python (v2 model) apps, on one machine: fires the triggers of an unchanged `function_app.py`.

It does what the real host and its Python worker do with blob, timer and Event Grid triggers, and nothing else.
docs/local-batch.md says where it is kinder than Azure.

`app_index` reads the app's functions, `triggers` defines their triggers, and `invocation` calls the functions as the
worker does. The triggers fire in `blob_scan` (finds new blobs) and `blob_queue` (passes them to functions), in
`timer_listener` with a schedule of `ncrontab`, and in `event_grid_webhook`. `host` runs all of these.
"""
