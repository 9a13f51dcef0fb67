"""Collects what the tasks of an ended job left: copies files and logs, reads printed values, decides the outcomes.

Tasks are collected in groups of a hundred. Of a large round each group is stored as soon as it is done, so that the
next invocation goes on after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.app import App
from shared.documents.ended_task import EndedTask
from shared.documents.names import LOG_NAMES
from shared.documents.part import Part
from shared.documents.record import PoolNodes
from shared.documents.run import Run
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.outputs.attempts import MAX_NOTES_BYTES, ONCE, Tried, read_notes
from shared.outputs.cost import SlotPrices
from shared.outputs.files import NO_FILES, StagedFiles, TaskFiles, files_of, notes_of
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
    parts = app.parts.of_round(ended.run) if ended.plan.has_parts else {}
    groups = _groups(ended)
    missing = {first: group for first, group in groups.items() if first not in parts}
    if missing:
        uploaded = app.staging.list(ended.plan.staging, ended.run)
        staged = StagedFiles(uploaded)
        copier = Copier.of(app.results, ended.run, deadline, len(uploaded))
        for first, group in missing.items():
            part = _collect_group(app, ended, group, staged, copier)
            if part is None:
                return None
            if ended.plan.has_parts:
                app.parts.keep(ended.run, first, part)
            parts[first] = part
    if skipped := items_of_nothing(ended.plan.empty, ended.judgement.of_empty):
        parts[0] = Part(items=skipped)
        app.parts.keep(ended.run, 0, parts[0])
    return _joined([parts[first] for first in (*groups, *([0] if skipped else []))])


def _groups(ended: EndedRound) -> dict[int, Sequence[SubmittedTask]]:
    """The tasks that are recorded, a hundred at a time, by the number of the first task of each group."""
    tasks = [task for task in ended.plan.tasks if task.number not in ended.judgement.again]
    return {tasks[start].number: tasks[start : start + PART_TASKS] for start in range(0, len(tasks), PART_TASKS)}


def _joined(parts: Sequence[Part]) -> Part:
    items: dict[str, tuple[ItemRecord, ...]] = {}
    for part in parts:
        for name, records in part.items.items():
            items[name] = (*items.get(name, ()), *records)
    in_order = {name: tuple(sorted(records, key=lambda record: record.index)) for name, records in items.items()}
    return Part(tasks=tuple(task for part in parts for task in part.tasks), items=in_order)


def _collect_group(
    app: App, ended: EndedRound, tasks: Sequence[SubmittedTask], staged: StagedFiles, copier: Copier
) -> Part | None:
    left = in_parallel(lambda task: _left(app.staging, ended, task, staged), tasks)
    files = [file for each in left for file in (*each.files.logs.values(), *each.files.outputs)]
    staging = ended.plan.staging
    refused = copier.copy([FileCopy(CopySource(staging, file.source.name), file.destination) for file in files])
    if refused is None:
        return None
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
