"""Misbehaviour of nodes on demand: which image pulls and which uploads shall fail.

A node asks here before it pulls an image or uploads an output file, and fails as in reality if the answer is yes. Every
yes uses up one of the failures that were asked for. Asking is safe from any thread. How a node that dies is told so is
`machine.commands.LoseNode`.
"""

from __future__ import annotations

import threading
from fnmatch import fnmatchcase

from pydantic import Field

from local.batch.models.common import BatchModel

ANY = "*"
REASON = "This failure was asked for."


class ImagePullFault(BatchModel):
    """The next so many pulls of the images that match `image` (`*` and `?` stand for anything) fail."""

    image: str = ANY
    next: int = Field(default=1, ge=1)


class UploadFault(BatchModel):
    """The next so many uploads of the output files whose `filePattern` matches `file_pattern` fail."""

    file_pattern: str = ANY
    next: int = Field(default=1, ge=1)


class NodeFaultList(BatchModel):
    """The body of `PUT /_local/node-faults`: what shall fail on nodes, in place of what was set before."""

    image_pulls: tuple[ImagePullFault, ...] = ()
    uploads: tuple[UploadFault, ...] = ()


class NodeFaults:
    """The failures that were asked for and have not happened yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pulls: list[tuple[str, int]] = []
        self._uploads: list[tuple[str, int]] = []

    def replace(self, faults: NodeFaultList) -> None:
        """Set these failures and no others."""
        with self._lock:
            self._pulls = [(fault.image, fault.next) for fault in faults.image_pulls]
            self._uploads = [(fault.file_pattern, fault.next) for fault in faults.uploads]

    def fails_pull(self, image: str) -> bool:
        """Whether this pull of an image shall fail; counts it if so."""
        with self._lock:
            return _take(self._pulls, image)

    def fails_upload(self, file_pattern: str) -> bool:
        """Whether this upload of the output files of a pattern shall fail; counts it if so."""
        with self._lock:
            return _take(self._uploads, file_pattern)


def _take(left: list[tuple[str, int]], name: str) -> bool:
    """Use up one of the failures that are left for a name, if there is one."""
    for index, (pattern, count) in enumerate(left):
        if count and fnmatchcase(name, pattern):
            left[index] = (pattern, count - 1)
            return True
    return False
