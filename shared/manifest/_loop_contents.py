"""What a loop cannot hold: groups whose meaning for one value is not built."""

from __future__ import annotations

from collections.abc import Iterator

from shared.manifest.blocks import Block
from shared.manifest.types import PropertyPath

_NOT_BY_VALUE = "cannot be told value by value inside a loop"
_AROUND = "give it to a group around the loop"


def problems_in_loops(block: Block, *, is_in_loop: bool = False) -> Iterator[tuple[PropertyPath, str]]:
    """What is wrong with the groups inside of loops, by their paths. Those around a loop, and the loop, are fine."""
    if block.is_disabled or block.task:
        return
    if is_in_loop:
        yield from _problems_of_group(block)
    inside = is_in_loop or block.each is not None
    for inner in block.blocks:
        yield from problems_in_loops(inner, is_in_loop=inside)
    for inner in (*block.errors, *block.finally_):
        yield from problems_in_loops(inner, is_in_loop=is_in_loop)


def _problems_of_group(block: Block) -> Iterator[tuple[PropertyPath, str]]:
    if block.errors:
        yield (*block.path, "errors"), f"what failed {_NOT_BY_VALUE}: {_AROUND}"
    if block.finally_:
        yield (*block.path, "finally"), f"what has ended {_NOT_BY_VALUE}: {_AROUND}"
    if block.allows_failure:
        yield block.path, f"a group that may fail {_NOT_BY_VALUE}: write `allowFailure: true` on the tasks in it"
    if block.directory:
        message = "a WorkingDirectory cannot be inside a loop: put the commands of its tasks into one task"
        yield block.path, message
