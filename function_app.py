"""The three triggers. What they do is told in `shared/submit_run.py`, `poll_runs.py` and `record_run.py`.

The stories are imported when they are first needed: an exception at import would leave the Functions host with no
functions at all, and a start is as quick as the SDKs of its trigger allow.
"""

import azure.functions as func

from shared.settings import TriggerSettings

app = func.FunctionApp()
triggers = TriggerSettings.from_environ()


@app.blob_trigger(
    arg_name="blob", path=f"{triggers.inbox}/{{name}}", connection="RunStorage", source=func.BlobSource(triggers.source)
)
def submit_run(blob: func.InputStream) -> None:
    """A manifest was dropped: start its Batch job."""
    from shared import submit_run as story
    from shared.app import get_app

    story.accept(get_app(), (blob.name or "").removeprefix(f"{triggers.inbox}/"))


@app.timer_trigger(arg_name="tick", schedule=triggers.schedule, run_on_startup=False, use_monitor=False)
def poll_runs(tick: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants its name
    """Look which jobs have ended, and at whatever else is due."""
    from shared import poll_runs as story
    from shared.app import get_app

    story.poll(get_app())


@app.event_grid_trigger(arg_name="event")
def record_run(event: func.EventGridEvent) -> None:
    """A job has ended: collect its outputs and write the completion record."""
    from shared import record_run as story
    from shared.app import get_app
    from shared.events import parse

    story.record(get_app(), parse(event))
