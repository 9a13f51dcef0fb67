"""poll_runs: one tick. Its cost depends neither on the number of open runs nor on how long they take.

1. List the inbox: cancel the runs that requests name, accept manifests whose event never came.
2. Create the runs that are due by schedules (`steps/start_due.py`).
3. List the open runs with their progress.
4. If any is RUNNING, list the live jobs; publish JobEnded for every run whose job is not among them, all in one call.
5. Submit QUEUED runs, the oldest first, until the quota of active jobs is reached; those of flows with `concurrency`
   only as far as that allows. Ticks never overlap, and nobody else admits a run: so counting them needs no lock.
6. Report why runs wait that have waited for long (`steps/report_waiting.py`).

3 comes before 4: a run that is submitted in between is not in the list of runs, so it is not mistaken for ended. A tick
that fails does not fail any run: the next one does the same again.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import replace
from datetime import datetime, timedelta

from shared.app import App, isolate_failures
from shared.batch.client import LiveJobs
from shared.documents.names import run_of_job
from shared.documents.progress import ListedRun
from shared.documents.states import FailureCode, State, WaitReason
from shared.events import JobEnded
from shared.lifecycle import Action, next_action, queued_actions
from shared.log import Stage, log_event
from shared.parallel import AT_ONCE, in_parallel
from shared.steps.close_run import finish_refused
from shared.steps.load_open import load_open
from shared.steps.report_waiting import report_waiting
from shared.steps.start_due import start_due
from shared.submit_run import accept, cancel_run, give_up, submit

SWEEP, SCHEDULES, SUBMIT, REPORT = (timedelta(seconds=share) for share in (3, 3, 3, 1))
"""How long a part of a tick takes at most; a later part has the time that earlier ones have left, too."""
MAX_ORPHANS = 10
SWEPT_AFTER = timedelta(seconds=60)


def poll(app: App) -> None:
    """Do everything that is due; what does not fit into the shares of 10 s is left to the next tick."""
    now = app.now()
    with isolate_failures(Stage.POLL):
        app.card.note_tick(now)
    inbox = app.inbox.list()
    for cancel in inbox.cancels:
        with isolate_failures(Stage.POLL, blob=cancel.name):
            cancel_run(app, cancel)
    sweep(app, [blob.name for blob in inbox.manifests if now - blob.last_modified >= SWEPT_AFTER], now + SWEEP)
    with isolate_failures(Stage.POLL):
        start_due(app, now, _deadline(app, SCHEDULES, now + SWEEP))
    runs = app.runs.list()
    try:
        announce_ended(app, runs, now)
    finally:  # a failure to announce ends must not keep other runs from being submitted
        submit_queued(app, runs, now, _deadline(app, SUBMIT, now + SWEEP + SCHEDULES))
    with isolate_failures(Stage.POLL):
        report_waiting(app, runs, now, _deadline(app, REPORT, now + SWEEP + SCHEDULES + SUBMIT))


def _deadline(app: App, share: timedelta, begins: datetime) -> datetime:
    """When a part of the tick ends that begins now, and could have begun later."""
    return max(app.now(), begins) + share


def sweep(app: App, blobs: list[str], deadline: datetime) -> None:
    """Accept manifests whose event never came."""

    def accept_in_time(blob: str) -> None:
        if app.now() < deadline:
            with isolate_failures(Stage.SUBMIT, blob=blob):
                accept(app, blob)

    in_parallel(accept_in_time, blobs)


def announce_ended(app: App, runs: list[ListedRun], now: datetime) -> None:
    """Publish JobEnded for every running run whose job has completed or no longer exists."""
    running = [run for run in runs if run.progress.state is State.RUNNING]
    if not running:
        return
    live = app.batch.live_jobs()
    remove_orphans(app, live, {run.id for run in runs})
    actions = [(run, next_action(run, job_is_alive=run.job_id in live.ids, now=now)) for run in running]
    for run, action in actions:
        if action is Action.TERMINATE:
            log_event(Stage.POLL, "terminated-after-timeout", level=logging.WARNING, run=run.id, job=run.job_id)
            app.batch.terminate(run.job_id)
    due = [(run, action) for run, action in actions if action in (Action.ANNOUNCE, Action.ANNOUNCE_LAST)]
    if not due:
        return
    app.events.publish(
        [JobEnded(run.id, run.progress.round, last=action is Action.ANNOUNCE_LAST) for run, action in due]
    )
    announced = [(run, replace(run.progress, announced=run.progress.announced + 1)) for run, _ in due]
    in_parallel(lambda run_and_progress: app.runs.set_progress(*run_and_progress), announced)


def remove_orphans(app: App, live: LiveJobs, open_runs: set[str]) -> None:
    """Delete jobs of closed runs: their submitter died after creating the job and before finding the run closed.

    They would never end by themselves. A run document is written before the run's jobs, so a job without one is an
    orphan. Jobs of other apps are left alone.
    """
    own_jobs = ((job, run_of_job(job)) for job, origin in live.active.items() if origin == app.settings.origin)
    orphans = ((job, run) for job, run in own_jobs if run and run not in open_runs)
    for job, run in itertools.islice(orphans, MAX_ORPHANS):
        with isolate_failures(Stage.POLL, run=run):
            if app.runs.load(run) is None:
                log_event(Stage.POLL, "orphan-deleted", level=logging.WARNING, run=run, job=job)
                app.batch.delete(job)


def submit_queued(app: App, runs: list[ListedRun], now: datetime, deadline: datetime) -> None:
    """Submit queued runs, the oldest first. When Batch makes one of them wait, the runs after it wait too.

    A run that waits for others of its flow keeps nobody waiting.

    One run first, then each time twice as many in parallel, as long as Batch accepts them: if the quota is used up, a
    tick makes only one request to Batch.
    """
    due = queued_actions(runs, now)
    if any(run.progress.retry_at and run.progress.retry_at > now for run in runs):
        due = [(run, action) for run, action in due if action is Action.REFUSE]
    at_once = 1
    while due and app.now() < deadline:
        if any(in_parallel(lambda run_and_action: _try_again_isolated(app, *run_and_action), due[:at_once])):
            return
        due, at_once = due[at_once:], min(2 * at_once, AT_ONCE)


def _try_again_isolated(app: App, run: ListedRun, action: Action) -> WaitReason | None:
    reason = None
    with isolate_failures(Stage.SUBMIT, run=run.id):
        reason = _try_again(app, run, action)
    return reason  # noqa: RET504 - None if the attempt failed


def _try_again(app: App, listed: ListedRun, action: Action) -> WaitReason | None:
    """Count the attempt, and submit, reject or refuse the run. Returns why the run still waits, if it does."""
    if action is Action.SUBMIT and app.runs.set_progress(listed, listed.progress.attempted(app.now())) is None:
        return None
    run = load_open(app, listed.id, end_as=State.FAILED if action is Action.REJECT else None)
    if run is None:
        return None
    if action is Action.REJECT:
        message = f"the run could not be submitted to Azure Batch in {listed.progress.attempts} attempts"
        give_up(app, run, FailureCode.TOO_MANY_ATTEMPTS, message)
        return None
    if action is Action.REFUSE:
        finish_refused(app, run)
        return None
    return submit(app, run)
