"""The completion record of a run. Version "1" may gain fields, never lose one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from shared.documents.document import Document
from shared.documents.items import Item, is_none
from shared.documents.states import FailureCategory, FailureCode, JobReason, SkippedBy, State
from shared.errors import Problem


def _as_text(tag: object) -> object:
    """Convert numbers and booleans to text, as Kestra does."""
    return json.dumps(tag) if isinstance(tag, bool | int | float) else tag


class Metric(Document):
    """One measurement: a counter, a gauge, or a timer in seconds."""

    name: str
    type: str
    value: float = Field(allow_inf_nan=False)
    tags: dict[str, Annotated[str, BeforeValidator(_as_text)]] = Field(default_factory=dict)


ITEMS_BLOB = "tasks.json"
MAX_ITEMS_IN_RECORD = 100


class RunProblem(Document):
    """A problem as it is stored in run documents and records.

    Its place is in the manifest; or in `file`, another document in the run's folder.
    """

    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    file: str | None = None

    @classmethod
    def of(cls, problem: Problem) -> RunProblem:
        """The stored form of a problem."""
        return cls.model_validate(problem, from_attributes=True)


class Failure(Document):
    """Why something failed, and who caused it: the user, the infrastructure, or the app itself."""

    category: FailureCategory
    code: str
    message: str


class ManifestRef(Document):
    """The version of the manifest blob that the run executes."""

    name: str
    etag: str
    sha256: str | None


class FlowRef(Document):
    """The flow's id and namespace; null where the manifest has none."""

    id: str | None = None
    namespace: str | None = None


class RecordedFlow(FlowRef):
    """The flow of a run.

    `source` is the version of the blob that it was read from, if the manifest only names it: a stored flow, or the
    manifest of the run that is retried. Its text is in `flow.yaml`.
    """

    source: ManifestRef | None = None

    @property
    def ref(self) -> FlowRef:
        """Its id and namespace alone."""
        return FlowRef(id=self.id, namespace=self.namespace)


class RetryRef(Document):
    """The earlier run that a run retries: its id, and its folder in the results."""

    run_id: str
    results: str


class JobRecord(Document):
    """One round of the run: an Azure Batch job."""

    id: str
    pool: str
    account: str
    portal_url: str | None = None
    """The page of the Batch account in the Azure portal."""
    reason: JobReason
    submitted: datetime | None = None


class Timings(Document):
    """When things happened, in UTC; null where they did not."""

    dropped: datetime
    submitted: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    detected: datetime | None = None
    recorded: datetime | None = None


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
    started: datetime | None = None
    ended: datetime | None = None


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
    """How often Azure Batch put it back into the queue, to run on another node; there, attempts begin anew."""
    node: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
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
        return self.skipped is SkippedBy.CONDITION

    @property
    def item(self) -> Item:
        """The item alone."""
        return Item(index=self.index, value=self.value, key=self.key, iteration=self.iteration, parent=self.parent)


class ItemsSummary(Document):
    """The items of a fan-out: how many there are, how many ended in which state, how many are taken over (`takenOver`).

    The items themselves are in `records`; or, if the run has more than 100, in `tasks.json` (`blob` names it).
    """

    count: int
    states: dict[State, int]
    taken_over: int = 0
    records: tuple[ItemRecord, ...] | None = None
    blob: str | None = None


class TaskRecord(TaskResult, TaskRef):
    """One task of the manifest. A fan-out has `items`, which have its files, values and logs.

    If it was `skipped`, that says why: a condition (`runIf`) of it or of its group did not hold, a task before it did
    not end well, or the run was cancelled.
    """

    items: ItemsSummary | None = None
    skipped: SkippedBy | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether a condition kept it from running; what waits for it runs."""
        return self.skipped is SkippedBy.CONDITION

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


class FanOutItems(TaskRef):
    """All items of one fan-out."""

    items: tuple[ItemRecord, ...]


class Items(Document):
    """`tasks.json`: the items of all fan-outs of a run, in the order of the manifest."""

    schema_version: Literal["1"] = "1"
    run_id: str
    tasks: tuple[FanOutItems, ...]


class Record(Document):
    """`record.json`: written once, as the last document; if it exists, the run is complete.

    `seed` is what its values by chance are made of; without it, the run's id is. `outputs` are what the flow publishes,
    `inputs` the values of its inputs, without those that hold a secret: `maskedInputs` names what the run was given of
    these. `takenFrom` is the earlier run in which a task or item ran, if it was taken over. If `masked`, it has masks.
    """

    schema_version: Literal["1"] = "1"
    run_id: str
    state: State
    manifest: ManifestRef
    flow: RecordedFlow = RecordedFlow()
    labels: dict[str, str] = Field(default_factory=dict)
    inputs: dict[str, Any] = Field(default_factory=dict)
    masked_inputs: tuple[str, ...] = ()
    outputs: dict[str, Any] = Field(default_factory=dict)
    default_pool: str | None = None
    seed: str | None = None
    retry_of: RetryRef | None = None
    jobs: tuple[JobRecord, ...] = ()
    timings: Timings
    tasks: tuple[TaskRecord, ...] = ()
    failure: Failure | None = None
    errors: tuple[RunProblem, ...] = ()
    warnings: tuple[RunProblem, ...] = ()
