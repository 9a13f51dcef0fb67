"""What the tasks and groups of a flow are lowered to: blocks, which are all that an order and a plan know.

A block is a task, or blocks that run one after the other or side by side. It may run only if conditions hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.documents.states import Phase
from shared.manifest.app_tasks import AppTask
from shared.manifest.task import Task
from shared.manifest.types import PropertyPath
from shared.manifest.working_directory import OF_DIRECTORY, Directory


@dataclass(frozen=True)
class LoopOutput:
    """A value that a Loop makes of each item: a text to render in the scope of the item, of an input's `type`."""

    id: str
    path: PropertyPath
    type: str
    text: str


@dataclass(frozen=True)
class Condition:
    """A text whose rendering decides whether a block runs, and its path in the manifest.

    It holds if the rendered text is one of the `values`; without any, if it is true as in Kestra. If it `is_negated`,
    it holds where it would not. `depth` is the number of loops that it is in; what it is of may be in the innermost one
    itself, or in a group that is in it.
    """

    path: PropertyPath
    text: str
    values: tuple[str, ...] = ()
    is_negated: bool = False
    depth: int = 0
    is_in_group: bool = False


@dataclass(frozen=True)
class Each:
    """A loop: the blocks in it run for each of its `values`, for so many at once, or for all if the limit is 0.

    `path` is that of the values. A Loop of Kestra 2 `is_isolated`: its expressions see `item`, and the outputs of the
    same item; those of a ForEach of Kestra 1 see `taskrun.value`, and the outputs of all items by their values.
    `outputs` are what a Loop makes of the outputs of each item, for the tasks after it. A loop in a loop may be in that
    itself, or in a group that is in it.
    """

    id: str
    path: PropertyPath
    values: Any
    limit: int
    is_serial_by_default: bool
    is_isolated: bool = False
    outputs: tuple[LoopOutput, ...] = ()
    is_in_group: bool = False


@dataclass(frozen=True)
class Branch:
    """A direct child of a group that limits how many of them run at once; `is_late` if it does not begin with it.

    `depth` is the number of loops around it.
    """

    group: str
    index: int
    limit: int
    is_late: bool = False
    depth: int = 0


@dataclass(frozen=True)
class Block:
    """A task, or `blocks` in an order: each waits for the one before it if they `are_ordered`.

    `path` is its place in the manifest. `waits_for` are the ids that it names itself; otherwise it is placed by the
    block that it is in. At most `limit` of its blocks run at once, or all if that is 0.

    Once its blocks have ended, its `errors` run one after the other if one of them failed for good, and then its
    `finally_`, however they ended. If it `allows_failure`, what waits for it runs also if it failed.
    If it `allows_warning`, a warning in it is none of its own.

    The tasks in its `blocks` may share a `directory`.
    """

    id: str
    path: PropertyPath
    waits_for: tuple[str, ...] | None = None
    is_disabled: bool = False
    conditions: tuple[Condition, ...] = ()
    task: Task | AppTask | None = None
    each: Each | None = None
    blocks: tuple[Block, ...] = ()
    are_ordered: bool = True
    limit: int = 0
    errors: tuple[Block, ...] = ()
    finally_: tuple[Block, ...] = ()
    allows_failure: bool = False
    allows_warning: bool = False
    directory: Directory | None = None


@dataclass(frozen=True)
class OnFailure:
    """What a task in `errors` runs for: at least one of these tasks has failed for good."""

    tasks: tuple[str, ...]


@dataclass(frozen=True)
class PlacedTask:
    """A task with its path in the manifest, and what the blocks around it mean for it.

    `loops` are those that it is in, `branches` those of groups, and `conditions` all that must hold, the outermost
    first. Its failure is one of the branches in `fails`: not of those around a group that may fail, nor of those around
    the errors and finally that it is in. `on_failure_of` has an entry for each `errors` that it is in, the outermost
    first. It may share a `directory` with others. It may be in a loop itself, or in a group that is in the innermost
    loop.
    """

    task: Task | AppTask
    path: PropertyPath
    loops: tuple[Each, ...] = ()
    branches: tuple[Branch, ...] = ()
    fails: tuple[Branch, ...] = ()
    conditions: tuple[Condition, ...] = ()
    on_failure_of: tuple[OnFailure, ...] = ()
    directory: Directory | None = None
    is_in_group: bool = False

    @property
    def phase(self) -> Phase:
        """The part of the flow that it is in."""
        return Phase(str(self.path[0]))

    @property
    def foreach_path(self) -> PropertyPath:
        """The path of what its items are made of."""
        return self.loops[-1].path if self.loops else (*self.path, "foreach")

    def place_of(self, below: PropertyPath) -> PropertyPath:
        """The path in the manifest of one of its properties, some of which are those of a group around it."""
        match below:
            case ("foreach", *rest):
                return (*self.foreach_path, *rest)
            case (first, *rest) if first == OF_DIRECTORY and self.directory:
                return (*self.directory.path, *rest)
        return (*self.path, *below)


def placed_tasks(flow: Block) -> Iterator[PlacedTask]:
    """The tasks in the block of a flow, and in all blocks in it."""
    yield from _placed(flow, _Around())


@dataclass(frozen=True)
class _Around:
    """What the blocks around a block mean for the tasks in it."""

    is_disabled: bool = False
    loops: tuple[Each, ...] = ()
    branches: tuple[Branch, ...] = ()
    fails: tuple[Branch, ...] = ()
    conditions: tuple[Condition, ...] = ()
    on_failure_of: tuple[OnFailure, ...] = ()
    directory: Directory | None = None
    is_in_group: bool = False


def _placed(block: Block, around: _Around) -> Iterator[PlacedTask]:
    place: dict[str, Any] = {"depth": len(around.loops), "is_in_group": around.is_in_group}
    group = replace(
        around,
        is_disabled=around.is_disabled or block.is_disabled,
        conditions=(*around.conditions, *(replace(each, **place) for each in block.conditions)),
    )
    if block.task:
        yield _placed_task(block.task, block.path, group)
        return
    loop = (replace(block.each, is_in_group=around.is_in_group),) if block.each else ()
    inside = replace(
        group,
        loops=(*around.loops, *loop),
        fails=() if block.allows_failure else around.fails,
        directory=around.directory or block.directory,
        is_in_group=bool(around.loops) and block.each is None,
    )
    for index, inner in enumerate(block.blocks):
        is_late = index >= block.limit or bool(inner.waits_for)
        branch = (Branch(block.id, index, block.limit, is_late, len(inside.loops)),) if block.limit else ()
        branches, fails = (*inside.branches, *branch), (*inside.fails, *branch)
        yield from _placed(inner, replace(inside, branches=branches, fails=fails))
    group = replace(group, fails=())
    if block.errors:
        failure = OnFailure(tuple(tasks_that_count(block.blocks)))
        of_errors = replace(group, on_failure_of=(*around.on_failure_of, failure))
        for inner in block.errors:
            yield from _placed(inner, of_errors)
    for inner in block.finally_:
        yield from _placed(inner, group)


def _placed_task(task: Task | AppTask, path: PropertyPath, around: _Around) -> PlacedTask:
    changed: dict[str, Any] = {"disabled": True} if around.is_disabled else {}
    if around.loops and isinstance(task, Task):
        changed["foreach"] = around.loops[-1].values
    return PlacedTask(
        task.model_copy(update=changed) if changed else task,
        path,
        around.loops,
        around.branches,
        around.fails,
        around.conditions,
        around.on_failure_of,
        around.directory if isinstance(task, Task) else None,
        around.is_in_group,
    )


def tasks_that_count(blocks: Sequence[Block]) -> Iterator[str]:
    """The ids of the tasks whose failure is one of the block that these blocks are in.

    Neither those that may fail, nor those in a block that may; nor those in errors or finally, whose states change that
    of their block as little as in Kestra (`Execution.guessFinalState`). A disabled one never ends, and none counts.
    """
    for block in blocks:
        if block.is_disabled:
            continue
        if block.task and not block.task.allow_failure:
            yield block.id
        elif not block.allows_failure:
            yield from tasks_that_count(block.blocks)
