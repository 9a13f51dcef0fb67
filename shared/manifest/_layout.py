"""Where the properties of a flow are in the file: it may be in a request, and short forms of it are written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.errors import Problem
from shared.manifest._source import Source
from shared.manifest.types import PropertyPath


@dataclass(frozen=True)
class Layout:
    """Finds the place in the dropped file of a property of the flow.

    The flow as it is written is the value at `root` of the file. `moved` maps paths in the flow to paths in the flow as
    it is written, for all that is below them too. All other properties have the same path in both.
    """

    source: Source
    moved: Mapping[PropertyPath, PropertyPath] = field(default_factory=dict)
    root: PropertyPath = ()

    @property
    def written(self) -> object:
        """The flow as it is written."""
        data = self.source.data
        for name in self.root:
            data = data[name]
        return data

    def problem(self, path: PropertyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property of the flow at `path`, at its place in the file."""
        return self.source.problem(self.in_file(path), message, at_key=at_key)

    def in_file(self, path: PropertyPath) -> PropertyPath:
        """The path in the file of the property of the flow at `path`."""
        return (*self.root, *self.as_written(path))

    def as_written(self, path: PropertyPath) -> PropertyPath:
        """The path in the flow as it is written of the property of the flow at `path`."""
        for length in range(len(path), 0, -1):
            if (moved := self.moved.get(path[:length])) is not None:
                return (*moved, *path[length:])
        return path
