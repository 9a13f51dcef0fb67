"""The text of a manifest, and what of the flow that was made of it stands elsewhere in the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.errors import Problem
    from shared.yaml_source import PropertyPath, Source


@dataclass(frozen=True)
class Layout:
    """Says where in the dropped file a property of the flow stands.

    `moved` maps places in the flow to places in the file; what is below a place moves with it. All else stands in the
    file where it stands in the flow.
    """

    source: Source
    moved: Mapping[PropertyPath, PropertyPath] = field(default_factory=dict)

    def problem(self, path: PropertyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property of the flow at `path`, at its place in the file."""
        return self.source.problem(self._in_file(path), message, at_key=at_key)

    def _in_file(self, path: PropertyPath) -> PropertyPath:
        for length in range(len(path), 0, -1):
            if (moved := self.moved.get(path[:length])) is not None:
                return (*moved, *path[length:])
        return path
