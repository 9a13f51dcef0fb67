"""How a person names a run, and which run that is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from batchrun.errors import ClientError, printable
from shared.documents.names import CANCEL_SUFFIX, dropped_at
from shared.errors import did_you_mean

LATEST = "-"
"""How a person names the latest run."""
MOST_NAMED = 5
STAMP_AND_VERSION = "-20260131t120000-0123abcd"
"""What follows the manifest's name in the id of a run."""


@dataclass(frozen=True)
class RunRef:
    """A run: its id, and its folder in the results container."""

    id: str
    folder: str

    @property
    def name(self) -> str:
        """The manifest's name without folders and extension."""
        return PurePosixPath(self.folder).parent.name

    @property
    def slug(self) -> str:
        """The manifest's name as it is in the id."""
        return self.id[: -len(STAMP_AND_VERSION)]

    @property
    def dropped(self) -> datetime:
        """When its manifest was dropped, to the second."""
        return dropped_at(self.id)

    @property
    def cancel_blob(self) -> str:
        """The blob in the inbox that cancels the run."""
        return self.id + CANCEL_SUFFIX


@dataclass(frozen=True)
class DroppedRun:
    """A manifest that was put into the inbox: its blob, the version (ETag), and the run that the app makes of it."""

    ref: RunRef
    blob: str
    etag: str


def newest_first(run: RunRef) -> tuple[float, str]:
    """A key that sorts runs, the newest first."""
    return -run.dropped.timestamp(), run.id


def latest(runs: Collection[RunRef]) -> RunRef:
    """The run that was dropped last. Raises ClientError if there is none, or there are two of the same second."""
    if not runs:
        raise ClientError("Nothing has been run here yet: there is no latest run.")
    last = max(run.dropped for run in runs)
    newest = [run.id for run in runs if run.dropped == last]
    if len(newest) > 1:
        ids = "\n".join(f"  {each}" for each in sorted(newest))
        raise ClientError(f"{len(newest)} runs were dropped last, in the same second. Name one of them:\n{ids}")
    return next(run for run in runs if run.dropped == last)


def the_run(text: str, runs: Collection[RunRef], how_to_list: str) -> RunRef:
    """The run whose id is `text`, or the only one whose id begins with it.

    Raises ClientError if there is none or more than one. The message names the runs that may be meant, and the command
    `how_to_list` that lists all of them.
    """
    matches = [run for run in runs if run.id == text] or [run for run in runs if run.id.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise ClientError(_unknown(text, runs, how_to_list))
    lines = [f"  {run.id}" for run in sorted(matches, key=newest_first)]
    more = [f"  … and {len(lines) - MOST_NAMED} more"] if len(lines) > MOST_NAMED else []
    raise ClientError("\n".join([f"{text!r} is the beginning of {len(lines)} runs:", *lines[:MOST_NAMED], *more]))


def _unknown(text: str, runs: Collection[RunRef], how_to_list: str) -> str:
    if not runs:
        return f"There is no run {printable(text)!r}: nothing has been run here yet."
    names = {run.name for run in runs}
    hint = did_you_mean(text, [run.id for run in runs]) or did_you_mean(text, names)
    return f"There is no run {printable(text)!r}{hint or '.'} `{how_to_list}` lists them."
