"""What has been planned for a unit, an item or a loop, for those that wait for it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.documents.items import Item
from shared.manifest.blocks import Branch
from shared.plan._unit_plan import Loop, Wait


@dataclass(frozen=True, slots=True)
class UnitState:
    """What a unit, or all units of an item or of a loop, mean for what waits for them.

    `stands` are the units of this round that must end well before it; `round` is that of the last of them, from 0.
    `known` is the first round in which its values are known. Who waits for it `begins` branches of limited loops, which
    it does not begin itself, because it needs no task.
    """

    is_never: bool = False
    known: int = 0
    round: int = 0
    stands: tuple[Wait, ...] = ()
    begins: tuple[Branch, ...] = ()


DONE, NEVER = UnitState(), UnitState(is_never=True, known=1)


def joined(states: Iterable[UnitState]) -> UnitState:
    found = list(states)
    if not found:
        return DONE
    if len(found) == 1:
        return found[0]
    return UnitState(
        any(each.is_never for each in found),
        max(each.known for each in found),
        max(each.round for each in found),
        tuple(dict.fromkeys(itertools.chain.from_iterable(each.stands for each in found))),
        tuple(dict.fromkeys(itertools.chain.from_iterable(each.begins for each in found))),
    )


@dataclass
class Frame:
    """The item of a loop whose units are looked at. `before` is what the limit of the loop lets it wait for."""

    loop: Loop
    item: Item
    limit: int
    before: UnitState | None
    is_stopped: bool
    is_never: bool = False
    known: int = 0
    round: int = 0
    exits: dict[Wait, None] = field(default_factory=dict)

    def add(self, state: UnitState, waits: tuple[Wait, ...] = ()) -> None:
        """Add a unit of the item, and take what it waits for off what comes last."""
        for wait in waits:
            self.exits.pop(wait, None)
        for stand in state.stands:
            self.exits[stand] = None
        self.is_never |= state.is_never
        self.known = max(self.known, state.known)
        self.round = max(self.round, state.round)

    @property
    def ended(self) -> UnitState:
        """All units of the item: those that come last stand for them."""
        return UnitState(self.is_never, self.known, self.round, tuple(self.exits))
