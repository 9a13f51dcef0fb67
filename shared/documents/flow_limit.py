"""Which flow an open run is one of, and how many runs of that flow may be under way at once, as metadata have it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Behavior(StrEnum):
    """What happens to a run when as many others of its flow are under way as may be."""

    QUEUE = "QUEUE"
    CANCEL = "CANCEL"
    FAIL = "FAIL"


@dataclass(frozen=True)
class FlowLimit:
    """The limit of a flow, `<namespace>/<id>` (`-` for no namespace), that one of its runs was accepted with."""

    flow: str
    limit: int
    behavior: Behavior

    def to_text(self) -> str:
        """The value of the metadata. The names of flows are ASCII, and have no spaces."""
        return f"{self.limit} {self.behavior.value} {self.flow}"

    @classmethod
    def from_text(cls, text: str) -> FlowLimit:
        """Read what `to_text` wrote. Raises ValueError if it is something else."""
        limit, behavior, flow = text.split(" ")
        return cls(flow, int(limit), Behavior(behavior))
