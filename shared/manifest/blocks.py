"""What the tasks and groups of a flow are lowered to: blocks, which are all that an order and a plan know.

A block is a task, or blocks that run one after the other or side by side. It may run only if conditions hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.manifest.order import OrderEntry, start_of
from shared.manifest.task import Task
from shared.manifest.types import PropertyPath


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
    """A direct child of a group that limits how many of them run at once; `depth` is the number of loops around it."""

    group: str
    index: int
    limit: int
    depth: int = 0


@dataclass(frozen=True)
class Block:
    """A task, or `blocks` in an order: each waits for the one before it if they `are_ordered`.

    `path` is its place in the manifest. `waits_for` are the ids that it names itself; otherwise it is placed by the
    block that it is in. At most `limit` of its blocks run at once, or all if that is 0.

    Once its blocks have ended, its `errors` run one after the other if one of them failed for good, and then its
    `finally_`, however they ended. If it `allows_failure`, what waits for it runs also if it failed.
    """

    id: str
    path: PropertyPath
    waits_for: tuple[str, ...] | None = None
    is_disabled: bool = False
    conditions: tuple[Condition, ...] = ()
    task: Task | None = None
    each: Each | None = None
    blocks: tuple[Block, ...] = ()
    are_ordered: bool = True
    limit: int = 0
    errors: tuple[Block, ...] = ()
    finally_: tuple[Block, ...] = ()
    allows_failure: bool = False


@dataclass(frozen=True)
class PlacedTask:
    """A task with its path in the manifest, and what the blocks around it mean for it.

    `loops` are those that it is in, `branches` those of groups, and `conditions` all that must hold, the outermost
    first. It may be in a loop itself, or in a group that is in the innermost loop.
    """

    task: Task
    path: PropertyPath
    loops: tuple[Each, ...] = ()
    branches: tuple[Branch, ...] = ()
    conditions: tuple[Condition, ...] = ()
    is_in_group: bool = False

    @property
    def foreach_path(self) -> PropertyPath:
        """The path of what its items are made of."""
        return self.loops[-1].path if self.loops else (*self.path, "foreach")


def placed_tasks(blocks: Sequence[Block]) -> Iterator[PlacedTask]:
    """The tasks in blocks, in the order of the file."""
    for block in blocks:
        yield from _placed(block, _Around())


@dataclass(frozen=True)
class _Around:
    """What the blocks around a block mean for the tasks in it."""

    loops: tuple[Each, ...] = ()
    branches: tuple[Branch, ...] = ()
    conditions: tuple[Condition, ...] = ()
    is_in_group: bool = False
    is_disabled: bool = False


def _placed(block: Block, around: _Around) -> Iterator[PlacedTask]:
    place: dict[str, Any] = {"depth": len(around.loops), "is_in_group": around.is_in_group}
    loop = (replace(block.each, is_in_group=around.is_in_group),) if block.each else ()
    inside = replace(
        around,
        loops=(*around.loops, *loop),
        conditions=(*around.conditions, *(replace(each, **place) for each in block.conditions)),
        is_in_group=around.is_in_group if block.task else block.each is None,
        is_disabled=around.is_disabled or block.is_disabled,
    )
    if block.task:
        changed: dict[str, Any] = {"disabled": True} if inside.is_disabled else {}
        if inside.loops:
            changed["foreach"] = inside.loops[-1].values
        task = block.task.model_copy(update=changed) if changed else block.task
        yield PlacedTask(task, block.path, inside.loops, inside.branches, inside.conditions, inside.is_in_group)
    for index, inner in enumerate(block.blocks):
        branch = (Branch(block.id, index, block.limit, len(inside.loops)),) if block.limit else ()
        yield from _placed(inner, replace(inside, branches=(*inside.branches, *branch)))


def order_entries(blocks: Sequence[Block]) -> Iterator[OrderEntry]:
    """The entries of the blocks of a flow, which run one after the other."""
    yield from _entries(Block("", (), blocks=tuple(blocks)), (), (), is_disabled=False)


def _entries(
    around: Block, start: tuple[str, ...], loops: tuple[str, ...], *, is_disabled: bool
) -> Iterator[OrderEntry]:
    """The entries of the blocks in a block. `start` is what the first of them waits for; if not ordered, each.

    With a limit of *n*, each waits for the *n*-th before it, too.
    """
    before = start
    for index, block in enumerate(around.blocks):
        limited_by = around.blocks[index - around.limit].id if around.limit and index >= around.limit else None
        left_out = is_disabled or block.is_disabled
        entry = OrderEntry(
            block.id,
            block.path,
            before if block.waits_for is None else block.waits_for,
            is_explicit=block.waits_for is not None,
            is_run=block.task is not None and not left_out,
            limited_by=limited_by,
            loops=loops,
        )
        if block.task:
            yield entry
        else:
            start_id = start_of(block.id)
            yield replace(entry, id=start_id)
            inner_loops = (*loops, block.id) if block.each else loops
            inside = list(_entries(block, (start_id,), inner_loops, is_disabled=left_out))
            yield from inside
            yield OrderEntry(block.id, block.path, _last_of(inside), is_explicit=False, is_run=False, loops=loops)
        before = (block.id,) if around.are_ordered else start


def _last_of(entries: Sequence[OrderEntry]) -> tuple[str, ...]:
    """The entries that no other one waits for: once they have ended, all have."""
    waited_for = {other for entry in entries for other in entry.waits_for_all}
    return tuple(entry.id for entry in entries if entry.id not in waited_for) or tuple(entry.id for entry in entries)
