"""`retry` of a task, in all forms that Kestra has: how often is Batch's, when is not."""

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest

AT_ONCE = "without effect: Azure Batch runs a failed task again at once"


def read(retry: str):
    return read_manifest(f"commands: [x]\nretry: {{{retry}}}", "x.yaml")


@pytest.mark.parametrize(
    ("retry", "retries"),
    [
        ("maxAttempts: 1", 0),
        ("maxAttempts: 3", 2),
        ("maxAttempts: 100", 99),
        ("maxAttempt: 4", 3),
        ("type: constant, maxAttempts: 5", 4),
    ],
)
def test_retries_are_the_attempts_after_the_first(retry: str, retries: int) -> None:
    """Also by the old name of the property."""
    given = read(retry).flow.tasks[0].retry
    assert given
    assert given.retries == retries


@pytest.mark.parametrize(
    ("retry", "warned"),
    [
        ("type: constant, interval: PT15M", {"interval": AT_ONCE}),
        (
            "type: exponential, interval: PT30S, maxInterval: PT10M, delayFactor: 2.5",
            {"interval": AT_ONCE, "maxInterval": AT_ONCE, "delayFactor": AT_ONCE},
        ),
        ("type: random, minInterval: PT0.25S, maxInterval: PT1M", {"minInterval": AT_ONCE, "maxInterval": AT_ONCE}),
        ("maxDuration: PT1H", {"maxDuration": "without effect: only `maxAttempts` limits how often a task is run"}),
        ("warningOnRetry: true", {"warningOnRetry": "without effect: the record says how often a task was run again"}),
        ("behavior: RETRY_FAILED_TASK, warningOnRetry: false", {}),
    ],
)
def test_what_batch_cannot_honour_is_a_warning_at_its_place(retry: str, warned: dict[str, str]) -> None:
    warnings = read(f"maxAttempts: 2, {retry}").warnings
    assert {warning.path: warning.message for warning in warnings} == {
        f"retry.{name}": message for name, message in warned.items()
    }
    assert all(warning.line == 2 for warning in warnings)


@pytest.mark.parametrize(
    ("retry", "problem"),
    [
        ("", "retry: a retry needs `maxAttempts`: Azure Batch has no other limit"),
        ("type: constant, interval: PT1M, maxDuration: PT1H", "retry: a retry needs `maxAttempts`"),
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
        ("maxAttempts: 2, warningOnRetry: perhaps", "retry.warningOnRetry: expected true or false"),
        ("maxAttempts: 2, behavior: CREATE_NEW_EXECUTION", "retry.behavior: expected 'RETRY_FAILED_TASK'"),
        ("maxAttempts: 2, intervall: PT1M", 'retry.intervall: unknown property; did you mean "interval"?'),
    ],
)
def test_mistakes(retry: str, problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(retry)
    [found] = map(str, caught.value.problems)
    assert found.startswith(problem)
    assert "at line 2" in found
