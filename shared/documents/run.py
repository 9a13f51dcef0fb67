"""A run: the acceptance of one version of one manifest blob, and the transitions of its document.

The run document `runs/<run id>.json` exists exactly as long as the run is open. What the poller needs of every open run
(`Progress`) is the blob's metadata, which a listing returns at no extra cost; everything else is the body.

The states of an open run and their transitions::

    (drop) ──▶ QUEUED ──tasks added──▶ RUNNING ──job ended──▶ (record, closed)
                  ▲                        │
                  └──── another round ─────┘
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.documents.early_end import EarlyEnd, Rejection
from shared.documents.external_data import ExternalData
from shared.documents.flow_limit import FlowLimit
from shared.documents.names import job_id, results_folder
from shared.documents.progress import Progress
from shared.documents.record import JobRecord, RunProblem
from shared.documents.run_body import RunBody
from shared.documents.states import Phase, State, WaitReason
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.errors import RunDamaged, RunUnreadable


@dataclass(frozen=True)
class Run:
    """A run document: its body, its metadata and the ETag under which both were read or written."""

    body: RunBody
    progress: Progress
    etag: str | None = None
    items: Mapping[str, tuple[ItemRecord, ...]] | None = None

    @classmethod
    def from_blob(cls, run_id: str, content: bytes, metadata: dict[str, str], etag: str) -> Run:
        """Read a run document. Raises RunDamaged, or RunUnreadable if a newer version of the app wrote it."""
        try:
            progress = Progress.from_metadata(metadata)
            if not progress.is_readable:
                raise RunUnreadable(
                    f"A newer version of the app wrote the document of the run {run_id}, and continues it."
                )
            return cls(RunBody.model_validate_json(content), progress, etag)
        except (KeyError, ValueError) as error:
            message = f"The document of the run {run_id} in the runs container is damaged: the run ends if it stays so."
            raise RunDamaged(message) from error

    @property
    def id(self) -> str:
        """The run id."""
        return self.body.run_id

    @property
    def job_id(self) -> str:
        """The id of the job of the current round."""
        return job_id(self.id, self.progress.round)

    @property
    def phase(self) -> Phase:
        """The part of the flow that runs, or is about to."""
        end = self.body.early_end
        return end.phase.following if end and self.body.phase.is_up_to(end.phase) else self.body.phase

    def is_cancelled(self, phase: Phase) -> bool:
        """Whether the tasks of a phase were cancelled: in that phase, or before."""
        end = self.body.early_end
        if end and phase.is_up_to(end.phase):
            return end.cancelled
        return self.progress.cancelled and self.phase.is_up_to(phase)

    @property
    def was_cancelled(self) -> bool:
        """Whether the tasks of the flow were cancelled, which makes the run KILLED; what follows them may run still."""
        return self.is_cancelled(Phase.TASKS)

    @property
    def rejection(self) -> Rejection | None:
        """Why the run, or a phase before, could not continue."""
        return self.body.rejection or (self.body.early_end.rejection if self.body.early_end else None)

    @property
    def results(self) -> str:
        """The run's folder in the results container."""
        return results_folder(self.body.manifest.name, self.id)

    @property
    def begun(self) -> datetime:
        """When it could begin: the time that it waited for other runs of its flow does not count as its own."""
        return self.progress.admitted or self.body.accepted

    def is_version(self, etag: str) -> bool:
        """Whether the document has this ETag, with or without quotes (listings omit them)."""
        return self.etag is not None and self.etag.strip('"') == etag.strip('"')

    @property
    def is_open_for_tasks(self) -> bool:
        """Whether tasks may be added to the job of the current round."""
        return self.progress.state is State.QUEUED and not self.progress.cancelled and self.body.rejection is None

    def is_running(self, round_number: int) -> bool:
        """Whether the given round is the current one and all of its tasks are in Batch."""
        return self.progress.state is State.RUNNING and self.progress.round == round_number

    def with_job(self, job: JobRecord, staging: str, phase: Phase, *, keep_jobs: bool, has_parts: bool) -> Run:
        """The run with all tasks of the round in Batch, and with what closing needs. The job will end by itself."""
        update = {
            "jobs": (*self.body.jobs, job),
            "submitted": self.body.submitted or job.submitted,
            "staging": staging,
            "phase": phase,
            "keep_jobs": keep_jobs,
            "has_parts": self.body.has_parts or has_parts,
        }
        return replace(self, body=self.body.model_copy(update=update), progress=self._running(job.pool))

    def awaiting(self, markers: int) -> Run:
        """The run, the tasks of whose round leave so many markers of their ends."""
        return replace(self, progress=replace(self.progress, markers=markers))

    def with_wait(self, reason: WaitReason, retry_at: datetime | None = None) -> Run:
        """The run that waits because a service asked for it. Every tick tries again; that does not count as an attempt.

        The quota is checked after everything else is done, so a run that waits for the quota has its files in place.
        """
        progress = replace(
            self.progress,
            waiting=reason,
            attempts=max(0, self.progress.attempts - 1),
            retry_at=retry_at,
            is_staged=self.progress.is_staged or reason is WaitReason.QUOTA,
        )
        return replace(self, progress=progress)

    def waiting_for_flow(self, limit: FlowLimit) -> Run:
        """The run that waits until a tick admits it: few enough runs of its flow must be under way."""
        return replace(self, progress=replace(self.progress, waiting=WaitReason.FLOW, limit=limit))

    def with_taken_over(
        self,
        tasks: Iterable[TaskRecord],
        unfinished: Mapping[str, tuple[int, ...]],
        item_lists: Mapping[str, tuple[Any, ...]],
    ) -> Run:
        """The run with what it takes over from the earlier run; the items of fan-outs are in its parts."""
        update = {
            "finished": {task.id: task for task in tasks},
            "unfinished": dict(unfinished),
            "item_lists": dict(item_lists),
            "has_taken_over": True,
            "has_parts": True,
        }
        return replace(self, body=self.body.model_copy(update=update))

    def with_finished(self, tasks: Iterable[TaskRecord], detected: datetime | None) -> Run:
        """The run with the results of tasks that have ended in the current round."""
        finished = {**self.body.finished, **{task.id: task for task in tasks}}
        return replace(self, body=self.body.model_copy(update={"finished": finished, "detected": detected}))

    def with_parts(self) -> Run:
        """The run with results of tasks in parts, which are to be removed with it."""
        return replace(self, body=self.body.model_copy(update={"has_parts": True}))

    def with_part_of_planning(self) -> Run:
        """The run with another part of items that ended while a round was planned."""
        update = {"has_parts": True, "parts_of_planning": self.body.parts_of_planning + 1}
        return replace(self, body=self.body.model_copy(update=update))

    def with_unfinished(self, unfinished: Mapping[str, tuple[int, ...]]) -> Run:
        """The run in whose later rounds these items of tasks in loops run."""
        if not unfinished:
            return self
        update = {"unfinished": {**self.body.unfinished, **unfinished}}
        return replace(self, body=self.body.model_copy(update=update))

    def with_repeats(self, unfinished: dict[str, tuple[int, ...]], warnings: Iterable[RunProblem]) -> Run:
        """The run whose next round repeats tasks of the current one that failed before their commands began."""
        update = {
            "unfinished": {**self.body.unfinished, **unfinished},
            "repeated_rounds": (*self.body.repeated_rounds, self.progress.round + 1),
            "warnings": (*self.body.warnings, *warnings),  # also the same again: each round has its own
        }
        return replace(self, body=self.body.model_copy(update=update))

    def next_round(self) -> Run:
        """The run, queued for its next round."""
        return replace(self, progress=replace(self._begun(), round=self.progress.round + 1))

    def as_ending(self) -> Run:
        """The run that gets no more tasks but has a job: it is recorded once the job has ended, like any other run."""
        return replace(self.with_parts(), progress=self._running(self.progress.pool))

    def with_rejection(self, rejection: Rejection) -> Run:
        """The run, rejected: it cannot continue."""
        return replace(self, body=self.body.model_copy(update={"rejection": rejection}))

    def with_early_end(self, last: Phase) -> Run:
        """The run that goes on with the phases after `last`, because it was cancelled or rejected before."""
        end = EarlyEnd(phase=last, cancelled=self.progress.cancelled or self.was_cancelled, rejection=self.rejection)
        body = self.body.model_copy(update={"early_end": end, "rejection": None})
        return replace(self, body=body, progress=replace(self.progress, cancelled=False)).next_round()

    def with_cancellation(self, request: str) -> Run:
        """The run, cancelled by the user with the request of this ETag: in this phase, and in no later one."""
        if request == self.body.cancel_request:
            return self
        body = self.body.model_copy(update={"cancel_request": request})
        return replace(self, body=body, progress=replace(self.progress, cancelled=True))

    def with_warnings(self, warnings: Iterable[RunProblem]) -> Run:
        """The run with more warnings for its record, each once."""
        update = {"warnings": tuple(dict.fromkeys((*self.body.warnings, *warnings)))}
        return replace(self, body=self.body.model_copy(update=update))

    def with_external_data(self, outside: ExternalData, warnings: Iterable[RunProblem] = ()) -> Run:
        """The run with what was read for planning, which every later planning uses. Its files must be staged again."""
        warned = self.with_warnings(warnings)
        body, progress = warned.body.model_copy(update={"outside": outside}), replace(self.progress, is_staged=False)
        return replace(self, body=body, progress=progress)

    def with_items(self, items: Mapping[str, tuple[ItemRecord, ...]]) -> Run:
        """The run with the items of the fan-outs that have ended, by task; they are not part of the document."""
        return replace(self, items=items)

    def _running(self, pool: str) -> Progress:
        return replace(self._begun(), state=State.RUNNING, pool=pool)

    def _begun(self) -> Progress:
        """The progress with only what stays the same whatever the run goes on with."""
        old = self.progress
        return Progress(
            round=old.round, cancelled=old.cancelled, accepted=old.accepted, limit=old.limit, admitted=old.admitted
        )
