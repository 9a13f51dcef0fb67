"""The ledger, `_runs/<day>[.N].jsonl` in the results container: which runs there are, without opening their folders.

`shared/documents/ledger.py` has the form of a line. A day is that of the drops of its runs, as their ids say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError
from pydantic import ValidationError

from shared.documents.ledger import FOLDER, LedgerLine, LineKind, ledger_blob
from shared.documents.names import dropped_at, job_id, run_of_job

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

_PART = re.compile(rf"{FOLDER}/(?P<day>\d{{4}}-\d\d-\d\d)(?:\.(?P<number>[1-9]\d{{0,2}}))?\.jsonl")


@dataclass
class DamagedLines:
    """How many lines could not be read, by the blob that they stand in."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, blob: str) -> None:
        """One more in a blob."""
        self.counts[blob] = self.counts.get(blob, 0) + 1


class LedgerReader:
    """The ledger, for those who read it; what was damaged so far is in `damaged`."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container
        self.damaged = DamagedLines()

    def days(self, since: date | None = None) -> list[date]:
        """The days that have lines, the newest first. Costs one listing, of a blob for each day."""
        start = f"{FOLDER}/{since.isoformat()}" if since else ""
        names = (blob for blob in self._container.list_blob_names(name_starts_with=f"{FOLDER}/") if blob >= start)
        return sorted(set(filter(None, map(_day, names))), reverse=True)

    def has_days_before(self, day: date) -> bool:
        """Whether it has lines of an earlier day, and so was kept on this one."""
        return any(each < day for each in self.days())

    def of_day(self, day: date) -> dict[str, LedgerLine]:
        """The runs that were dropped on a day, by id: the last word on each. Reads parts until there is none."""
        return final_lines(self._lines(day))

    def run(self, run_id: str) -> LedgerLine | None:
        """The line of a run whose whole id is given; only that day is read. None if the ledger lacks it."""
        try:
            day = dropped_at(run_id).date()
        except ValueError:
            return None  # not a whole id
        return self.of_day(day).get(run_id)

    def _lines(self, day: date) -> Iterator[LedgerLine]:
        part = 1
        while (text := self._read(blob := ledger_blob(day, part))) is not None:
            yield from parsed(blob, text.splitlines(), self.damaged)
            part += 1

    def _read(self, blob: str) -> bytes | None:
        try:
            return self._container.download_blob(blob).readall()
        except ResourceNotFoundError:
            return None


def parsed(blob: str, lines: Iterable[bytes], damaged: DamagedLines) -> Iterator[LedgerLine]:
    """The lines of a part of the ledger; those that cannot be read are counted and left out."""
    for text in filter(None, lines):
        try:
            line = LedgerLine.model_validate_json(text)
        except ValidationError:
            damaged.add(blob)
            continue
        is_of_run = run_of_job(job_id(line.run_id, 1)) == line.run_id and line.results.endswith(f"/{line.run_id}")
        if is_of_run and (line.kind is LineKind.ACCEPTED or line.state is not None):
            yield line
        else:
            damaged.add(blob)


def final_lines(lines: Iterable[LedgerLine]) -> dict[str, LedgerLine]:
    """One line for each run: the first that says it is recorded, else the first. Lines are doubled and in any order."""
    found: dict[str, LedgerLine] = {}
    for line in lines:
        known = found.setdefault(line.run_id, line)
        if known.kind is LineKind.ACCEPTED and line.kind is LineKind.RECORDED:
            found[line.run_id] = line
    return found


def _day(blob: str) -> date | None:
    match = _PART.fullmatch(blob)
    try:
        return date.fromisoformat(match["day"]) if match else None
    except ValueError:
        return None
