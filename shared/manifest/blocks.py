"""What the tasks and groups of a flow are lowered to: blocks, which are all that an order and a plan know.

A block is a task, or blocks that run one after the other or side by side. It may run only if conditions hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shared.manifest.order import OrderEntry, start_of
from shared.manifest.task import Task
from shared.manifest.types import PropertyPath
from shared.manifest.working_directory import OF_DIRECTORY, Directory


@dataclass(frozen=True)
class Condition:
    """A text whose rendering decides whether a block runs, and its path in the manifest.

    It holds if the rendered text is one of the `values`; without any, if it is true as in Kestra. If it `is_negated`,
    it holds where it would not.
    """

    path: PropertyPath
    text: str
    values: tuple[str, ...] = ()
    is_negated: bool = False


@dataclass(frozen=True)
class Each:
    """How the task of a ForEach runs for its values: for how many at once, 0 for all; and the path of the values."""

    path: PropertyPath
    limit: int
    is_serial_by_default: bool


@dataclass(frozen=True)
class Branch:
    """A direct child of a group that limits how many of them run at once."""

    group: str
    index: int
    limit: int


@dataclass(frozen=True)
class Block:
    """A task, or `blocks` in an order: each waits for the one before it if they `are_ordered`.

    `path` is its place in the manifest. `waits_for` are the ids that it names itself; otherwise it is placed by the
    block that it is in. At most `limit` of its blocks run at once, or all if that is 0.

    Once its blocks have ended, its `errors` run one after the other if one of them failed for good, and then its
    `finally_`, however they ended. If it `allows_failure`, what waits for it runs also if it failed.

    The tasks in its `blocks` may share a `directory`.
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
    directory: Directory | None = None


@dataclass(frozen=True)
class PlacedTask:
    """A task with its path in the manifest, and what the blocks around it mean for it.

    `each` says how it runs for the values of its ForEach; `branches` are those that it is in, and `conditions` all that
    must hold, the outermost first. It may share a `directory` with others.
    """

    task: Task
    path: PropertyPath
    each: Each | None = None
    branches: tuple[Branch, ...] = ()
    conditions: tuple[Condition, ...] = ()
    directory: Directory | None = None

    @property
    def foreach_path(self) -> PropertyPath:
        """The path of what its items are made of."""
        return self.each.path if self.each else (*self.path, "foreach")

    def place_of(self, below: PropertyPath) -> PropertyPath:
        """The path in the manifest of one of its properties, some of which are those of a group around it."""
        match below:
            case ("foreach", *rest):
                return (*self.foreach_path, *rest)
            case (first, *rest) if first == OF_DIRECTORY and self.directory:
                return (*self.directory.path, *rest)
        return (*self.path, *below)


def placed_tasks(blocks: Sequence[Block]) -> Iterator[PlacedTask]:
    """The tasks in blocks, in the order of the file."""
    for block in blocks:
        yield from _placed(block, (), (), None, is_disabled=False)


def _placed(
    block: Block,
    branches: tuple[Branch, ...],
    conditions: tuple[Condition, ...],
    directory: Directory | None,
    *,
    is_disabled: bool,
) -> Iterator[PlacedTask]:
    left_out, conditions = is_disabled or block.is_disabled, (*conditions, *block.conditions)
    if block.task:
        task = block.task.model_copy(update={"disabled": True}) if left_out else block.task
        yield PlacedTask(task, block.path, block.each, branches, conditions, directory)
    for index, inner in enumerate(block.blocks):
        inside = (*branches, Branch(block.id, index, block.limit)) if block.limit else branches
        yield from _placed(inner, inside, conditions, directory or block.directory, is_disabled=left_out)


def order_entries(blocks: Sequence[Block]) -> Iterator[OrderEntry]:
    """The entries of the blocks of a flow, which run one after the other."""
    yield from _entries(Block("", (), blocks=tuple(blocks)), (), is_disabled=False)


def _entries(around: Block, start: tuple[str, ...], *, is_disabled: bool) -> Iterator[OrderEntry]:
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
        )
        if block.task:
            yield entry
        else:
            start_id = start_of(block.id)
            yield replace(entry, id=start_id)
            inside = list(_entries(block, (start_id,), is_disabled=left_out))
            yield from inside
            yield OrderEntry(block.id, block.path, _last_of(inside), is_explicit=False, is_run=False)
        before = (block.id,) if around.are_ordered else start


def _last_of(entries: Sequence[OrderEntry]) -> tuple[str, ...]:
    """The entries that no other one waits for: once they have ended, all have."""
    waited_for = {other for entry in entries for other in entry.waits_for_all}
    return tuple(entry.id for entry in entries if entry.id not in waited_for) or tuple(entry.id for entry in entries)
