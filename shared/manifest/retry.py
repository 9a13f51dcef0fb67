"""`retry` of a task: how often its commands are tried, and the pauses between."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.manifest.types import Duration, Properties, PropertyPath
from shared.script.attempts import Attempts

MAX_ATTEMPTS = 100
PAUSES_TO_WARN_OF = timedelta(minutes=10)
DEFAULT_DELAY_FACTOR = 2.0

# The properties that say when, by `type`: those that it must have, and those that it may have. All others are unknown
# to Kestra: https://github.com/kestra-io/kestra/tree/develop/core/src/main/java/io/kestra/core/models/tasks/retrys
_REQUIRED = {"constant": (), "exponential": ("interval", "maxInterval"), "random": ("minInterval", "maxInterval")}
_ALLOWED = {"constant": ("interval",), "exponential": ("delayFactor",), "random": ()}


class Retry(Properties):
    """What happens when the commands fail or reach their time limit: they are tried again in the same container.

    Each attempt begins with the files that the manifest gives, and finds nothing of earlier attempts in the working
    directory: everything there is removed, and the input files are put back as they were. Processes that an attempt
    left running are ended before. Attempts share the container: what lies outside the working directory stays, such as
    packages that were installed. Exit code, output files, printed values and metrics are those of the last attempt. The
    logs are those of all, with the line `azure-batch-task-runner: attempt 2` between them; the record tells exit code
    and times of each (`attempts`). In the commands, the environment variable ATTEMPT is the number of the attempt, 1 in
    the first one; it takes the place of Kestra's `taskrun.attemptsCount`. Copies of the input files are kept on the
    node meanwhile.

    The commands are not tried again if the container is killed as a whole (for example, because its memory is used up),
    if the run is cancelled, or if input files are missing. A task whose node is lost runs again on another one, and
    begins with the first attempt there; the record has the attempts of that node. Pauses occupy the task's slot on its
    node.
    """

    max_attempts: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)] | None = None
    """How often the commands are tried at most, including the first time; required unless there is `maxDuration`."""
    max_attempt: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)] | None = None
    """The old name of `maxAttempts`."""
    max_duration: Duration | None = None
    """No attempt begins later than this after the first one; there is no other limit if `maxAttempts` is left out."""
    type: Literal["constant", "exponential", "random"] = "constant"
    """The pauses: `constant` (`interval`), `exponential` (from `interval`, each `delayFactor` times as long as the one
    before, up to `maxInterval`) or `random` (from `minInterval` to `maxInterval`)."""
    interval: Duration | None = None
    """The pause after an attempt, or after the first one if it is `exponential`; without it, there is none."""
    min_interval: Duration | None = None
    """The shortest `random` pause."""
    max_interval: Duration | None = None
    """The longest pause; required if it is `exponential` or `random`."""
    delay_factor: Annotated[float, Field(ge=1, le=1000)] | None = None
    """How many times longer each `exponential` pause is than the one before; without it, twice as long."""
    warning_on_retry: bool = False
    """Whether a task that succeeds only after a failed attempt is WARNING."""
    behavior: Literal["RETRY_FAILED_TASK"] = "RETRY_FAILED_TASK"
    """What is tried again: the task."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if problems := [*self._wrong_properties(), *self._wrong_times()]:
            raise ValueError("; ".join(problems))
        return self

    def _wrong_properties(self) -> Iterator[str]:
        given = {
            "interval": self.interval,
            "minInterval": self.min_interval,
            "maxInterval": self.max_interval,
            "delayFactor": self.delay_factor,
        }
        for name in _REQUIRED[self.type]:
            if given[name] is None:
                yield f"a retry of `type: {self.type}` needs `{name}`"
        for name, value in given.items():
            if value is not None and name not in (*_REQUIRED[self.type], *_ALLOWED[self.type]):
                types = [f"`type: {each}`" for each in _REQUIRED if name in (*_REQUIRED[each], *_ALLOWED[each])]
                yield f"`{name}` belongs to {' or '.join(types)}, and this is `type: {self.type}`"
        if self._most is None and self.max_duration is None:
            yield "a retry needs `maxAttempts`, `maxDuration`, or both: without a limit it would never end"
        elif self._most is None and self.type == "constant" and self.interval is None:
            yield "a retry without `maxAttempts` needs pauses, such as `interval: PT30S`"

    def _wrong_times(self) -> Iterator[str]:
        """What Kestra refuses too: pauses that leave no time for a second attempt, and ranges that are none."""
        times = {
            "interval": self.interval,
            "minInterval": self.min_interval,
            "maxInterval": self.max_interval if self.type == "random" else None,
        }
        for name, time in times.items():
            if time and self.max_duration and time >= self.max_duration:
                yield f"`{name}` must be shorter than `maxDuration`"
        lower, name = (self.min_interval, "minInterval") if self.type == "random" else (self.interval, "interval")
        if lower and self.max_interval and lower >= self.max_interval and self.type != "constant":
            yield f"`{name}` must be shorter than `maxInterval`"

    @property
    def _most(self) -> int | None:
        return self.max_attempts or self.max_attempt

    @property
    def attempts(self) -> Attempts:
        """How often the commands are tried, and the pauses between.

        Kestra's `nextRetryDate`: up to 1.3 its exponential pauses grew linearly, from zero, which was mended in 2.0.
        """
        zero = timedelta(0)
        if self.type == "constant":
            pause = self.interval or zero
            return Attempts(self._most, self.max_duration, lowest=pause, highest=pause)
        return Attempts(
            self._most,
            self.max_duration,
            lowest=(self.min_interval if self.type == "random" else self.interval) or zero,
            highest=self.max_interval or zero,
            factor=self.delay_factor or DEFAULT_DELAY_FACTOR if self.type == "exponential" else 1.0,
            is_random=self.type == "random",
        )

    def warnings(self) -> Iterator[tuple[PropertyPath, str]]:
        """That the pauses take long, if they do."""
        seconds = self.attempts.pause_seconds
        if seconds > PAUSES_TO_WARN_OF.total_seconds():
            minutes = math.ceil(seconds / 60)
            yield (), f"the pauses take up to {minutes:,} minutes, in which the task occupies its slot on the node"
