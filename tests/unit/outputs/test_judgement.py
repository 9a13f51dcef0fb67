"""What Batch reports of the tasks of a round, and what that means: skipped, or run again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.documents.ended_task import BatchFailure, EndedTask, TaskState
from shared.documents.names import Paths
from shared.documents.states import State
from shared.manifest.blocks import Branch
from shared.outputs.judgement import Fate, Judgement, judge, warnings_of_repeats
from shared.plan.round_plan import SubmittedRound, SubmittedTask
from shared.script.build import SKIPPED_EXIT_CODE

WELL = EndedTask(state=TaskState.COMPLETED, exit_code=0, succeeded=True)
FAILED = EndedTask(state=TaskState.COMPLETED, exit_code=3, failure=BatchFailure(code="FailureExitCode"))
GATED = replace(FAILED, exit_code=SKIPPED_EXIT_CODE)
NO_MARKER = EndedTask(state=TaskState.COMPLETED, failure=BatchFailure(code="BlobNotFound"))
SICK = EndedTask(state=TaskState.COMPLETED, failure=BatchFailure(code="DiskFull", is_server_error=True))
ACTIVE = EndedTask(state=TaskState.ACTIVE)
STOPPED = EndedTask(state=TaskState.COMPLETED, failure=BatchFailure(code="TaskEnded"))
LOST = BatchFailure(code="FileUploadMiscError")


def task(number: int, *depends_on: int, may_fail: bool = False, **more: tuple[Branch, ...]) -> SubmittedTask:
    paths = Paths("run", f"t{number}")
    return SubmittedTask(
        number=number,
        name=f"t{number}",
        item=None,
        allow_failure=may_fail,
        warns_of_retries=False,
        output_patterns=(),
        paths=paths,
        depends_on=depends_on,
        **more,
    )


@pytest.fixture
def fates(run_of):
    def of(*tasks: tuple[SubmittedTask, EndedTask | None], **run: object) -> list[str]:
        plan = SubmittedRound("staging", tuple(each for each, _ in tasks))
        ended = {each.id: how for each, how in tasks if how is not None}
        judgement = judge(run_of(**run), plan, ended, ran_out_of_time=False)
        return [judgement.fates[each.number].name for each, _ in tasks]

    return of


@pytest.mark.parametrize("reported", [GATED, NO_MARKER, SICK, ACTIVE, STOPPED, None])
@pytest.mark.parametrize("first", [FAILED, NO_MARKER, STOPPED, ACTIVE, replace(WELL, failure=LOST)])
def test_after_a_failure_a_task_is_skipped_whatever_batch_says_of_it(fates, first, reported) -> None:
    """It is not even repeated where the missing marker looks like a fault of the infrastructure."""
    assert fates((task(1), first), (task(2, 1), reported), (task(3, 2), reported)) == ["ILL", "SKIPPED", "SKIPPED"]


@pytest.mark.parametrize("reported", [GATED, NO_MARKER, SICK, ACTIVE, None])
def test_what_waits_for_a_repeated_task_is_run_after_it(fates, reported) -> None:
    assert fates((task(1), SICK), (task(2), WELL), (task(3, 1, 2), reported), (task(4, 3), reported)) == [
        "REPEATED", "WELL", "POSTPONED", "POSTPONED",
    ]  # fmt: skip


def test_a_failure_counts_more_than_a_repetition(fates) -> None:
    assert fates((task(1), SICK), (task(2), FAILED), (task(3, 1, 2), GATED)) == ["REPEATED", "ILL", "SKIPPED"]


def test_what_may_fail_keeps_nothing_from_running(fates) -> None:
    """Neither does its repetition: the task after it did not wait for that."""
    assert fates((task(1, may_fail=True), FAILED), (task(2, 1), WELL)) == ["WELL", "WELL"]
    assert fates((task(1, may_fail=True), SICK), (task(2, 1), WELL)) == ["REPEATED", "WELL"]
    assert fates((task(1), FAILED), (task(2, 1, may_fail=True), GATED), (task(3, 2), GATED)) == [
        "ILL", "SKIPPED", "SKIPPED",
    ]  # fmt: skip


def test_after_three_repetitions_it_has_failed(fates) -> None:
    assert fates((task(1), SICK), (task(2, 1), GATED), repeated_rounds=(2, 3, 4)) == ["ILL", "SKIPPED"]


def test_what_a_failure_has_stopped_is_not_run_again(fates) -> None:
    """Another branch of the group has failed meanwhile, so this one would not begin any more."""
    first, second, third = (Branch("g", index, 2) for index in range(3))
    sick = task(3, branches=(third,), begins=(third,))
    assert fates((task(1, branches=(first,)), FAILED), (sick, SICK)) == ["ILL", "ILL"]
    assert fates((task(1, branches=(first,)), WELL), (sick, SICK)) == ["WELL", "REPEATED"]
    assert fates((task(1, branches=(third,)), FAILED), (sick, SICK)) == ["ILL", "REPEATED"], "its own branch"
    gated = (task(2, 1, branches=(second,)), GATED)
    assert fates((task(1), FAILED), gated, (sick, SICK)) == ["ILL", "SKIPPED", "REPEATED"], "that did not run"


def test_what_waits_for_a_repeated_task_is_skipped_if_a_failure_has_stopped_it(fates) -> None:
    first, second, third = (Branch("g", index, 2) for index in range(3))
    tasks = [(task(1, branches=(first,)), FAILED), (task(2, branches=(second,)), SICK)]
    late = (task(3, 2, branches=(third,), begins=(third,)), NO_MARKER)
    assert fates(*tasks, late) == ["ILL", "REPEATED", "SKIPPED"]
    assert fates((task(1), FAILED), tasks[1], late) == ["ILL", "REPEATED", "POSTPONED"], "not in its group"


def test_the_exit_code_of_skipped_tasks_is_a_failure_where_nothing_skipped_the_task(fates) -> None:
    first, second, third = (Branch("g", index, 2) for index in range(3))
    sick = (task(3, branches=(third,), begins=(third,)), SICK)
    assert fates((task(1, branches=(first,)), GATED), sick) == ["ILL", "ILL"], "the user's own"
    may_fail = (task(1, may_fail=True, branches=(first,)), GATED)
    assert fates(may_fail, sick) == ["WELL", "REPEATED"], "the user's own, which may fail"
    after_sick = (task(1), SICK), (task(2, 1, branches=(second,)), GATED)
    assert fates(*after_sick, sick) == ["REPEATED", "POSTPONED", "REPEATED"], "kept by what is run again"
    stopped = (task(1, branches=(first,)), FAILED), (task(2, branches=(second,), begins=(second,)), GATED)
    own_branch = (task(3, branches=(first,), begins=(first,)), SICK)
    assert fates(*stopped, own_branch) == ["ILL", "ILL", "REPEATED"], "stopped by a failure, so no failure itself"


@pytest.mark.parametrize(
    ("before", "state"),
    [
        (Fate.WELL, State.SUCCESS),
        (Fate.ILL, State.SKIPPED),
        (Fate.SKIPPED, State.SKIPPED),
        (Fate.REPEATED, None),
        (Fate.POSTPONED, None),
    ],
)
def test_a_fan_out_without_items_ends_as_what_it_waits_for_allows(before: Fate, state: State | None) -> None:
    assert Judgement({1: Fate.WELL, 2: before}).of_empty((1, 2)) is state
    assert Judgement({1: before}).of_empty(()) is State.SUCCESS


def test_only_what_failed_itself_is_told_to_be_run_again(run_of) -> None:
    plan = SubmittedRound("staging", (task(1), task(2, 1)))
    ended = {"1": SICK, "2": SICK}
    judgement = judge(run_of(), plan, ended, ran_out_of_time=False)
    assert judgement.again == {1, 2}
    assert [warning.path for warning in warnings_of_repeats(plan, ended, judgement)] == ["tasks.t1"]
