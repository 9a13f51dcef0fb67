"""The colours of states, as styles of `rich`; NO_COLOR and pipes leave the words alone."""

from __future__ import annotations

from shared.documents.states import State

STYLES = {
    State.QUEUED: "yellow",
    State.RUNNING: "cyan",
    State.SUCCESS: "bold green",
    State.WARNING: "bold yellow",
    State.FAILED: "bold red",
    State.KILLED: "bold magenta",
    State.REJECTED: "bold red",
    State.SKIPPED: "dim",
}
