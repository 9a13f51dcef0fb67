"""The completion record of a run. Version "1" may gain fields, never lose one."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from shared.documents.document import Document
from shared.documents.states import JobReason, State
from shared.documents.task_result import Failure, ItemRecord, TaskRecord, TaskRef
from shared.documents.trigger import StartedBy
from shared.documents.usage import Cost, UsageSum
from shared.errors import Problem

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


class PoolNodes(Document):
    """What the nodes of a pool are: their VM size, and how many task slots each has."""

    vm_size: str | None
    slots: int


class JobRecord(Document):
    """One round of the run: an Azure Batch job; `nodes` are those of its pool when it was submitted."""

    id: str
    pool: str
    account: str
    portal_url: str | None = None
    """The page of the Batch account in the Azure portal."""
    reason: JobReason
    submitted: AwareDatetime | None = None
    nodes: PoolNodes | None = None


class Timings(Document):
    """When things happened, in UTC; null where they did not."""

    dropped: AwareDatetime
    submitted: AwareDatetime | None = None
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    detected: AwareDatetime | None = None
    recorded: AwareDatetime | None = None


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
    `usage` and `cost` are of the tasks that ran in this run; null if nothing is known of them.
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
    trigger: StartedBy | None = None
    jobs: tuple[JobRecord, ...] = ()
    timings: Timings
    tasks: tuple[TaskRecord, ...] = ()
    usage: UsageSum | None = None
    cost: Cost | None = None
    failure: Failure | None = None
    errors: tuple[RunProblem, ...] = ()
    warnings: tuple[RunProblem, ...] = ()
