"""The app's exceptions as one tree; each class says who has to act.

::

    RunnerError
    ├── SettingsError       the operator: a setting is missing or malformed
    ├── ManifestError       the user: the manifest is wrong; the run ends in a record with state REJECTED
    ├── CannotPlan          the app's developers: a bug in reading or planning; the run ends in a record that says so
    ├── BatchRefused        the user: Batch refuses the job permanently; the run is rejected with Batch's message
    ├── JobConflict         the caller: the job's state forbids the step; the code says which state
    ├── TryLater            a later tick: it tries again, a limited number of times; until then the run is unchanged
    │   ├── ServiceBusy     the service answers 429 or 503; does not count as an attempt
    │   ├── QuotaReached    the quota of active jobs is used up; does not count as an attempt
    │   └── FilesChanged    a file changed while the run was being prepared; its version is looked up again
    ├── RunChanged          another invocation: it has changed the run document and continues the run
    └── RunUnreadable       a newer version of the app: it wrote the run document, and continues the run
        └── RunDamaged      the operator: a run document is damaged; the run ends if nobody repairs it

Any other exception is a bug, or a failure of the platform that an SDK reports: it is logged with the run id, the run
stays open, and poll_runs tries again a limited number of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta


class RunnerError(Exception):
    """The base class of the app's exceptions."""


class SettingsError(RunnerError):
    """An app setting is missing or malformed; the message names it and says what it should be."""


LONGEST_PROBLEM = 2_000  # characters, of its message and of its path


@dataclass(frozen=True)
class Problem:
    """One error (or warning) in a manifest.

    `path` is the property as a person would write it (`tasks[0].commands`), or None if no property is concerned.
    `line` and `column` count from 1 in the dropped file, or in another `file` of the run's results. What is quoted in
    it may be as long as a manifest: its middle is left out.
    """

    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _without_middle(self.message))
        object.__setattr__(self, "path", self.path and _without_middle(self.path))

    def __str__(self) -> str:
        where = f" at line {self.line}, column {self.column}" if self.line else ""
        return f"{self.path}: {self.message}{where}" if self.path else f"{self.message}{where}"


def _without_middle(text: str) -> str:
    """A text whose beginning says what is wrong, and whose end says what to do."""
    half = LONGEST_PROBLEM // 2
    return text if len(text) <= LONGEST_PROBLEM else f"{text[:half]} … {text[-half:]}"


class ManifestError(RunnerError):
    """The manifest cannot be run; `problems` holds all problems that were found, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


class CannotPlan(RunnerError):
    """Reading or planning a manifest failed because of a bug."""


class BatchRefused(RunnerError):
    """Batch refuses a job or its tasks permanently (4xx except 404, 409 and 429); `code` is Batch's error code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"Azure Batch refused the job ({code}): {message}")


class JobConflict(RunnerError):
    """A job exists already, is gone, or its state forbids the step; `code` is Batch's error code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"Azure Batch: {message} ({code})")


class TryLater(RunnerError):
    """A service did not do what was requested, but may do it later; nothing has been lost."""


class ServiceBusy(TryLater):
    """A service limits requests or is overloaded; `retry_after` is the pause that it asks for, if any."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class QuotaReached(TryLater):
    """The Batch account's quota of active jobs is used up; the run is submitted after another one has ended."""


class FilesChanged(TryLater):
    """The version of a file for a task is no longer the one that the run was planned with."""


class RunChanged(RunnerError):
    """Another invocation has changed or removed the run document since it was read."""


class RunUnreadable(RunnerError):
    """This version of the app cannot read a run document; it changes neither the document nor anything of the run."""


class RunDamaged(RunUnreadable):
    """No version of the app can read a run document; after as many tries as for other failures the run is ended."""


_LONGEST_NAME = 60  # the time of a comparison grows with the square of the length
_SHORTEST_CORE = 4


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar known name of the same kind, if one is similar.

    `known` must hold names of that kind only.
    """
    found = nearest(name, known)
    return f'; did you mean "{found}"?' if found else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The most similar known name, if one is similar.

    Names are similar if few of their letters differ; names with dots, part by part. Upper case, `-` and `_` make no
    difference.
    """
    if len(name) > _LONGEST_NAME:
        return None
    near = [(distance, other) for other in known if (distance := _distance(name, other)) is not None]
    return min(near, key=lambda each: each[0])[1] if near else None


def _distance(name: str, other: str) -> int | None:
    """In how many letters two names differ; None if they are not similar."""
    parts, others = (re.sub(r"[-_]", "", each).casefold().split(".") for each in (name, other))
    if len(parts) != len(others) or len(other) > _LONGEST_NAME:
        return None
    distances = [_distance_of_parts(*pair) for pair in zip(parts, others, strict=True)]
    return sum(filter(None, distances)) if None not in distances else None


def _distance_of_parts(one: str, other: str) -> int | None:
    shorter, longer = sorted((one, other), key=len)
    missing = len(longer) - len(shorter)
    if shorter in longer and (not missing or (len(shorter) >= _SHORTEST_CORE and missing < _SHORTEST_CORE)):
        return missing
    most = max(1, len(longer) // 4) if len(longer) > 2 else 0  # noqa: PLR2004 - any two names of two letters are near
    if missing > most:
        return None
    distance = _edits(shorter, longer)
    return distance if distance <= most else None


def _edits(one: str, other: str) -> int:
    """How many letters must be put in, taken out, replaced, or swapped with the next to get from one to the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        last, row, before = before, [i], row
        for j, wanted in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if last and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
