"""Everything that can go wrong, as one tree; each class says who has to act.

::

    RunnerError
    ├── SettingsError       the operator's: a setting is missing or malformed
    ├── ManifestError       the user's: the manifest is wrong; the run ends in a record with state REJECTED
    ├── CannotPlan          ours: a bug in reading or planning; the run ends in a record that says so
    ├── BatchRefused        Batch refuses the job for good; the run is rejected with Batch's own words
    ├── JobConflict         the job is in a state that forbids the step; the caller decides by the code
    ├── TryLater            a service did not do it: the run stays as it is, and a later tick tries again, bounded
    │   ├── ServiceBusy     the service says so itself (429, 503): does not count as a try
    │   ├── QuotaReached    the quota of active jobs is used up: does not count as a try
    │   └── FilesChanged    a file changed while the run was being prepared: it is looked up again
    ├── RunChanged          the run document changed under us: whoever changed it goes on with the run
    └── RunUnreadable       the operator's: a run document is damaged, or a newer version of the app wrote it

Anything else that is raised is a bug, or a failure of the platform that an SDK reports: it is logged with the run id,
the run stays open, and poll_runs tries again a bounded number of times.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta


class RunnerError(Exception):
    """The root of the app's own exceptions."""


class SettingsError(RunnerError):
    """An app setting is missing or malformed; the message names it and says what it should be."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong (or noteworthy) in a manifest.

    `path` is the property as a person would write it (`tasks[0].commands`), or None where no property is meant.
    `line` and `column` count from 1 in the dropped file.
    """

    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = f" at line {self.line}, column {self.column}" if self.line else ""
        return f"{self.path}: {self.message}{where}" if self.path else f"{self.message}{where}"


class ManifestError(RunnerError):
    """The manifest cannot be run as it is; `problems` holds everything that was found, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


class CannotPlan(RunnerError):
    """Reading or planning a manifest failed in a way that nobody foresaw."""


class BatchRefused(RunnerError):
    """Batch refuses a job or its tasks for good (a 4xx other than 404, 409 and 429); `code` is Batch's error code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"Azure Batch refused the job ({code}): {message}")


class JobConflict(RunnerError):
    """A job exists already, is gone, or is in a state that forbids the step; `code` is Batch's error code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"Azure Batch: {message} ({code})")


class TryLater(RunnerError):
    """A service did not do what was asked, and may do it later; nothing has been lost."""


class ServiceBusy(TryLater):
    """A service limits requests, or is overloaded, and says so; perhaps also for how long."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class QuotaReached(TryLater):
    """The Batch account's quota of active jobs is used up; a run is submitted once another one has ended."""


class FilesChanged(TryLater):
    """A file that a task gets is no longer the version that the run was planned with."""


class RunChanged(RunnerError):
    """The run document is no longer the one that was read: it was changed or removed by another invocation."""


class RunUnreadable(RunnerError):
    """A run document is not one that this version of the app has written; it is left alone, and so is its run."""


_LONGEST = 40  # comparing takes time in proportion to the square


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, if there is any near enough."""
    if len(name) > _LONGEST:
        return ""
    nearest = difflib.get_close_matches(name, [each for each in known if len(each) <= _LONGEST], n=1)
    return f'; did you mean "{nearest[0]}"?' if nearest else ""
