"""The blocks of a flow → its order: an entry for each task, and for each group one for its start and one for its end.

`errors` and `finally` are as in Kestra's `Execution.findTaskDependingFlowState` and `FlowableUtils` (of 1.3 and 2.0
alike): their tasks run one after the other, each once the one before it has ended, well or not. Whether they end well
changes nothing for the group, nor for what comes after it (`Execution.guessFinalState` looks only at its tasks).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shared.manifest.blocks import Block
from shared.manifest.order import OrderEntry, errors_of, finally_of, start_of


def order_entries(flow: Block) -> Iterator[OrderEntry]:
    """The entries of the block of a flow, but those of its own start and end."""
    yield from _inside(flow, _Place((), (), None, is_disabled=False))


@dataclass(frozen=True)
class _Place:
    """Where a block is: what it waits for, and what it follows, unless it says that itself.

    `within` is the entry of the list of errors or finally that it is in.
    """

    waits_for: tuple[str, ...]
    follows: tuple[str, ...]
    within: str | None
    is_disabled: bool
    loops: tuple[str, ...] = ()


def _of(block: Block, place: _Place, limited_by: str | None = None) -> Iterator[OrderEntry]:
    """The entries of a block, and of all that is in it."""
    left_out = place.is_disabled or block.is_disabled
    entry = OrderEntry(
        block.id,
        block.path,
        place.waits_for if block.waits_for is None else block.waits_for,
        is_explicit=block.waits_for is not None,
        is_run=block.task is not None and not left_out,
        limited_by=limited_by,
        follows=place.follows,
        within=place.within,
        loops=place.loops,
    )
    if block.task:
        yield entry
        return
    start = replace(entry, id=start_of(block.id))
    inner = (*place.loops, block.id) if block.each else place.loops
    inside = list(_inside(block, _Place((start.id,), (), place.within, left_out, inner)))
    yield start
    yield from inside
    yield _end_of(block, start, inside)


def _end_of(block: Block, start: OrderEntry, inside: Sequence[OrderEntry]) -> OrderEntry:
    """The end of a group: it waits for the last of its blocks; if these may fail, only for all to end.

    That of a loop waits for the starts of all loops in it, too: where a failure keeps one from beginning, it has no
    items that would tell of that.
    """
    end = OrderEntry(block.id, block.path, (), is_explicit=False, is_run=False, within=start.within, loops=start.loops)
    if block.allows_failure:
        return replace(end, waits_for=(start.id,), follows=tuple(entry.id for entry in inside))
    beside = (entry for entry in inside if entry.within == start.within)
    waited_for = {other for entry in beside for other in entry.waits_for_all}
    ids = [inner.id for inner in block.blocks]
    last = tuple(name for name in ids if name not in waited_for) or (*ids, start.id)
    is_outermost = block.each is not None and not start.loops
    loops = (loop for entry in inside for loop in entry.loops if loop != block.id) if is_outermost else ()
    return replace(
        end,
        waits_for=(*dict.fromkeys(map(start_of, loops)), *last),
        follows=tuple(inner.id for inner in block.finally_[-1:]),
    )


def _inside(around: Block, start: _Place) -> Iterator[OrderEntry]:
    """The entries of all that is in a block."""
    main = list(_of_blocks(around, start))
    errors = list(_of_list(around.errors, errors_of(around.id), around, start, main))
    yield from main
    yield from errors
    yield from _of_list(around.finally_, finally_of(around.id), around, start, (*main, *errors))


def _of_blocks(around: Block, start: _Place) -> Iterator[OrderEntry]:
    """The entries of the blocks in a block. The first of them waits for its start; if not ordered, each.

    With a limit of *n*, each waits for the *n*-th before it, too.
    """
    place = start
    for index, block in enumerate(around.blocks):
        limited_by = around.blocks[index - around.limit].id if around.limit and index >= around.limit else None
        yield from _of(block, place, limited_by)
        place = replace(place, waits_for=(block.id,)) if around.are_ordered else start


def _of_list(
    blocks: Sequence[Block], name: str, around: Block, start: _Place, before: Sequence[OrderEntry]
) -> Iterator[OrderEntry]:
    """The entries of errors or finally, after one for the list itself, which follows all that is `before` it."""
    if not blocks:
        return
    follows = tuple(entry.id for entry in before)
    yield OrderEntry(
        name, around.path, start.waits_for, is_explicit=False, is_run=False, follows=follows, within=start.within
    )
    loops = start.loops[:-1] if around.each else start.loops
    place = replace(start, waits_for=(name,), within=name, loops=loops)
    for block in blocks:
        yield from _of(block, place)
        place = replace(place, waits_for=start.waits_for, follows=(block.id,))
