"""The markers by which tasks tell the app of their ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from shared.documents.names import RUN_ID

MARKER_OF_TASK = "task.ended"
MARKER_OF_JOB = "job.ended"
MARKER_ENDINGS = (f"/{MARKER_OF_TASK}", f"/{MARKER_OF_JOB}")
"""How the names of markers end, and those of few other blobs."""


@dataclass(frozen=True)
class EndMarker:
    """A marker that a task has left: the names of its container and blob, and the run and the round of the task."""

    container: str
    blob: str
    run_id: str
    round: int

    @property
    def is_of_job(self) -> bool:
        """Whether the task's failure ends the whole job."""
        return self.blob.endswith(f"/{MARKER_OF_JOB}")


_END_MARKER = re.compile(
    rf".*/([^/]+)/(({RUN_ID})/std/(?:[^/]+/){{1,2}}(\d{{1,9}})/(?:{MARKER_OF_TASK}|{MARKER_OF_JOB}))"
)


def end_marker_at(url: str) -> EndMarker | None:
    """The marker at an address, of which only the path is read; None if it is the address of another blob."""
    match = _END_MARKER.fullmatch(unquote(urlsplit(url).path))
    return EndMarker(match[1], match[2], match[3], int(match[4])) if match else None
