"""Whether a run that was cancelled, or cannot continue, goes on with later phases of its flow.

`finally` and `afterExecution` run however the tasks ended, and `errors` if they failed, but not after a cancel. Kestra
begins no `finally` of an execution that is being killed, but its `afterExecution` (`process` and `handleAfterExecution`
of ExecutorService.java); here it runs, so that what it has to tidy up does not stay.
"""

from __future__ import annotations

from datetime import timedelta

from shared.documents.run import Run
from shared.documents.states import Phase
from shared.manifest.read import Manifest

PHASE_LIMIT = timedelta(hours=1)


def time_limit(phase: Phase, of_flow: timedelta) -> timedelta:
    """How long a job may take: a later phase has a limit of its own, so that it runs also if the time is over."""
    return of_flow if phase is Phase.TASKS else PHASE_LIMIT


def with_later_phases(manifest: Manifest, run: Run) -> Run | None:
    """The run that goes on after an early end; None if nothing is left of its flow, or nothing of it ever ran.

    A cancel while `finally` or `afterExecution` runs ends the run.
    """
    last = run.phase
    if run.progress.cancelled:
        if not last.is_up_to(Phase.ERRORS):
            return None
        last = Phase.ERRORS
    placed = (each for each in manifest.flow.placed_tasks if each.task.id in manifest.dependencies)
    is_anything_left = any(not each.phase.is_up_to(last) for each in placed)
    return run.with_early_end(last) if run.body.jobs and is_anything_left else None
