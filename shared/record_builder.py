"""All that is known of a run → its record and its status. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.record import (
    Failure,
    FlowRef,
    JobRecord,
    Logs,
    ManifestRef,
    OutputFile,
    Outputs,
    Record,
    RunProblem,
    Status,
    TaskRecord,
    Timings,
)
from shared.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from shared.manifest import Flow, Manifest
    from shared.outcome import Outcome
    from shared.outputs import TaskFiles
    from shared.planned import PlannedTask
    from shared.printed import Printed
    from shared.run import Run

COULD_NOT_RECORD = (
    "the job ended, but its results could not be collected; they are not in the results. "
    "The log of the app says why; drop the manifest again to repeat the run"
)


def task_record(task: PlannedTask, outcome: Outcome, files: TaskFiles, printed: Printed) -> TaskRecord:
    """The record of one task.

    It is WARNING if the task succeeded, but did not make a file that it names; or if it failed and was allowed to.
    """
    logs = {name: file.destination for name, file in files.logs.items()}
    output_files = {
        file.path: OutputFile(blob=file.destination, bytes=file.source.bytes, md5=file.source.md5)
        for file in files.outputs
    }
    return TaskRecord(
        id=task.name,
        state=_task_state(task, outcome.state, is_incomplete=bool(files.missing)),
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


def _task_state(task: PlannedTask, state: State, *, is_incomplete: bool) -> State:
    if (state is State.SUCCESS and is_incomplete) or (state is State.FAILED and task.allow_failure):
        return State.WARNING
    return state


def _warnings(outcome: Outcome, files: TaskFiles, printed: Printed) -> Iterable[str]:
    if outcome.state is not State.SKIPPED:
        yield from (f"the output file {name!r} was not made" for name in files.missing)
    yield from (
        f"the output file {name!r} is left out: its name cannot be a name in the results" for name in files.unsafe
    )
    yield from printed.warnings


def build_record(
    run: Run, manifest: Manifest | None, state: State | None, failure: Failure | None, *, now: datetime
) -> Record:
    """The record of a run, as far as its rounds went.

    `manifest` is None if it cannot be read, `state` if the tasks decide on it.
    """
    flow = manifest.flow if manifest else None
    tasks = _all_tasks(run, flow)
    rejection = run.body.rejection
    return Record(
        run_id=run.id,
        state=state or run_state(tasks, cancelled=run.progress.cancelled),
        manifest=ManifestRef.model_validate(run.body.manifest.model_dump(exclude={"text"})),
        flow=FlowRef(id=flow.id, namespace=flow.namespace) if flow else FlowRef(),
        jobs=tuple(JobRecord.model_validate(job.model_dump()) for job in run.body.jobs),
        timings=Timings(
            dropped=run.body.dropped,
            submitted=run.body.submitted,
            started=min((task.started for task in tasks if task.started), default=None),
            ended=max((task.ended for task in tasks if task.ended), default=None),
            detected=run.body.detected,
            recorded=now,
        ),
        tasks=tasks,
        failure=failure,
        errors=rejection.errors if rejection else (),
        warnings=(
            *(RunProblem.of(warning) for warning in (manifest.warnings if manifest else ())),
            *run.body.warnings,
            *(RunProblem(message=text, path=f"tasks.{task.id}") for task in tasks for text in task.warnings),
        ),
    )


def _all_tasks(run: Run, flow: Flow | None) -> tuple[TaskRecord, ...]:
    """The tasks that have ended, and, if any task was ever submitted, those that never came to it as SKIPPED."""
    finished = run.body.finished
    if flow is None or not (finished or run.body.jobs):
        return tuple(finished.values())
    return tuple(finished.get(task.id) or TaskRecord(id=task.id, state=State.SKIPPED) for task in flow.tasks)


def run_state(tasks: Sequence[TaskRecord], *, cancelled: bool) -> State:
    """The state of a run whose tasks ended so; a cancelled one is KILLED only if that left something undone."""
    found = {task.state for task in tasks}
    if cancelled and found & {State.KILLED, State.SKIPPED}:
        return State.KILLED
    if found & {State.FAILED, State.KILLED, State.SKIPPED}:
        return State.FAILED
    return State.WARNING if State.WARNING in found else State.SUCCESS


def status_of(run: Run, *, now: datetime) -> Status:
    """The status of an open run."""
    is_running = run.progress.state is State.RUNNING
    return Status(
        run_id=run.id,
        state=run.progress.state,
        round=run.progress.round,
        job_id=run.job_id if is_running else None,
        waiting=run.progress.waiting,
        updated=now,
    )
