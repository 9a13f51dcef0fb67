"""All that is known of a run → its record and its status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from shared.documents.record import (
    ITEMS_BLOB,
    JobRecord,
    ManifestRef,
    Record,
    RecordedFlow,
    RetryRef,
    RunProblem,
    Timings,
)
from shared.documents.run import Run
from shared.documents.states import FailureCode, Phase, SkippedBy, State
from shared.documents.status import Status
from shared.documents.task_result import (
    Failure,
    ItemRecord,
    ItemsSummary,
    Logs,
    OutputFile,
    Outputs,
    TaskRecord,
    TaskResult,
)
from shared.manifest.read import Flow, Manifest
from shared.outputs._usage import usage_of_run
from shared.outputs.cost import cost_of_run
from shared.outputs.fan_outs import separate_items
from shared.outputs.files import TaskFiles
from shared.outputs.outcome import Outcome
from shared.outputs.printed import MAX_WARNINGS, Printed
from shared.outputs.recorded_inputs import RecordedInputs
from shared.plan.round_plan import NothingToRun, SubmittedTask
from shared.plan.run_state import run_state
from shared.prices import Prices

NOT_RECORDED_MESSAGE = (
    "the job ended, but its results could not be collected; they are not in the results. "
    "The log of the app says why; drop the manifest again to repeat the run"
)


def task_record(
    task: SubmittedTask, outcome: Outcome, files: TaskFiles, printed: Printed, *, is_masked: bool = False
) -> TaskRecord | ItemRecord:
    """The record of one task, or of one item of a fan-out. Its values are not all open if it `is_masked`.

    Its state is WARNING if the task succeeded but did not make a file that `outputFiles` names, made one that cannot be
    kept under its name, or succeeded only after it had failed and `warningOnRetry` asks for that; and if it failed and
    was allowed to. With `allowWarning`, it is SUCCESS in all of these cases.
    """
    warns_of_retries = task.warns_of_retries and outcome.state is State.SUCCESS and outcome.retries > 0
    logs = {name: file.destination for name, file in files.logs.items()}
    output_files = {
        file.path: OutputFile(blob=file.destination, bytes=file.source.bytes, md5=file.source.md5)
        for file in files.outputs
    }
    result = TaskResult(
        state=_task_state(task, outcome.state, has_warning=bool(files.missing or files.unsafe) or warns_of_retries),
        exit_code=outcome.exit_code,
        retries=outcome.retries,
        attempts=outcome.attempts,
        requeue_count=outcome.requeues,
        node=outcome.node,
        started=outcome.started,
        ended=outcome.ended,
        slots=task.slots if outcome.started else None,
        usage=outcome.usage,
        cost=outcome.cost,
        outputs=Outputs(vars=printed.vars, output_files=output_files),
        metrics=tuple(printed.metrics),
        logs=Logs(stdout=logs.get("stdout.txt"), stderr=logs.get("stderr.txt")),
        failure=outcome.failure,
        warnings=tuple(_warnings(outcome, files, printed, warns_of_retries=warns_of_retries)),
        masked=is_masked,
    )
    if task.item is None:
        return TaskRecord(id=task.name, **dict(result))
    return ItemRecord(**dict(task.item), **dict(result))


def _task_state(task: SubmittedTask, state: State, *, has_warning: bool) -> State:
    if (state is State.SUCCESS and has_warning) or (state is State.FAILED and task.allow_failure):
        return State.SUCCESS if task.allows_warnings else State.WARNING
    return state


def _warnings(outcome: Outcome, files: TaskFiles, printed: Printed, *, warns_of_retries: bool) -> Iterable[str]:
    if warns_of_retries:
        yield f"it succeeded only in attempt {outcome.retries + 1} (`warningOnRetry`)"
    if outcome.state is not State.SKIPPED:
        yield from (f"the output file {name!r} was not made" for name in files.missing)
    yield from (
        f"the output file {name!r} is left out: its name cannot be a name in the results"
        for name in files.unsafe[:MAX_WARNINGS]
    )
    if (more := len(files.unsafe) - MAX_WARNINGS) > 0:
        yield f"{more} more output files are left out for their names"
    yield from printed.warnings


def record_of_nothing(empty: NothingToRun, state: State) -> TaskRecord:
    """The record of a task with nothing to run. `state` is SKIPPED if a task before it did not end well."""
    if state is State.SUCCESS:
        return empty.record
    items = ItemsSummary(count=0, states={}) if empty.record.items else None
    return TaskRecord(id=empty.name, state=state, items=items)


def build_record(  # noqa: PLR0913 - all that a record is made of
    run: Run,
    manifest: Manifest | None,
    inputs: RecordedInputs,
    state: State | None,
    failure: Failure | None,
    *,
    prices: Prices,
    now: datetime,
) -> Record:
    """The record of a run, as far as its rounds went.

    `manifest` is None if it cannot be read; `state` is None if the states of the tasks decide.
    """
    flow = manifest.flow if manifest else None
    is_collected = failure is None or failure.code != FailureCode.NOT_RECORDED
    tasks = _all_tasks(run, flow if is_collected else None)
    return Record(
        run_id=run.id,
        state=state or run_state(flow, tasks, cancelled=run.was_cancelled),
        manifest=ManifestRef.model_validate(run.body.manifest.model_dump(exclude={"text"})),
        flow=_flow_ref(run, flow),
        labels=flow.labels if flow else {},
        inputs=inputs.values,
        masked_inputs=inputs.masked,
        default_pool=run.body.default_pool,
        seed=run.body.seed,
        retry_of=RetryRef.model_validate(run.body.earlier.model_dump()) if run.body.earlier else None,
        jobs=tuple(JobRecord.model_validate(job.model_dump()) for job in run.body.jobs),
        trigger=run.body.trigger,
        timings=_timings(run, tasks, now),
        tasks=tasks,
        usage=usage_of_run(tasks),
        cost=cost_of_run(tasks, run.items or {}, prices),
        failure=failure,
        errors=run.rejection.errors if run.rejection else (),
        warnings=(
            *(RunProblem.of(warning) for warning in (manifest.warnings if manifest else ())),
            *run.body.warnings,
            *(RunProblem(message=text, path=f"tasks.{task.id}") for task in tasks for text in task.warnings),
        ),
    )


def _timings(run: Run, tasks: Sequence[TaskRecord], now: datetime) -> Timings:
    """The times of the run itself: what it has taken over ran before."""
    own = [task for task in tasks if task.taken_from is None]
    return Timings(
        dropped=run.body.dropped,
        submitted=run.body.submitted,
        started=min((task.started for task in own if task.started), default=None),
        ended=max((task.ended for task in own if task.ended), default=None),
        detected=run.body.detected,
        recorded=now,
    )


def _flow_ref(run: Run, flow: Flow | None) -> RecordedFlow:
    blob = run.body.flow
    source = ManifestRef.model_validate(blob.model_dump()) if blob and blob.text is not None else None
    return RecordedFlow(id=flow.id if flow else None, namespace=flow.namespace if flow else None, source=source)


def _all_tasks(run: Run, flow: Flow | None) -> tuple[TaskRecord, ...]:
    """The tasks that have ended; if any task was ever submitted, the other tasks of the flow too, as SKIPPED.

    `flow` is None where a round could not be collected: which of its tasks ran is not known then.
    """
    finished = {name: _with_items(task, run) for name, task in run.body.finished.items()}
    found = list(finished.values())
    if flow is not None and (finished or run.body.jobs):
        found = [finished.get(task.id) or TaskRecord(id=task.id, state=State.SKIPPED) for task in flow.tasks]
    phases = {placed.task.id: placed.phase for placed in flow.placed_tasks} if flow else {}

    def why(task: TaskRecord) -> SkippedBy:
        is_cancelled = run.is_cancelled(phases.get(task.id, Phase.TASKS))
        return SkippedBy.CANCELLED if is_cancelled else SkippedBy.FAILURE

    return tuple(
        task.model_copy(update={"skipped": why(task)}) if task.state is State.SKIPPED and task.skipped is None else task
        for task in found
    )


def _with_items(task: TaskRecord, run: Run) -> TaskRecord:
    if task.items is None or run.items is None:
        return task
    items = run.items.get(task.id, ())
    where: dict[str, object] = {"blob": ITEMS_BLOB} if separate_items(run) else {"records": items}
    taken = sum(item.taken_from is not None for item in items)
    return task.model_copy(update={"items": task.items.model_copy(update={**where, "taken_over": taken})})


def status_of(run: Run, *, now: datetime, position: int | None = None, message: str | None = None) -> Status:
    """The status of an open run; `position` in the queue and `message` say why it waits, if it does."""
    is_running = run.progress.state is State.RUNNING
    return Status(
        run_id=run.id,
        state=run.progress.state,
        round=run.progress.round,
        job_id=run.job_id if is_running else None,
        waiting=run.progress.waiting,
        position=position,
        message=message,
        updated=now,
    )
