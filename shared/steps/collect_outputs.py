"""Collects what the tasks of an ended job left: files and logs are copied, printed values read, outcomes judged.

A hundred tasks at a time. Of a large round each hundred is stored once it is done, so that the next slice of work goes
on after it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.app import App
from shared.documents.record import ItemRecord, TaskRecord
from shared.documents.run import Part, Run
from shared.outputs.files import LOG_NAMES, Collected, StagedFiles, TaskFiles, files_of
from shared.outputs.outcome import Outcome, at_flow_timeout, judge
from shared.outputs.printed import MAX_STREAM_BYTES, MAX_VARS_BYTES, PRINTED, Printed
from shared.outputs.record_tasks import ended_task
from shared.parallel import in_parallel
from shared.plan.round_plan import PART_TASKS, SubmittedRound, SubmittedTask
from shared.script.build import MARKER, SCRIPT_EXIT_CODES, read_marker
from shared.storage.results import CopyState

if TYPE_CHECKING:
    from azure.batch import models

PENDING_PAUSE_SECONDS = 0.5
MANY = 100
_COPIED = "success"


@dataclass(frozen=True)
class Copying:
    """What all copies of a run have in common; `copied` are the destinations that an earlier event has copied."""

    app: App
    run: Run
    staging: str
    deadline: float
    copied: frozenset[str] = frozenset()

    @classmethod
    def begin(cls, app: App, run: Run, staging: str, deadline: float, count: int) -> Copying:
        """Copying up to so many files. Only if they are many it is worth asking which of them are there."""
        states = app.results.copied(run) if count > MANY else {}
        done = frozenset(destination for destination, state in states.items() if state == _COPIED)
        return cls(app, run, staging, deadline, done)

    def copy(self, files: Sequence[Collected]) -> set[str] | None:
        """Copy files: the destinations that storage refused; None if the time did not suffice."""
        wanted = [file for file in files if file.destination not in self.copied]
        states = dict(zip(wanted, in_parallel(self._copy_in_time, wanted), strict=True))
        if None in states.values():
            return None
        pending = [file for file, state in states.items() if state is CopyState.PENDING]
        if pending and not self._await(pending):
            return None
        return {file.destination for file, state in states.items() if state is CopyState.REFUSED}

    def _copy_in_time(self, file: Collected) -> CopyState | None:
        return self._copy(file) if time.monotonic() <= self.deadline else None

    def _copy(self, file: Collected, *, again: bool = False) -> CopyState:
        source = self.app.staging.url(self.staging, file.source.name)
        return self.app.results.copy(source, self.run, file.destination, again=again)

    def _await(self, pending: Sequence[Collected]) -> bool:
        """Wait for copies that storage makes in the background; False if they take longer than there is time."""
        while time.monotonic() < self.deadline:
            states = self.app.results.copied(self.run)
            left = [file for file in pending if states.get(file.destination) != _COPIED]
            if not left:
                return True
            for file in left:
                if states.get(file.destination) in ("failed", "aborted"):
                    self._copy(file, again=True)
            time.sleep(PENDING_PAUSE_SECONDS)
        return False


ALL_ITEMS_VARS_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class EndedRound:
    """A round whose job has ended: what was planned, what Batch says of it, and which tasks are run again."""

    run: Run
    plan: SubmittedRound
    batch_tasks: Mapping[str, models.BatchTask]
    ran_out_of_time: bool
    repeated: frozenset[int] = frozenset()


def collect(app: App, ended: EndedRound, deadline: float) -> Part | None:
    """How the tasks of the round ended, their files copied; None if the time did not suffice.

    Of tasks that are run again nothing is copied: what they leave then would not be.
    """
    stored = app.parts.of_round(ended.run) if ended.plan.has_parts else {}
    tasks = [task for task in ended.plan.tasks if task.number not in ended.repeated]
    hundreds = [tasks[start : start + PART_TASKS] for start in range(0, len(tasks), PART_TASKS)]
    if all(hundred[0].number in stored for hundred in hundreds):
        return _joined(list(stored.values()))
    uploaded = app.staging.list(ended.plan.staging, ended.run)
    copying = Copying.begin(app, ended.run, ended.plan.staging, deadline, len(uploaded))
    staged = StagedFiles(uploaded)
    parts = []
    for hundred in hundreds:
        part = stored.get(hundred[0].number) or _collect(copying, ended, hundred, staged)
        if part is None:
            return None
        if ended.plan.has_parts and hundred[0].number not in stored:
            app.parts.keep(ended.run, hundred[0].number, part)
        parts.append(part)
    return _joined(parts)


def _joined(parts: Sequence[Part]) -> Part:
    items: dict[str, tuple[ItemRecord, ...]] = {}
    for part in parts:
        for name, records in part.items.items():
            items[name] = (*items.get(name, ()), *records)
    return Part(tasks=tuple(task for part in parts for task in part.tasks), items=items)


def _collect(copying: Copying, ended: EndedRound, tasks: Sequence[SubmittedTask], staged: StagedFiles) -> Part | None:
    files = {task.number: files_of(task, staged) for task in tasks}
    refused = copying.copy([file for each in files.values() for file in (*each.logs.values(), *each.outputs)])
    if refused is None:
        return None
    app = copying.app
    records = in_parallel(lambda task: _record(app, ended, task, files[task.number].without(refused)), tasks)
    items: dict[str, tuple[ItemRecord, ...]] = {}
    for task, record in zip(tasks, records, strict=True):
        if isinstance(record, ItemRecord):
            items[task.name] = (*items.get(task.name, ()), record)
    return Part(tasks=tuple(record for record in records if isinstance(record, TaskRecord)), items=items)


def _record(app: App, ended: EndedRound, task: SubmittedTask, files: TaskFiles) -> TaskRecord | ItemRecord:
    printed = Printed(max_bytes=MAX_VARS_BYTES if task.item is None else _vars_bytes(ended.plan))
    for name in LOG_NAMES:
        log_file = files.logs.get(name)
        if log_file is not None:
            printed.read(name, app.staging.lines(ended.plan.staging, log_file.source, PRINTED, MAX_STREAM_BYTES))
            if log_file.source.bytes > MAX_STREAM_BYTES:
                printed.warnings.append(
                    f"{name}: only the first {MAX_STREAM_BYTES >> 20} MiB were read for printed values"
                )
    return ended_task(task, _outcome(app, ended, task, files), files, printed)


def _vars_bytes(plan: SubmittedRound) -> int:
    """How much one of many items may print of values: all of them are held at once when a later task asks for one."""
    return max(16 * 1024, min(MAX_VARS_BYTES, ALL_ITEMS_VARS_BYTES // len(plan.tasks)))


def _outcome(app: App, ended: EndedRound, task: SubmittedTask, files: TaskFiles) -> Outcome:
    batch_task = ended.batch_tasks.get(task.id)
    info = batch_task.execution_info if batch_task else None
    stderr = files.logs.get("stderr.txt")
    report = None
    if info is not None and info.exit_code in SCRIPT_EXIT_CODES and stderr is not None:
        lines = app.staging.lines(ended.plan.staging, stderr.source, MARKER, MAX_STREAM_BYTES)
        report = read_marker(line for _, line in lines)
    outcome = judge(batch_task, report)
    return at_flow_timeout(outcome) if ended.ran_out_of_time else outcome
