"""A flow: the root of a manifest, and its tasks in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializeAsAny,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from shared.manifest._block_order import order_entries
from shared.manifest._labels import Labels
from shared.manifest._lowering import flow_block
from shared.manifest._major import major_of
from shared.manifest.app_tasks import AppTask
from shared.manifest.blocks import Block, PlacedTask, placed_tasks
from shared.manifest.concurrency import Concurrency
from shared.manifest.groups import TaskOrGroup
from shared.manifest.inputs import Input
from shared.manifest.order import OrderEntry
from shared.manifest.outputs import Output
from shared.manifest.task import ON_POOL, Task
from shared.manifest.triggers import Trigger, Triggers
from shared.manifest.types import Duration, NoEffect, Properties, PropertyPath, Unsupported
from shared.manifest.working_directory import Directory

_VERSIONS = NoEffect("the versions of the blob are the versions of the flow")
LONGEST_FLOW = timedelta(days=6)
MAX_TASKS = 1000


Context = Mapping[str, bool] | None
STORED: Context = {"stored": True}
"""The context of reading a stored flow, which alone has triggers."""


def _if_stored(value: object, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
    """The triggers; those of a flow that is not stored as they are written."""
    return read(value) if info.context == STORED else value


class PluginDefault(Properties):
    """Default values for all tasks, or all task runners, of a type."""

    type: str
    """The type, or what several types begin with: `io.kestra.plugin.scripts` is for all script tasks."""
    forced: bool = False
    """Whether the values win over those of the tasks."""
    values: dict[str, Any] = Field(default_factory=dict)
    """By property; maps are merged, lists joined."""


def _not_too_long(timeout: timedelta) -> timedelta:
    if timeout > LONGEST_FLOW:
        raise ValueError(f"a flow may take at most P{LONGEST_FLOW.days}D: then the nodes' access to the storage ends")
    return timeout


class Flow(Properties):
    """A Kestra flow: its tasks, and what they have in common."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", max_length=100)] | None = None
    """Its name, for readers and `{{ flow.id }}`."""
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=150)] | None = None
    """The namespace whose files its tasks get, and `{{ flow.namespace }}`."""
    description: str | None = None
    """For readers."""
    editor_schema: Annotated[str | None, Field(alias="$schema")] = None
    """For editors of JSON: the address of the JSON Schema of manifests."""
    labels: Labels = Field(default_factory=dict)
    """`{{ labels.<name> }}`; a map, or Kestra's list of `key` and `value`."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """`{{ vars.<name> }}`: values of any kind."""
    inputs: tuple[Input, ...] = ()
    """`{{ inputs.<id> }}`: values with a type."""
    outputs: tuple[Output, ...] = ()
    """Values that the flow publishes at its end."""
    items: Annotated[tuple[TaskOrGroup, ...], Field(alias="tasks", min_length=1)]
    """The tasks and groups to run, in this order; `dependsOn` makes them a graph. At most 1,000 tasks."""
    errors: tuple[TaskOrGroup, ...] = ()
    """What runs, one after the other, once a task has failed for good and the others have ended. What they end as
    changes nothing: the run is FAILED."""
    finally_: Annotated[tuple[TaskOrGroup, ...], Field(alias="finally")] = ()
    """What runs at the end in any case, after `errors`."""
    after_execution: tuple[TaskOrGroup, ...] = ()
    """What runs after all that, once the state of the run is certain."""
    plugin_defaults: tuple[PluginDefault, ...] = ()
    """Default values for all tasks of a type, or for their task runners."""
    timeout: Annotated[Duration, AfterValidator(_not_too_long)] = LONGEST_FLOW
    """How long the whole run may take from its acceptance, including the time that it waits; the time that it waits for
    other runs of its flow (`concurrency`) does not count."""
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    """Azure Batch's priority of the run's jobs: those of higher priority are scheduled first."""
    concurrency: Concurrency | None = None
    """How many runs of the flow may be under way at once."""
    triggers: Annotated[tuple[Trigger, ...], WrapValidator(_if_stored), SerializeAsAny()] = ()
    """What starts runs of a stored flow: at fixed times, and after runs of another flow. A flow that is dropped runs
    once, and its triggers are a warning."""
    kestra: Literal[1, 2] | None = None
    """The major version of Kestra that the flow is written for, for expressions that are not read the same by both."""
    disabled: Literal[False] = False
    """A flow that is dropped is run: `true` is an error."""
    revision: Annotated[int | None, _VERSIONS] = None
    updated: Annotated[Any, _VERSIONS] = None
    tenant_id: Annotated[str | None, NoEffect("there are no tenants")] = None
    deleted: Annotated[bool, NoEffect("every manifest in the inbox is run")] = False
    worker_group: Annotated[Any, ON_POOL] = None
    worker_selector: Annotated[Any, ON_POOL] = None
    listeners: Annotated[None, Unsupported("write their tasks into `afterExecution`")] = None
    sla: Annotated[
        None, Unsupported("use the flow's `timeout` for a MAX_DURATION, and for an assertion a task that fails")
    ] = None
    checks: Annotated[None, Unsupported("let the first task fail instead, with `exit 1` in its commands")] = None
    retry: Annotated[None, Unsupported("give the tasks a `retry`; a manifest that retries a run has no tasks")] = None
    policy_refs: Annotated[None, Unsupported("write what the policies add into the flow")] = None
    flow: Annotated[None, Unsupported("a run request has no tasks beside its `flow`: leave one of both out")] = None
    task_defaults: Annotated[None, Unsupported("this is the old name of `pluginDefaults`")] = None

    @field_validator("concurrency")
    @classmethod
    def _has_a_name(cls, concurrency: Concurrency | None, info: ValidationInfo) -> Concurrency | None:
        if concurrency and info.data.get("id", "") is None:  # a wrong one is not there
            raise ValueError("a flow whose runs are counted needs an `id`")
        return concurrency

    @field_validator("outputs")
    @classmethod
    def _differ(cls, outputs: tuple[Output, ...]) -> tuple[Output, ...]:
        ids = [output.id for output in outputs]
        if doubled := [each for each in ids if ids.count(each) > 1]:
            raise ValueError(f"the ids of outputs must differ; there is more than one {doubled[0]!r}")
        return outputs

    @property
    def placed_triggers(self) -> Triggers:
        """Its triggers, without those that are disabled; none unless it was read as a stored flow."""
        return Triggers.of(self.triggers)

    def warnings(self) -> Iterator[tuple[PropertyPath, str]]:
        """Triggers of a flow that is not stored."""
        if self.triggers and Triggers.are_unread(self.triggers):
            yield ("triggers",), "without effect: only a stored flow has triggers; store it: batchrun flows put FILE"

    @cached_property
    def major(self) -> int:
        """The major version of Kestra whose expressions it has: as it says, or told by what it uses."""
        return self.kestra or major_of(self)

    @cached_property
    def tasks(self) -> tuple[Task | AppTask, ...]:
        """All tasks in the order of the file, including those in groups."""
        return tuple(placed.task for placed in self.placed_tasks)

    @property
    def node_tasks(self) -> tuple[Task, ...]:
        """Those of them that run on a node."""
        return tuple(task for task in self.tasks if isinstance(task, Task))

    @cached_property
    def placed_tasks(self) -> tuple[PlacedTask, ...]:
        """All tasks and their paths in the manifest: those of `tasks`, then those for errors and for the end."""
        return tuple(placed_tasks(self.block))

    @cached_property
    def directories(self) -> dict[str, Directory]:
        """The directories that tasks share, by the id of their group."""
        return {placed.directory.group: placed.directory for placed in self.placed_tasks if placed.directory}

    @cached_property
    def block(self) -> Block:
        """What it is lowered to: its tasks, with what follows them, in a block with what follows its end."""
        return flow_block(self.items, self.errors, self.finally_, self.after_execution)

    @cached_property
    def order(self) -> tuple[OrderEntry, ...]:
        """Which task waits for which: an entry for each task, and two for each group."""
        return tuple(order_entries(self.block))
