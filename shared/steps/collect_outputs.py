"""Collects what the tasks of an ended job left: copies files and logs, reads printed values, decides the outcomes.

Tasks are collected in groups of at most a hundred, fewer if their logs are large. Unless one group is the whole round,
each is stored as soon as it is done, so that the next invocation goes on after it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from shared.app import App
from shared.documents.ended_task import EndedTask
from shared.documents.names import LOG_NAMES
from shared.documents.part import Part
from shared.documents.record import PoolNodes
from shared.documents.run import Run
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.errors import RunChanged
from shared.outputs.attempts import MAX_NOTES_BYTES, ONCE, Tried, read_notes
from shared.outputs.cost import SlotPrices
from shared.outputs.files import NO_FILES, StagedBlob, StagedFiles, TaskFiles, files_of, log_bytes, notes_of
from shared.outputs.judgement import Judgement
from shared.outputs.nothing_to_run import items_of_nothing
from shared.outputs.outcome import SKIPPED, Outcome, outcome_of
from shared.outputs.printed import MAX_STREAM_BYTES, MAX_VARS_BYTES, PRINTED, Printed
from shared.outputs.record_tasks import task_record
from shared.parallel import in_parallel
from shared.plan.round_plan import PART_TASKS, SubmittedRound, SubmittedTask
from shared.script.build import MARKER, SCRIPT_EXIT_CODES, read_marker
from shared.steps._copier import Copier, FileCopy
from shared.storage.copies import CopySource
from shared.storage.staging import Staging

ALL_ITEMS_VARS_BYTES = 16 * 1024 * 1024
GROUP_LOG_BYTES = 4 * MAX_STREAM_BYTES
"""How much of logs is read without a look at the time; a single task may have half as much."""


@dataclass(frozen=True)
class EndedRound:
    """A round whose job has ended: what was submitted, how Batch says it ended, and what that means.

    `tasks` are by their id in Batch.
    """

    run: Run
    plan: SubmittedRound
    tasks: Mapping[str, EndedTask]
    ran_out_of_time: bool
    judgement: Judgement

    @property
    def nodes(self) -> PoolNodes | None:
        """The nodes of the pool of the job; None if the job was submitted before they were noted."""
        return next((job.nodes for job in self.run.body.jobs if job.id == self.run.job_id), None)


def collect(app: App, ended: EndedRound, deadline: float) -> Part | None:
    """How the tasks of the round ended, their files copied; None if the time until `deadline` did not suffice.

    Nothing is copied of tasks that are run again: it would keep their later files from being copied.
    """
    slices = _Slices(app, ended, deadline)
    tasks = [task for task in ended.plan.tasks if task.number not in ended.judgement.again]
    has_parts = ended.plan.has_parts or len(slices.next_group(tasks)) < len(tasks)
    if has_parts and not ended.run.body.has_parts:
        _note_parts(app, ended.run)
    stored = app.parts.of_round(ended.run) if has_parts else {}
    collected: list[Part] = []
    while tasks:
        part = stored.get(tasks[0].number) or slices.collect(slices.next_group(tasks))
        if part is None:
            return None
        if has_parts and tasks[0].number not in stored:
            part = app.parts.keep(ended.run, tasks[0].number, part)
        collected.append(part)
        tasks = tasks[part.count :]
    if skipped := items_of_nothing(ended.plan.empty, ended.judgement.of_empty):
        collected.append(app.parts.keep(ended.run, 0, Part(items=skipped)))
    return _joined(collected)


def _note_parts(app: App, run: Run) -> None:
    """Note in the document that there are parts to remove with it, which the plan of the round did not say."""
    current = app.runs.load(run.id)
    if current is None or not current.is_running(run.progress.round):
        raise RunChanged(f"The run {run.id} was moved on by another invocation.")
    app.runs.save(current.with_parts())


def _joined(parts: Sequence[Part]) -> Part:
    items: dict[str, tuple[ItemRecord, ...]] = {}
    for part in parts:
        for name, records in part.items.items():
            items[name] = (*items.get(name, ()), *records)
    in_order = {name: tuple(sorted(records, key=lambda record: record.index)) for name, records in items.items()}
    return Part(tasks=tuple(task for part in parts for task in part.tasks), items=in_order)


class _Slices:
    """Collects tasks group by group until `deadline`, one at least; what is staged is listed when one is due."""

    def __init__(self, app: App, ended: EndedRound, deadline: float) -> None:
        self._app = app
        self._ended = ended
        self._deadline = deadline
        self._has_collected = False

    @cached_property
    def _staged(self) -> StagedFiles:
        return StagedFiles(self._uploaded)

    @cached_property
    def _uploaded(self) -> list[StagedBlob]:
        return self._app.staging.list(self._ended.plan.staging, self._ended.run)

    @cached_property
    def _copier(self) -> Copier:
        return Copier.of(self._app.results, self._ended.run, self._deadline, len(self._uploaded))

    def next_group(self, tasks: Sequence[SubmittedTask]) -> Sequence[SubmittedTask]:
        """The first of some tasks: at most a hundred, fewer if their logs are large."""
        sizes = (log_bytes(task, self._staged, MAX_STREAM_BYTES) for task in tasks[:PART_TASKS])
        count = sum(total <= GROUP_LOG_BYTES for total in itertools.accumulate(sizes))
        return tasks[: max(1, count)]

    def collect(self, tasks: Sequence[SubmittedTask]) -> Part | None:
        """How the tasks of a group ended, their files copied; None if there is no time for it."""
        if self._has_collected and time.monotonic() > self._deadline:
            return None
        app, ended, staging = self._app, self._ended, self._ended.plan.staging
        left = in_parallel(lambda task: _left(app.staging, ended, task, self._staged), tasks)
        files = [file for each in left for file in (*each.files.logs.values(), *each.files.outputs)]
        copies = [FileCopy(CopySource(staging, file.source.name), file.destination) for file in files]
        refused = self._copier.copy(copies)
        if refused is None:
            return None
        self._has_collected = True
        records = in_parallel(lambda each: _record(app, ended, each.without(refused)), left)
        items: dict[str, tuple[ItemRecord, ...]] = {}
        for task, record in zip(tasks, records, strict=True):
            if isinstance(record, ItemRecord):
                items[task.name] = (*items.get(task.name, ()), record)
        return Part(tasks=tuple(record for record in records if isinstance(record, TaskRecord)), items=items)


# --- one task


@dataclass(frozen=True)
class _Left:
    """What one task left: how it ended, what its script noted of attempts, and its files; none if it was skipped."""

    task: SubmittedTask
    outcome: Outcome
    tried: Tried
    files: TaskFiles

    def without(self, refused: set[str]) -> _Left:
        return replace(self, files=self.files.without(refused))


def _left(staging: Staging, ended: EndedRound, task: SubmittedTask, staged: StagedFiles) -> _Left:
    files, notes = files_of(task, staged), notes_of(task, staged)
    tried = read_notes(staging.end_of(ended.plan.staging, notes, MAX_NOTES_BYTES)) if notes else ONCE
    outcome = _outcome(staging, ended, task, files, tried)
    return _Left(task, outcome, tried, NO_FILES if outcome is SKIPPED else files)


def _record(app: App, ended: EndedRound, left: _Left) -> TaskRecord | ItemRecord:
    printed = _printed(app.staging, ended, left)
    item = left.task.item
    values: list[Any] = [printed.vars, [file.path for file in left.files.outputs], item.value if item else None]
    is_masked = app.results.masks(values)
    cost = SlotPrices(ended.nodes, app.settings.prices).cost(left.outcome, left.task.slots)
    return task_record(left.task, replace(left.outcome, cost=cost), left.files, printed, is_masked=is_masked)


def _printed(staging: Staging, ended: EndedRound, left: _Left) -> Printed:
    tried, is_item = left.tried, left.task.item is not None
    printed = Printed(max_bytes=MAX_VARS_BYTES if not is_item else _vars_bytes(ended.plan))
    for name in LOG_NAMES:
        log = left.files.logs.get(name)
        if log is None:
            continue
        part = tried.part(name)
        where = f"{name} of attempt {tried.count}" if tried.count > 1 else name
        printed.read(where, staging.lines(ended.plan.staging, log.source, PRINTED, MAX_STREAM_BYTES, part))
        if log.source.bytes - part.offset > MAX_STREAM_BYTES:
            limit = f"only the first {MAX_STREAM_BYTES >> 20} MiB were read for printed values"
            printed.warnings.append(f"{where}: {limit}")
    return printed


def _vars_bytes(plan: SubmittedRound) -> int:
    """How much one of many items may print as values: a later task that uses one of them has all of them in memory."""
    return max(16 * 1024, min(MAX_VARS_BYTES, ALL_ITEMS_VARS_BYTES // len(plan.tasks)))


def _outcome(staging: Staging, ended: EndedRound, task: SubmittedTask, files: TaskFiles, tried: Tried) -> Outcome:
    if task.number in ended.judgement.skipped:
        return SKIPPED
    ended_task = ended.tasks.get(task.id)
    stderr = files.logs.get("stderr.txt")
    report = None
    if ended_task is not None and ended_task.exit_code in SCRIPT_EXIT_CODES and stderr is not None:
        part = tried.part("stderr.txt")
        lines = staging.lines(ended.plan.staging, stderr.source, MARKER, MAX_STREAM_BYTES, part)
        report = read_marker(line for _, line in lines)
    outcome = outcome_of(ended_task, report, tried)
    return outcome.after_flow_timeout() if ended.ran_out_of_time else outcome
