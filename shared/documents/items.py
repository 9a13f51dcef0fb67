"""The items of fan-outs and of loops."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from shared.documents.document import Document


def is_none(value: object) -> bool:
    """Whether a field is left out of a document."""
    return value is None


class Item(Document):
    """One item of a fan-out: its place in the list of all its items, from 0, and its value.

    In a loop over a map it has a `key`. In a loop inside of another, `parent` is the item of that one, and `iteration`
    is the place among those with the same parent; they are there only then.
    """

    index: int
    value: Any
    key: str | None = Field(None, exclude_if=is_none)
    iteration: int | None = Field(None, exclude_if=is_none)
    parent: Item | None = Field(None, exclude_if=is_none)

    @property
    def place(self) -> int:
        """Its place in its own loop, from 0."""
        return self.index if self.iteration is None else self.iteration

    @property
    def lineage(self) -> tuple[Item, ...]:
        """The items of all loops that it is in, the outermost first, and itself."""
        return (*self.parent.lineage, self) if self.parent else (self,)
