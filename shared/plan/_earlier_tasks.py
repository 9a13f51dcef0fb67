"""What expressions must know of the tasks before theirs, whether these have ended or not."""

from __future__ import annotations

from typing import Protocol

from shared.documents.items import Item
from shared.plan._loop_outputs import LoopOutputs
from shared.plan.upstream import OutputPattern


class EarlierTasks(Protocol):
    """What a scope needs to know from the planner about earlier tasks, and about their `loop_outputs`."""

    loop_outputs: LoopOutputs

    def items_of(self, name: str) -> tuple[Item, ...]:
        """The items of a fan-out."""

    def is_known(self, name: str) -> bool:
        """Whether the items of a fan-out are known."""

    def is_empty(self, name: str) -> bool:
        """Whether a task is a fan-out that is known to have no items, so that no task waits for it."""

    def has_no_outputs(self, name: str) -> bool:
        """Whether a task is left out, or can never run, so that it has no outputs."""

    def patterns(self, name: str, item: Item | None) -> tuple[OutputPattern, ...]:
        """The patterns of the files that a task, or a fan-out's task for one item, uploads."""

    def own_patterns(self, name: str, item: Item | None) -> tuple[OutputPattern, ...]:
        """Of these, those that are not of its group; known before it is known which task of a group is the last."""
