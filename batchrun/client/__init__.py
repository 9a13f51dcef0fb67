"""The Python client: the runs of an app, through the same containers and the same Batch account that the app uses.

::

    with Runs.of(App.of_stack(Path(".local"))) as runs:
        dropped = runs.inbox.drop(Path("my.yaml"))
        record = runs.results.record(dropped.ref)   # None until the run is complete
"""
