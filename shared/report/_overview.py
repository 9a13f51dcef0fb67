"""What happened, in a sentence and a few figures; the phases of the run; its events in order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from shared.documents.record import Record
from shared.documents.states import FailureCode, JobReason, SkippedBy, State
from shared.documents.task_result import ItemRecord, OutputFile, TaskRecord, TaskResult
from shared.report._advice import mistaken
from shared.report.text import count, duration, money, size

NAMED_TASKS = 3
NARROWEST_PERCENT = 1.0

ROUND_REASONS = {
    JobReason.FIRST: "everything that was known when the manifest was read",
    JobReason.VALUES: "its tasks needed what earlier tasks had printed",
    JobReason.FAN_OUT: "its tasks follow a fan-out, or run one after the other",
    JobReason.ENDS: "its tasks run once others have ended, whether well or not",
    JobReason.POOL: "its tasks run on another pool",
    JobReason.INFRASTRUCTURE: "what a failure of the infrastructure had left undone",
}


@dataclass(frozen=True)
class Figure:
    """One of the numbers at the top of the page."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Phase:
    """A part of the time between the drop and the record; `left` and `width` are percent of the whole."""

    name: str
    key: str
    time: timedelta
    left: float
    width: float


@dataclass(frozen=True)
class Event:
    """Something that happened to the run; `since` is the time since the drop."""

    name: str
    note: str
    moment: datetime
    since: timedelta


_BY_FAILURE: Mapping[str, str] = {
    FailureCode.NOT_RECORDED: "The job ended, but its results could not be collected.",
    FailureCode.ENDED_BY_HAND: "The job, or tasks of it, were ended or deleted by hand.",
}

_LEFT_OUT: Mapping[SkippedBy, str] = {
    SkippedBy.CONDITION: "left out, as conditions do not hold",
    SkippedBy.NO_FAILURE: "not needed, as nothing failed",
}


def headline(record: Record) -> str:
    """How the run ended, in one or two sentences."""
    match record.state:
        case State.REJECTED:
            what = mistaken(record)
            where = "them" if " and " in what else "it"
            return f"The {what} cannot be run: {count(len(record.errors), 'mistake')} in {where}. Nothing was started."
        case State.SUCCESS:
            return _all_ended(record, "ended well")
        case State.WARNING:
            allowed = _allowed_failures(record)
            warnings = count(max(1, len(set(record.warnings))), "warning")
            below = f"{warnings} below." if record.warnings or not allowed else ""
            return " ".join(filter(None, (_all_ended(record, "ended"), allowed, below)))
        case State.KILLED:
            sentences = ("The run was cancelled.", _how_tasks_ended(record), "Drop the manifest again to run it.")
            return " ".join(filter(None, sentences))
    if record.failure and record.failure.code in _BY_FAILURE:
        return _BY_FAILURE[record.failure.code]
    return _how_tasks_ended(record) or "The run failed before any of its tasks had ended."


def _allowed_failures(record: Record) -> str:
    """What failed and was allowed to, in a sentence for each of the first tasks; empty if nothing did."""
    failed = [task for task in record.tasks if task.is_allowed_failure]
    sentences = [f"{task.id}{':' if task.items else ''} {task.failed_how}." for task in failed[:NAMED_TASKS]]
    more = [f"{count(len(failed) - NAMED_TASKS, 'task')} more failed, allowed."] if len(failed) > NAMED_TASKS else []
    return " ".join([*sentences, *more])


def _all_ended(record: Record, how: str) -> str:
    left_out = _why_left_out(record)
    but = "".join(f" {_named(names)}: {_LEFT_OUT[why]}." for why, names in left_out.items())
    match len(record.tasks) - sum(map(len, left_out.values())):
        case 0:
            return but.strip() or "There was nothing to run."
        case 1:
            return f"The task {how}.{but}"
        case number:
            return f"All {number} tasks {how}.{but}"


def _why_left_out(record: Record) -> dict[SkippedBy, list[str]]:
    found: dict[SkippedBy, list[str]] = {}
    for task in record.tasks:
        if task.skipped and task.is_left_out:
            found.setdefault(task.skipped, []).append(task.id)
    return found


def _how_tasks_ended(record: Record) -> str:
    words = {State.FAILED: "failed", State.KILLED: "stopped", State.SKIPPED: "never ran"}
    parts = []
    for state, verb in words.items():
        names = [task.id for task in record.tasks if task.state is state and not task.is_left_out]
        if names:
            parts.append(f"{_named(names)} {verb}")
    if allowed := [task.id for task in record.tasks if task.is_allowed_failure]:
        parts.append(f"{_named(allowed)} failed, allowed")
    ended = sum(map(_ended_well, record.tasks))
    if parts and ended:
        parts.append(f"{count(ended, 'task')} ended well")
    return f"{'; '.join(parts)}." if parts else ""


def _ended_well(result: TaskResult) -> bool:
    return result.state in (State.SUCCESS, State.WARNING) and not result.is_allowed_failure


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED_TASKS])
    return f"{shown} and {len(names) - NAMED_TASKS:,} more" if len(names) > NAMED_TASKS else shown


def figures(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> list[Figure]:
    """The numbers of the run that are known."""
    timings = record.timings
    if record.state is State.REJECTED:
        return []
    found = []
    if timings.recorded:
        found.append(
            Figure(
                "Total",
                duration(timings.recorded - timings.dropped),
                "from its begin to record" if record.trigger else "from drop to record",
            )
        )
    if timings.started and timings.ended:
        found.append(Figure("Running", duration(timings.ended - timings.started), "first start to last end"))
    if record.tasks:
        found.append(_tasks_figure(record.tasks))
    if items:
        found.append(_items_figure(record.tasks, items))
    files = list(_files(record.tasks, items))
    if files:
        found.append(Figure("Files", f"{len(files):,}", size(sum(file.bytes for file in files))))
    found += _usage_figures(record)
    own = [task for task in record.tasks if task.taken_from is None]
    if retries := sum(task.retries for task in own):
        found.append(Figure("Retries", f"{retries:,}"))
    if requeues := sum(task.requeue_count for task in own):
        found.append(Figure("Requeues", f"{requeues:,}", "run again on another node"))
    return found


def _usage_figures(record: Record) -> Iterator[Figure]:
    if record.usage and (cpu := record.usage.cpu_seconds) is not None:
        yield Figure("CPU time", duration(timedelta(seconds=cpu)), "as Azure Batch reports it")
    if record.cost:
        yield Figure("Cost", money(record.cost), "estimated, of tasks alone")


def _tasks_figure(tasks: Sequence[TaskRecord]) -> Figure:
    ended = sum(map(_ended_well, tasks))
    return Figure("Tasks", f"{ended:,} of {len(tasks):,}" if ended < len(tasks) else f"{ended:,}", "ended well")


def _items_figure(tasks: Sequence[TaskRecord], items: Mapping[str, Sequence[ItemRecord]]) -> Figure:
    states: Counter[State] = Counter()
    for task in tasks:
        states.update(task.items.states if task.items else {})
    allowed = sum(item.is_allowed_failure for each in items.values() for item in each)
    ended = states[State.SUCCESS] + states[State.WARNING] - allowed
    total = states.total()
    return Figure("Items", f"{ended:,} of {total:,}" if ended < total else f"{ended:,}", "ended well")


def _files(tasks: Sequence[TaskRecord], items: Mapping[str, Sequence[ItemRecord]]) -> Iterator[OutputFile]:
    for task in tasks:
        yield from task.outputs.output_files.values()
    for each in items.values():
        for item in each:
            yield from item.outputs.output_files.values()


def phases(record: Record) -> list[Phase]:
    """How the time was spent, if anything ran. Clocks of services differ a little; a phase is never negative."""
    timings = record.timings
    if not (timings.submitted and timings.started and timings.ended):
        return []
    moments = [
        ("", "", timings.dropped),
        ("Queued", "queued", timings.submitted),
        ("Waiting for a node", "waiting", timings.started),
        ("Running", "running", timings.ended),
        ("Collecting results", "collecting", timings.recorded),
    ]
    known = [(name, key, moment) for name, key, moment in moments if moment]
    spans = [(name, key, max(timedelta(0), moment - before)) for (_, _, before), (name, key, moment) in pairwise(known)]
    return list(_side_by_side(spans))


def _side_by_side(spans: Sequence[tuple[str, str, timedelta]]) -> Iterator[Phase]:
    total = sum((span for _, _, span in spans), timedelta(0)).total_seconds() or 1.0
    widths = [max(NARROWEST_PERCENT, 100 * span.total_seconds() / total) for _, _, span in spans]
    scale, left = 100 / (sum(widths) or 1), 0.0
    for (name, key, span), width in zip(spans, widths, strict=True):
        yield Phase(name, key, span, left, width * scale)
        left += width * scale


def _began(record: Record) -> str:
    """What the first time of a run is: its manifest was dropped, or a trigger started it."""
    return "Started by its trigger" if record.trigger and record.retry_of is None else "Dropped"


def events(record: Record) -> list[Event]:
    """The events of the run in order of time."""
    dropped = record.timings.dropped
    return [
        Event(name, note, moment, max(timedelta(0), moment - dropped))
        for name, note, moment in sorted(_moments(record), key=lambda event: event[2])
    ]


def _moments(record: Record) -> Iterable[tuple[str, str, datetime]]:
    timings = record.timings
    yield _began(record), record.manifest.name, timings.dropped
    for place, job in enumerate(record.jobs, start=1):
        submitted = job.submitted or (timings.submitted if place == 1 else None)
        if submitted:
            note = f"pool {job.pool}" if len(record.jobs) == 1 else f"pool {job.pool}: {ROUND_REASONS[job.reason]}"
            name = "Submitted" if len(record.jobs) == 1 else f"Round {place} submitted"
            yield name, note, submitted
    named = (
        ("First task started", "", timings.started),
        ("Last task ended", "", timings.ended),
        ("End noticed", "the results are collected from here on", timings.detected),
        ("Recorded", "", timings.recorded),
    )
    yield from ((name, note, moment) for name, note, moment in named if moment)
