"""Which tasks of an earlier run a retry takes over, and which run again. Everything here follows from its record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shared.documents.record import ITEMS_BLOB, Record
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, OutputFile, TaskRecord, TaskResult
from shared.errors import ManifestError, did_you_mean
from shared.manifest.blocks import PlacedTask
from shared.manifest.order import tasks_before
from shared.manifest.read import Manifest

Result = TypeVar("Result", bound=TaskResult)
_GOOD = (State.SUCCESS, State.WARNING)


@dataclass(frozen=True)
class TakenOver:
    """What a retry takes over: tasks, and by fan-out the items, whose states are those of the earlier run.

    `unfinished` are the items that run again, by fan-out; `item_lists` are the values of all items of the fan-outs
    whose list stays the same.
    """

    tasks: tuple[TaskRecord, ...] = ()
    items: Mapping[str, tuple[ItemRecord, ...]] = field(default_factory=dict)
    unfinished: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    item_lists: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def blobs(self) -> Iterator[tuple[str, OutputFile | None]]:
        """The blobs of all files and logs below the folder of the earlier run, with what is known of the files."""
        for result in (*self.tasks, *(item for items in self.items.values() for item in items)):
            yield from ((file.blob, file) for file in result.outputs.output_files.values())
            yield from ((log, None) for log in (result.logs.stdout, result.logs.stderr) if log)


def taken_over(
    manifest: Manifest, record: Record, items: Mapping[str, tuple[ItemRecord, ...]], begin: Sequence[str]
) -> TakenOver:
    """What a retry takes over from the run of this record, with these items of its fan-outs.

    What ended well is taken over; so are, of a fan-out, the items. Everything else runs again, with all that depends on
    it: also the tasks where the retry is to `begin`, those in whose values secrets are masked, and all tasks that share
    a directory with one that runs again. Raises ManifestError if there is nothing to run, or no task of such a name.
    """
    _check_names(manifest, begin)
    ended = {task.id: _Earlier(task, items.get(task.id, ())) for task in record.tasks}
    _check_items(manifest, ended, begin)
    whole = {name for name in manifest.dependencies if name in begin or name not in ended or ended[name].is_lost}
    whole |= _sharing_a_directory(manifest, whole)
    parts = {name for name in manifest.dependencies if name in ended and ended[name].unfinished} - whole
    again_as_one = _loops_that_run_again(manifest, whole | parts)
    whole, parts = whole | again_as_one, parts - again_as_one
    follows = {name for name in manifest.dependencies if _before(manifest, name) & (whole | parts)}
    again = whole | follows
    if not again | parts:
        reason = "every task of the earlier run has ended well: say in `from` which tasks run again"
        raise ManifestError([manifest.given.problem_at(("retry",), reason)])
    taken = [ended[name] for name in manifest.dependencies if name not in again]
    listed = [ended[name] for name in manifest.dependencies if name in ended and name not in follows]
    return TakenOver(
        tasks=tuple(_from(record, each.task) for each in taken if not each.unfinished),
        items={each.task.id: tuple(_from(record, item) for item in each.good) for each in taken if each.task.items},
        unfinished={each.task.id: each.unfinished for each in taken if each.unfinished},
        item_lists={each.task.id: each.values for each in listed if each.values is not None},
    )


def _loops_that_run_again(manifest: Manifest, tasks: AbstractSet[str]) -> set[str]:
    """The tasks of the loops of which a task runs again, where the order of the items depends on more than one task.

    Those are loops of several tasks and loops in loops, also over maps: all of it runs again, as it would be run alone.
    """
    by_loop: dict[str, list[PlacedTask]] = {}
    for placed in manifest.flow.placed_tasks:
        if placed.loops and placed.task.id in manifest.dependencies:
            by_loop.setdefault(placed.loops[0].id, []).append(placed)
    whole = (
        {placed.task.id for placed in members}
        for members in by_loop.values()
        if len(members) > 1 or len(members[0].loops) > 1 or members[0].loops[0].is_isolated or members[0].conditions
    )
    return set().union(*(names for names in whole if names & tasks))


@dataclass(frozen=True)
class _Earlier:
    """How a task of the earlier run ended, with its items if it is a fan-out."""

    task: TaskRecord
    items: tuple[ItemRecord, ...]

    @property
    def good(self) -> tuple[ItemRecord, ...]:
        """The items that ended well."""
        return tuple(item for item in self.items if _is_good(item))

    @property
    def is_lost(self) -> bool:
        """Whether nothing of it can be taken over: it did not end well, or its values are masked."""
        if self.task.masked or any(item.masked for item in self.items):
            return True
        if self.task.items is None or not self.task.items.count:
            return self.task.state not in _GOOD and not self.task.is_left_out
        return not self.good

    @property
    def lacks_items(self) -> bool:
        """Whether it is a fan-out of whose items it is not known how they ended."""
        return self.task.items is not None and len(self.items) < self.task.items.count

    @property
    def unfinished(self) -> tuple[int, ...]:
        """The indexes of the items that did not end well."""
        return tuple(item.index for item in self.items if not _is_good(item))

    @property
    def values(self) -> tuple[Any, ...] | None:
        """The values of all items; None if it is no fan-out, or not all of them are known."""
        if self.task.items is None or self.lacks_items or any(item.masked for item in self.items):
            return None
        if any(item.parent or item.key is not None for item in self.items):
            return None  # the values of a loop in a loop are those of several lists, and those of a map have keys
        return tuple(item.value for item in self.items) if self.items or self.task.state in _GOOD else None


def _is_good(item: ItemRecord) -> bool:
    """Whether an item ended well, or was left out by a condition."""
    return item.state in _GOOD or item.is_left_out


def _before(manifest: Manifest, name: str) -> set[str]:
    return tasks_before(name, manifest.comes_after)


def _sharing_a_directory(manifest: Manifest, again: AbstractSet[str]) -> set[str]:
    """All tasks of a WorkingDirectory of which one runs again: the directory itself is not in the results."""
    tasks = [each for each in manifest.flow.placed_tasks if each.directory and each.task.id in manifest.dependencies]
    groups = {each.directory.group for each in tasks if each.directory and each.task.id in again}
    return {each.task.id for each in tasks if each.directory and each.directory.group in groups}


def _check_names(manifest: Manifest, begin: Sequence[str]) -> None:
    problems = [
        manifest.given.problem_at(("from", index), f"the flow has no task {name!r}{did_you_mean(name, known)}")
        for known in [manifest.dependencies.keys()]
        for index, name in enumerate(begin)
        if name not in known
    ]
    if problems:
        raise ManifestError(problems)


def _check_items(manifest: Manifest, ended: Mapping[str, _Earlier], begin: Sequence[str]) -> None:
    """Raise ManifestError for fan-outs of which a part would be taken over if it were known which."""
    unknown = [
        name
        for name in manifest.dependencies
        if name in ended and ended[name].lacks_items and not {name, *_before(manifest, name)}.intersection(begin)
    ]
    if unknown:
        what = f"{ITEMS_BLOB}, which says how items of the earlier run ended, is not there any more, or cannot be read"
        raise ManifestError([manifest.given.problem_at(("retry",), f"{what}; {run_again(unknown, begin)}")])


def run_again(tasks: Iterable[str], begin: Sequence[str]) -> str:
    """The advice to run tasks again, besides those where the retry is to begin."""
    where = "write in the request" if begin else "add to the request"
    return f"to run again what made it, {where}: `from: [{', '.join(dict.fromkeys((*begin, *tasks)))}]`"


def _from(record: Record, result: Result) -> Result:
    """A result that is taken over, which names the run in which its task ran."""
    return result.model_copy(update={"taken_from": result.taken_from or record.run_id})
