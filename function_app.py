"""The three triggers. Their stories are `shared/submit_run.py`, `poll_runs.py` and `record_run.py`.

The stories are imported when they are first used: an exception at import would leave the Functions host without
functions, and a trigger loads only the SDKs that it uses.
"""

import azure.functions as func

from shared.settings import TriggerSettings

app = func.FunctionApp()
triggers = TriggerSettings.from_environ()


@app.blob_trigger(
    arg_name="blob", path=f"{triggers.inbox}/{{name}}", connection="RunStorage", source=func.BlobSource(triggers.source)
)
def submit_run(blob: func.InputStream) -> None:
    """Submit the Batch job of a manifest that was dropped, or cancel a run."""
    from shared import submit_run as story
    from shared.app import get_app

    story.receive(get_app(), (blob.name or "").removeprefix(f"{triggers.inbox}/"))


@app.timer_trigger(arg_name="tick", schedule=triggers.schedule, run_on_startup=False, use_monitor=False)
def poll_runs(tick: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants its name
    """Announce the jobs that have ended, and do everything else that is due."""
    from shared import poll_runs as story
    from shared.app import get_app

    story.poll(get_app())


@app.event_grid_trigger(arg_name="event")
def record_run(event: func.EventGridEvent) -> None:
    """Collect the outputs of a job that has ended, or that a task says has ended, and write the completion record."""
    from shared import record_run as story
    from shared.app import get_app
    from shared.events import parse

    if ended := parse(event):
        story.record(get_app(), ended)
