"""How the tasks of a run ended, what they produced, used and cost: parts of the completion record."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field

from shared.documents.document import Document
from shared.documents.items import Item, is_none
from shared.documents.states import FailureCategory, FailureCode, SkippedBy, State
from shared.documents.usage import Usage, UsageSum


def _as_text(tag: object) -> object:
    """Convert numbers and booleans to text, as Kestra does."""
    return json.dumps(tag) if isinstance(tag, bool | int | float) else tag


class Metric(Document):
    """One measurement: a counter, a gauge, or a timer in seconds."""

    name: str
    type: str
    value: float = Field(allow_inf_nan=False)
    tags: dict[str, Annotated[str, BeforeValidator(_as_text)]] = Field(default_factory=dict)


class Failure(Document):
    """Why something failed, and who caused it: the user, the infrastructure, or the app itself."""

    category: FailureCategory
    code: str
    message: str


class OutputFile(Document):
    """A file that a task produced: its blob below the run's folder, its size, its MD5 (hex) if storage knows it."""

    blob: str
    bytes: int
    md5: str | None


class Outputs(Document):
    """The values that a task printed and the files that matched its `outputFiles`, by path in its working directory."""

    vars: dict[str, Any] = Field(default_factory=dict)
    output_files: dict[str, OutputFile] = Field(default_factory=dict)


class Attempt(Document):
    """One try of a task with `retry`; null where it did not end by itself, or the image cannot tell the time."""

    exit_code: int | None = None
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None


class Logs(Document):
    """The names of the log blobs below the run's folder; null where there is none."""

    stdout: str | None = None
    stderr: str | None = None


class TaskRef(Document):
    """A task of the manifest."""

    id: str


class TaskResult(Document):
    """How a task, or a fan-out's task for one item, ended; and what it produced.

    Values, metrics and files are those of the last attempt. Logs are those of all attempts.
    """

    state: State
    exit_code: int | None = None
    retries: int = 0
    """How often it was tried again after the first attempt."""
    attempts: tuple[Attempt, ...] = ()
    """The attempts of a task with `retry`, on the node where it ended: all, or of more than 100 the last 100."""
    requeue_count: int = 0
    """How often Azure Batch put it back into the queue because somebody removed its node; there, attempts begin anew.

    Batch counts no node that failed or was preempted: such a task has run again too, and nothing tells how often.
    """
    node: str | None = None
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    slots: int | None = None
    """How many of the slots of its node it took; null if it did not begin."""
    usage: Usage | None = None
    """What it used; null if Azure Batch reports nothing of it."""
    cost: float | None = None
    """What it is estimated to have cost, in the currency of the run's `cost`; null if that is not known."""
    outputs: Outputs = Outputs()
    metrics: tuple[Metric, ...] = ()
    logs: Logs = Logs()
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    masked: bool = False
    """Whether secrets are masked in its values, so that a retry cannot take them over."""
    taken_from: str | None = None
    """The id of the earlier run in which it ran, if the run has taken it over."""

    @property
    def is_allowed_failure(self) -> bool:
        """Whether it failed, or items of it did, and the manifest allows that."""
        return self.failure is not None and self.state in {State.WARNING, State.SUCCESS}

    @property
    def reason(self) -> str:
        """Why it failed, in a few words; empty if it did not."""
        if self.failure is None:
            return ""
        is_exit_code = self.failure.code == FailureCode.COMMANDS_FAILED and self.exit_code is not None
        return f"exit code {self.exit_code}" if is_exit_code else self.failure.message


class ItemRecord(TaskResult, Item):
    """One item of a fan-out; if it was `skipped`, that says why, where that is another reason than that of the task."""

    skipped: SkippedBy | None = Field(None, exclude_if=is_none)

    @property
    def is_left_out(self) -> bool:
        """Whether a condition kept it from running."""
        return self.skipped is not None and self.skipped.is_as_written

    @property
    def item(self) -> Item:
        """The item alone."""
        return Item(index=self.index, value=self.value, key=self.key, iteration=self.iteration, parent=self.parent)


class ItemsSummary(Document):
    """The items of a fan-out: how many there are, how many ended in which state, how many are taken over (`takenOver`).

    `usage` is what those used that ran in this run.

    The items themselves are in `records`; or, if the run has more than 100, in `tasks.json` (`blob` names it).
    """

    count: int
    states: dict[State, int]
    taken_over: int = 0
    usage: UsageSum | None = None
    records: tuple[ItemRecord, ...] | None = None
    blob: str | None = None


class TaskRecord(TaskResult, TaskRef):
    """One task of the manifest. A fan-out has `items`, which have its files, values and logs.

    If it was `skipped`, that says why: a condition (`runIf`) of it or of its group did not hold, nothing failed that it
    is in `errors` for, a task before it did not end well, or the run was cancelled.
    """

    items: ItemsSummary | None = None
    skipped: SkippedBy | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether it was not to run, by a condition or for want of a failure; what waits for it runs."""
        return self.skipped is not None and self.skipped.is_as_written

    @property
    def why_skipped(self) -> str:
        """Why it did not run, in a few words; empty if it did."""
        return self.skipped.words if self.skipped else ""

    @property
    def failed_how(self) -> str:
        """Why it failed, in a sentence without its name, also if the manifest allows it; empty if it did not."""
        if self.failure is None:
            return ""
        if not self.is_allowed_failure or self.items:
            return self.failure.message
        return f"failed, allowed: {self.reason}"
