"""What the script noted of attempts, which part of a log the last one printed, and what a record says of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.documents.states import State
from shared.documents.task_result import Attempt
from shared.outputs.attempts import MAX_ATTEMPTS, MAX_NOTES_BYTES, ONCE, WHOLE_LOG, LogPart, after_line, read_notes
from shared.outputs.files import TaskFiles
from shared.outputs.outcome import Outcome
from shared.outputs.printed import Printed
from shared.outputs.record_tasks import task_record
from shared.plan.plan_round import plan_round
from shared.plan.run_manifest import manifest_of
from shared.script.build import attempt_line

NOTES = b"1 begins 1764000000 0 0\n1 ends 1764000005 7\n2 begins 1764000010 120 44\n2 ends 1764000011 0\n"


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(1764000000 + seconds, UTC)


def test_exit_codes_times_and_where_the_last_attempt_begins() -> None:
    tried = read_notes(NOTES)
    assert tried.count == 2
    assert tried.attempts == (
        Attempt(exit_code=7, started=at(0), ended=at(5)),
        Attempt(exit_code=0, started=at(10), ended=at(11)),
    )
    assert tried.part("stdout.txt") == LogPart(120, attempt_line(2))
    assert tried.part("stderr.txt") == LogPart(44, attempt_line(2))


def test_of_one_attempt_the_whole_log_is_read() -> None:
    """Also where the directory of the log held something before."""
    assert read_notes(NOTES[:45]).part("stdout.txt") == WHOLE_LOG


def test_what_the_image_could_not_tell_and_what_did_not_end_is_not_known() -> None:
    tried = read_notes(b"1 begins - - -\n1 ends - 7\n2 begins - - -\n")
    assert (tried.count, tried.attempts) == (2, (Attempt(exit_code=7), Attempt()))
    assert tried.part("stdout.txt") == LogPart(0, attempt_line(2))


@pytest.mark.parametrize(
    "notes", [b"", b"\xff\n", b"1 ends 5 7\n", b"one begins - - -\n", b"1 begins 99999999999 0 0\n"]
)
def test_what_is_not_understood_says_nothing(notes: bytes) -> None:
    assert read_notes(notes) is ONCE


def test_of_many_attempts_the_last_are_told_and_all_are_counted() -> None:
    """Only the end of the notes is read; it is long enough."""
    lines = [f"{n} begins 1764000000 {n}00000000000 0\n{n} ends 1764000000 255\n" for n in range(1, 5001)]
    tried = read_notes("".join(lines).encode()[-MAX_NOTES_BYTES:])
    assert (tried.count, len(tried.attempts)) == (5000, MAX_ATTEMPTS)
    assert {attempt.exit_code for attempt in tried.attempts} == {255}


LOG = b"a: attempt 1\nx\na: attempt 2\nlast\na: attempt 2\n"


@pytest.mark.parametrize("size", range(1, len(LOG) + 1))
def test_what_comes_after_a_line_wherever_the_pieces_end(size: int) -> None:
    pieces = [LOG[start : start + size] for start in range(0, len(LOG), size)]
    assert b"".join(after_line("a: attempt 2", pieces)) == b"last\na: attempt 2\n"
    assert b"".join(after_line("a: attempt 1", pieces)) == LOG[13:]
    assert b"".join(after_line(None, pieces)) == LOG
    assert b"".join(after_line("a: attempt", pieces)) == b"", "only a whole line counts"


@pytest.mark.parametrize(
    ("text", "state", "retries", "expected"),
    [
        ("retry: {maxAttempts: 3, warningOnRetry: true}", State.SUCCESS, 2, State.WARNING),
        ("retry: {maxAttempts: 3, warningOnRetry: true}", State.SUCCESS, 0, State.SUCCESS),
        ("retry: {maxAttempts: 3, warningOnRetry: true}", State.FAILED, 2, State.FAILED),
        ("retry: {maxAttempts: 3}", State.SUCCESS, 2, State.SUCCESS),
    ],
)
def test_a_success_after_a_failed_attempt_is_a_warning_only_if_that_is_asked_for(
    run_of, settings, text: str, state: State, retries: int, expected: State
) -> None:
    """https://github.com/kestra-io/kestra: WorkerTaskProcessor."""
    run = run_of(f"commands: [x]\n{text}")
    task = plan_round(manifest_of(run), run, settings).tasks[0]
    outcome = Outcome(state, retries=retries, requeues=1)
    record = task_record(task, outcome, TaskFiles({}, (), (), ()), Printed())
    assert (record.state, record.retries, record.requeue_count) == (expected, retries, 1)
    told = ("it succeeded only in attempt 3 (`warningOnRetry`)",) if expected is State.WARNING else ()
    assert record.warnings == told
