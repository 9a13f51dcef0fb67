"""The path of a blob trigger, `container/prefix/{name}.yaml`: which blobs match it.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger#blob-name-patterns
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPECIAL = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<name>[A-Za-z_]\w*)\}")


@dataclass(frozen=True)
class BlobPathPattern:
    """A parsed path: the container, and a regular expression for the names of blobs in it."""

    container: str
    blob: re.Pattern[str]

    @classmethod
    def parse(cls, path: str) -> BlobPathPattern:
        """Read the path of a trigger; without a blob part every blob of the container matches.

        Raises ValueError if it is not a path.
        """
        container, _, blob = path.partition("/")
        if not container or "{" in container:
            raise ValueError(f"the blob path {path!r} must begin with the name of a container")
        return cls(container, _blob_expression(blob or "{name}"))

    def match(self, blob: str) -> dict[str, str] | None:
        """The values of the path's parameters for a blob of the container; None if the blob does not match."""
        matched = self.blob.fullmatch(blob)
        return matched.groupdict() if matched else None


def _blob_expression(pattern: str) -> re.Pattern[str]:
    expression, position = "", 0
    for special in _SPECIAL.finditer(pattern):
        expression += re.escape(pattern[position : special.start()])
        expression += f"(?P<{special['name']}>.+)" if special["name"] else re.escape(special["brace"][0])
        position = special.end()
    return re.compile(expression + re.escape(pattern[position:]), re.DOTALL)
