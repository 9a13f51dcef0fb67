"""What Azure Batch reports of all tasks of a round → which were skipped, and which are run again in the next round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from shared.documents.ended_task import EndedTask
from shared.documents.record import RunProblem
from shared.documents.run import Run
from shared.documents.states import State
from shared.manifest.blocks import Branch
from shared.outputs.outcome import is_infrastructure, outcome_of, recorded
from shared.plan.round_plan import SubmittedRound, SubmittedTask
from shared.script.build import SKIPPED_EXIT_CODE

MAX_REPEATED_ROUNDS = 3


class Fate(Enum):
    """What became of a task, as far as it matters for those that wait for it."""

    WELL = "it ended well, or may fail"
    ILL = "it did not end well"
    SKIPPED = "it did not run, because a task before it did not end well"
    REPEATED = "it failed before its commands began, and is run again"
    POSTPONED = "it did not run, because a task before it is run again; so is this one"


_AGAIN = frozenset({Fate.REPEATED, Fate.POSTPONED})


@dataclass(frozen=True)
class Judgement:
    """The fates of the tasks of a round, by their numbers."""

    fates: Mapping[int, Fate]

    @property
    def skipped(self) -> frozenset[int]:
        """The tasks that were kept from running."""
        return frozenset(number for number, fate in self.fates.items() if fate is Fate.SKIPPED)

    @property
    def again(self) -> frozenset[int]:
        """The tasks that are run again in the next round."""
        return frozenset(number for number, fate in self.fates.items() if fate in _AGAIN)

    def of_empty(self, waits_for: tuple[int, ...]) -> State | None:
        """The state of a fan-out without items that waits for these tasks; None if its turn is yet to come."""
        before = {self.fates[number] for number in waits_for}
        if before & {Fate.ILL, Fate.SKIPPED}:
            return State.SKIPPED
        return None if before & _AGAIN else State.SUCCESS


def judge(run: Run, plan: SubmittedRound, tasks: Mapping[str, EndedTask], *, ran_out_of_time: bool) -> Judgement:
    """Judge the tasks of an ended job, each after those that it depends on.

    A task after one that did not end well has not run, whatever Batch reports of it: it ended by itself at once, failed
    for want of the other's marker, or never started. What failed before its commands began is run again, at most in
    three rounds, with all that was kept from running by it; but not if a failure has stopped its group meanwhile.
    """
    is_over = run.progress.cancelled or ran_out_of_time or len(run.body.repeated_rounds) >= MAX_REPEATED_ROUNDS
    failed = _failed_branches(plan, tasks)
    fates: dict[int, Fate] = {}
    after: dict[int, Fate] = {}
    for task in plan.tasks:
        is_stopped = any(other.group == own.group and other != own for own in task.begins for other in failed)
        before = {after[number] for number in task.depends_on}
        fate = _fate(task, tasks.get(task.id), before, is_over=is_over, is_stopped=is_stopped)
        fates[task.number] = fate
        after[task.number] = Fate.WELL if fate is Fate.REPEATED and task.allow_failure else fate
    return Judgement(fates)


def _failed_branches(plan: SubmittedRound, tasks: Mapping[str, EndedTask]) -> set[Branch]:
    """The branches of groups with a limit in which commands have failed.

    The exit code of a task that did not run may be that of the user's commands too. It is, if the task waits for none
    that did not end well, and nothing else has failed in its group.
    """
    failed: set[Branch] = set()
    unclear: set[Branch] = set()
    unwell: set[int] = set()
    for task in plan.tasks:
        ended, is_kept = tasks.get(task.id), not unwell.isdisjoint(task.depends_on)
        if is_kept or not (task.allow_failure or outcome_of(ended).state is State.SUCCESS):
            unwell.add(task.number)
        if ended is not None and not task.allow_failure and ended.exit_code not in (None, 0):
            if ended.exit_code != SKIPPED_EXIT_CODE:
                failed.update(task.branches)
            elif not is_kept:
                unclear.update(task.branches)
    groups = {branch.group for branch in failed}
    return failed | {branch for branch in unclear if branch.group not in groups}


def _fate(task: SubmittedTask, ended: EndedTask | None, before: set[Fate], *, is_over: bool, is_stopped: bool) -> Fate:
    if before & {Fate.ILL, Fate.SKIPPED}:
        return Fate.SKIPPED
    if before & _AGAIN:
        return Fate.SKIPPED if is_stopped else Fate.POSTPONED
    if ended is not None and not (is_over or is_stopped) and failed_before_commands(ended):
        return Fate.REPEATED
    return Fate.WELL if task.allow_failure or outcome_of(ended).state is State.SUCCESS else Fate.ILL


# The service calls them the user's. But an image "is invalid" also where a registry did not answer or a disk was full,
# settings are also where the container engine timed out: https://github.com/Azure/Batch/issues/4 and /49.
_MAY_PASS = frozenset({"ContainerInvalidImage", "ContainerInvalidSettings", "ContainerMiscError"})


def failed_before_commands(task: EndedTask) -> bool:
    """Whether a task failed before its commands began, for a reason that may pass."""
    if task.failure is None or task.exit_code is not None or task.was_terminated:
        return False
    return task.failure.code in _MAY_PASS or is_infrastructure(task.failure)


def items_to_repeat(plan: SubmittedRound, repeated: frozenset[int]) -> dict[str, tuple[int, ...]]:
    """The indices of the items that are run again, by fan-out; `repeated` are the numbers of their tasks."""
    found: dict[str, tuple[int, ...]] = {}
    for task in plan.tasks:
        if task.number in repeated and task.item is not None:
            found[task.name] = (*found.get(task.name, ()), task.item.index)
    return found


def warnings_of_repeats(plan: SubmittedRound, tasks: Mapping[str, EndedTask], judgement: Judgement) -> list[RunProblem]:
    """What the record says of tasks that are run again: one warning for each task of the manifest that failed."""
    warnings: dict[str, RunProblem] = {}
    for task in plan.tasks:
        ended = tasks.get(task.id)
        if judgement.fates[task.number] is Fate.REPEATED and ended and ended.failure and task.name not in warnings:
            reason = recorded(ended.failure)
            message = f"run again, because it failed before its commands began: {reason.code}: {reason.message}"
            warnings[task.name] = RunProblem(message=message, path=f"tasks.{task.display_name}")
    return list(warnings.values())
