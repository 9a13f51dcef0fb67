"""All that is known of an ended round → its record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.record import (
    FlowRef,
    JobRecord,
    Logs,
    OutputFile,
    Outputs,
    Record,
    TaskRecord,
    Timings,
    manifest_ref,
)
from shared.run import RunProblem, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from shared.manifest import Manifest
    from shared.outcome import Outcome
    from shared.outputs import TaskFiles
    from shared.plan import PlannedTask
    from shared.printed import Printed
    from shared.run import Run
    from shared.settings import Settings


def task_record(task: PlannedTask, outcome: Outcome, files: TaskFiles, printed: Printed) -> TaskRecord:
    """The record of one task. One that succeeded, but did not make a file that it names, is WARNING."""
    incomplete = outcome.state is State.SUCCESS and files.missing
    logs = {name: file.destination for name, file in files.logs.items()}
    output_files = {
        file.path: OutputFile(blob=file.destination, bytes=file.source.bytes, md5=file.source.md5)
        for file in files.outputs
    }
    return TaskRecord(
        id=task.name,
        state=State.WARNING if incomplete else outcome.state,
        exit_code=outcome.exit_code,
        retries=outcome.retries,
        node=outcome.node,
        started=outcome.started,
        ended=outcome.ended,
        outputs=Outputs(vars=printed.vars, output_files=output_files),
        metrics=tuple(printed.metrics),
        logs=Logs(stdout=logs.get("stdout.txt"), stderr=logs.get("stderr.txt")),
        failure=outcome.failure,
        warnings=tuple(_warnings(outcome, files, printed)),
    )


def _warnings(outcome: Outcome, files: TaskFiles, printed: Printed) -> Iterable[str]:
    if outcome.state is not State.SKIPPED:
        yield from (f"the output file {name!r} was not made" for name in files.missing)
    yield from (f"the output file {name!r} is left out: its name leads out of its folder" for name in files.unsafe)
    yield from printed.warnings


def build_record(  # noqa: PLR0913 - a record is made of six things
    run: Run, manifest: Manifest, tasks: Sequence[TaskRecord], settings: Settings, *, detected: datetime, now: datetime
) -> Record:
    """The record of a run whose last round has ended."""
    jobs = [
        JobRecord(id=job.id, pool=job.pool, account=settings.batch.account_name, reason=job.reason)
        for job in run.body.jobs
    ]
    warnings = [RunProblem(message=text, path=f"tasks.{task.id}") for task in tasks for text in task.warnings]
    return Record(
        run_id=run.id,
        state=run_state((task.state for task in tasks), cancelled=run.progress.cancelled),
        manifest=manifest_ref(run),
        flow=FlowRef(id=manifest.flow.id, namespace=manifest.flow.namespace),
        jobs=tuple(jobs),
        timings=Timings(
            dropped=run.body.dropped,
            submitted=run.body.submitted,
            started=min((task.started for task in tasks if task.started), default=None),
            ended=max((task.ended for task in tasks if task.ended), default=None),
            detected=detected,
            recorded=now,
        ),
        tasks=tuple(tasks),
        errors=run.body.rejection.errors if run.body.rejection else (),
        warnings=tuple(warnings),
    )


def run_state(states: Iterable[State], *, cancelled: bool) -> State:
    """The state of a run whose tasks ended so; a cancelled one is KILLED only if that left something undone."""
    found = set(states)
    if cancelled and found & {State.KILLED, State.SKIPPED}:
        return State.KILLED
    if found & {State.FAILED, State.KILLED, State.SKIPPED}:
        return State.FAILED
    return State.WARNING if State.WARNING in found else State.SUCCESS
