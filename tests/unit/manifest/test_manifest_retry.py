"""`retry` of a task, as Kestra has it: how often, with which pauses, and what is refused."""

from datetime import timedelta

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest
from shared.script.attempts import Attempts

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def read(retry: str):
    return read_manifest(f"commands: [x]\nretry: {{{retry}}}", "x.yaml")


@pytest.mark.parametrize(
    ("retry", "attempts"),
    [
        ("maxAttempts: 1", Attempts(1)),
        ("maxAttempts: 3", Attempts(3)),
        ("maxAttempt: 4", Attempts(4)),
        ("type: constant, maxAttempts: 5, interval: PT1M", Attempts(5, None, MINUTE, MINUTE)),
        ("interval: PT1S, maxDuration: PT10M", Attempts(None, 10 * MINUTE, SECOND, SECOND)),
        ("interval: PT0.25S, maxAttempts: 5, maxDuration: PT1M", Attempts(5, MINUTE, SECOND / 4, SECOND / 4)),
        (
            "type: exponential, maxAttempts: 9, interval: PT1S, maxInterval: PT1M",
            Attempts(9, None, SECOND, MINUTE, factor=2.0),
        ),
        (
            "type: exponential, maxDuration: PT10M, interval: PT1S, maxInterval: PT1M, delayFactor: 1.5",
            Attempts(None, 10 * MINUTE, SECOND, MINUTE, factor=1.5),
        ),
        (
            "type: random, maxAttempts: 2, minInterval: PT1S, maxInterval: PT1M, behavior: RETRY_FAILED_TASK",
            Attempts(2, None, SECOND, MINUTE, is_random=True),
        ),
    ],
)
def test_attempts_and_pauses(retry: str, attempts: Attempts) -> None:
    manifest = read(retry)
    given = manifest.flow.tasks[0].retry
    assert given
    assert given.attempts == attempts
    assert manifest.warnings == ()


@pytest.mark.parametrize(
    ("retry", "minutes"),
    [
        ("maxAttempts: 3, interval: PT5M", None),
        ("maxAttempts: 4, interval: PT5M", "15"),
        ("type: exponential, maxAttempts: 5, interval: PT1M, maxInterval: PT1H", "15"),
        ("type: random, maxAttempts: 2, minInterval: PT1S, maxInterval: PT11M", "11"),
        ("maxDuration: PT10M, interval: PT1S", None),
        ("maxDuration: P1D, interval: PT1S", "1,440"),
        ("maxAttempts: 100, interval: PT1M, maxDuration: PT10M30S", "11"),
    ],
)
def test_pauses_of_more_than_ten_minutes_are_a_warning_at_their_place(retry: str, minutes: str | None) -> None:
    found = [(warning.path, warning.line, warning.message) for warning in read(retry).warnings]
    message = f"the pauses take up to {minutes} minutes, in which the task occupies its slot on the node"
    assert found == ([("retry", 2, message)] if minutes else [])


@pytest.mark.parametrize(
    ("retry", "problem"),
    [
        ("", "retry: a retry needs `maxAttempts`, `maxDuration`, or both"),
        ("type: constant, interval: PT1M", "retry: a retry needs `maxAttempts`, `maxDuration`, or both"),
        ("maxDuration: PT1H", "retry: a retry without `maxAttempts` needs pauses, such as `interval: PT30S`"),
        ("maxAttempts: 0", "retry.maxAttempts: input should be greater than or equal to 1"),
        ("maxAttempts: 101", "retry.maxAttempts: input should be less than or equal to 100"),
        ("maxAttempts: often", "retry.maxAttempts: expected a whole number, found 'often'"),
        ("maxAttempt: 0", "retry.maxAttempt: input should be greater than or equal to 1"),
        ("maxAttempts: 2, type: linear", "retry.type: expected 'constant', 'exponential' or 'random', found 'linear'"),
        ("maxAttempts: 2, interval: 5m", "retry.interval: expected an ISO 8601 duration"),
        ("maxAttempts: 2, minInterval: 5", "retry.minInterval: expected an ISO 8601 duration"),
        ("maxAttempts: 2, maxInterval: soon", "retry.maxInterval: expected an ISO 8601 duration"),
        ("maxAttempts: 2, maxDuration: PT0S", "retry.maxDuration: expected an ISO 8601 duration"),
        ("maxAttempts: 2, delayFactor: much", "retry.delayFactor: expected a number"),
        ("maxAttempts: 2, delayFactor: 0.5", "retry.delayFactor: input should be greater than or equal to 1"),
        ("maxAttempts: 2, warningOnRetry: perhaps", "retry.warningOnRetry: expected true or false"),
        ("maxAttempts: 2, behavior: CREATE_NEW_EXECUTION", "retry.behavior: expected 'RETRY_FAILED_TASK'"),
        ("maxAttempts: 2, intervall: PT1M", 'retry.intervall: unknown property; did you mean "interval"?'),
        (
            "maxAttempts: 2, minInterval: PT1S, delayFactor: 3",
            "retry: `minInterval` belongs to `type: random`, and this is `type: constant`; `delayFactor` belongs",
        ),
        ("maxAttempts: 2, maxInterval: PT2S", "retry: `maxInterval` belongs to `type: exponential` or `type: random`"),
        (
            "maxAttempts: 2, type: exponential, delayFactor: 3, interval: PT1S",
            "retry: a retry of `type: exponential` needs `maxInterval`",
        ),
        ("maxAttempts: 2, type: random, minInterval: PT1S", "retry: a retry of `type: random` needs `maxInterval`"),
        (
            "maxAttempts: 2, type: random, interval: PT1S, minInterval: PT1S, maxInterval: PT2S",
            "retry: `interval` belongs to `type: constant` or `type: exponential`, and this is `type: random`",
        ),
        ("interval: PT1H, maxDuration: PT1H", "retry: `interval` must be shorter than `maxDuration`"),
        (
            "type: random, minInterval: PT1S, maxInterval: PT2S, maxDuration: PT2S",
            "retry: `maxInterval` must be shorter than `maxDuration`",
        ),
        (
            "maxAttempts: 2, type: exponential, interval: PT2S, maxInterval: PT2S",
            "retry: `interval` must be shorter than `maxInterval`",
        ),
        (
            "maxAttempts: 2, type: random, minInterval: PT3S, maxInterval: PT2S",
            "retry: `minInterval` must be shorter than `maxInterval`",
        ),
    ],
)
def test_mistakes(retry: str, problem: str) -> None:
    """What Kestra refuses, and what would be accepted and mean less than it says."""
    with pytest.raises(ManifestError) as caught:
        read(retry)
    [found] = map(str, caught.value.problems)
    assert found.startswith(problem)
    assert "at line 2" in found
