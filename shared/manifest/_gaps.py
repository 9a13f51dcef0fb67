"""What is not known of a flow from which mistakes were taken out."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True)
class Gaps:
    """What is not known of a flow because something was taken out of it; `is_any` is false for a whole flow.

    `values` are names in expressions, `ids` are ids of tasks that were replaced. The others are tasks: those whose
    `items` are not known, and those of which is not known what runs before them (`order`).
    """

    is_any: bool = False
    values: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()
    order: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()

    def may_be_before(self, task: str, other: str, upstream: AbstractSet[str]) -> bool:
        """Whether another task may run before a task, though what is left does not say so."""
        return other in self.ids or task in self.order or not self.order.isdisjoint(upstream)


WITHOUT_GAPS = Gaps()
