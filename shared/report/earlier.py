"""A retry: the earlier run, the way to its report, and how much of it is taken over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.documents.names import results_folder
from shared.documents.record import Record
from shared.documents.task_result import ItemRecord
from shared.report.text import count


@dataclass(frozen=True)
class Earlier:
    """The run that was run again. `report` is the relative path of its report, None if that may not be there.

    `taken` says how much of it is taken over; `sources` are the runs in which that ran.
    """

    run_id: str
    report: str | None
    taken: str
    sources: tuple[str, ...]


def earlier(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> Earlier | None:
    """The earlier run of a retry; None for any other run."""
    if record.retry_of is None:
        return None
    results = [*record.tasks, *(item for each in items.values() for item in each)]
    own_folder = results_folder(record.manifest.name, record.run_id)
    return Earlier(
        run_id=record.retry_of.run_id,
        # with its record the app has read its flow
        report=path_to(f"{record.retry_of.results}/report.html", own_folder) if record.flow.source else None,
        taken=how_much_is_taken_over(record),
        sources=tuple(sorted({result.taken_from for result in results if result.taken_from})),
    )


def how_much_is_taken_over(record: Record) -> str:
    """`2 tasks and 9,993 items`: the tasks, and the items of other tasks; empty if nothing is taken over."""
    tasks = sum(task.taken_from is not None for task in record.tasks)
    items = sum(task.items.taken_over for task in record.tasks if task.items and task.taken_from is None)
    counted = ((tasks, "task"), (items, "item"))
    return " and ".join(count(amount, noun) for amount, noun in counted if amount)


def path_to(blob: str, folder: str) -> str:
    """The relative path from a page in a folder to a blob of the same container.

    It is as short as possible, so that it also leads from one run to another of the same manifest where only their
    folders are.
    """
    to, start = blob.split("/"), folder.split("/")
    same = next((place for place, (a, b) in enumerate(zip(to, start, strict=False)) if a != b), len(start))
    return "/".join([*[".."] * (len(start) - same), *to[same:]])
