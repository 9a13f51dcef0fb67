"""The blobs that tasks left in staging → the files of each task, and their names in the results.

Whether Batch names an uploaded blob by its path in the task's working directory or below the literal part of the
pattern is not documented; both are understood. Names come from the node, so they are not trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.documents.names import LOG_NAMES, is_own, is_safe
from shared.plan.round_plan import SubmittedTask
from shared.plan.upstream import OutputPattern

_SIMILAR = re.compile(r"[]^[]")  # what a pattern cannot tell from a backslash


@dataclass(frozen=True)
class StagedBlob:
    """A blob of the staging container."""

    name: str
    bytes: int
    md5: str | None


@dataclass(frozen=True)
class CollectedFile:
    """One file of a task: `path` in its working directory, `destination` below the run's folder in the results."""

    source: StagedBlob
    path: str
    destination: str


@dataclass(frozen=True)
class TaskFiles:
    """All files of one task; the named files that it did not make; the paths that cannot be names in the results."""

    logs: dict[str, CollectedFile]
    outputs: tuple[CollectedFile, ...]
    missing: tuple[str, ...]
    unsafe: tuple[str, ...]

    def without(self, refused: set[str]) -> TaskFiles:
        """The same without the destinations whose copy storage refused."""
        return TaskFiles(
            logs={name: file for name, file in self.logs.items() if file.destination not in refused},
            outputs=tuple(file for file in self.outputs if file.destination not in refused),
            missing=self.missing,
            unsafe=(*self.unsafe, *(file.path for file in self.outputs if file.destination in refused)),
        )


NO_FILES = TaskFiles({}, (), (), ())


class StagedFiles:
    """The blobs that the tasks of a run left, found by the folder of a task."""

    def __init__(self, blobs: Iterable[StagedBlob]) -> None:
        self._by_folder: dict[str, list[StagedBlob]] = {}
        for blob in blobs:
            for folder in _folders(blob.name):
                self._by_folder.setdefault(folder, []).append(blob)

    def below(self, prefix: str) -> Sequence[StagedBlob]:
        """The blobs whose names begin with `prefix`, the folder of a task with a slash at its end."""
        return self._by_folder.get(prefix, ())


_TASK_DEPTHS = (3, 4, 5)  # <run id>/std/<task>/[<item>/], <run id>/out/<task>/[<item>/]<pattern>/


def _folders(name: str) -> Iterable[str]:
    parts = name.split("/")
    return ("/".join(parts[:depth]) + "/" for depth in _TASK_DEPTHS if len(parts) > depth)


def notes_of(task: SubmittedTask, staged: StagedFiles) -> StagedBlob | None:
    """What the script of a task noted of its attempts, if the task has a `retry`."""
    return next((blob for blob in staged.below(task.paths.logs) if blob.name == task.paths.attempts), None)


def log_bytes(task: SubmittedTask, staged: StagedFiles, at_most: int) -> int:
    """How much of the logs of a task there is to read, `at_most` of each."""
    names = {task.paths.logs + name for name in LOG_NAMES}
    return sum(min(blob.bytes, at_most) for blob in staged.below(task.paths.logs) if blob.name in names)


def files_of(task: SubmittedTask, staged: StagedFiles) -> TaskFiles:
    """The files of one task among the staged ones, with their names in the results."""
    logs = {
        name: CollectedFile(blob, name, f"logs/{task.paths.results}{name}")
        for blob in staged.below(task.paths.logs)
        if (name := blob.name.removeprefix(task.paths.logs)) in LOG_NAMES
    }
    outputs: dict[str, CollectedFile] = {}
    made, unsafe = set(), dict[str, None]()
    backslashes = _with_backslashes(task, staged)
    for pattern in task.output_patterns:
        for path, blob in () if pattern.finds_backslashes else _matched(task, pattern, staged, backslashes):
            made.add(pattern.name)
            if not is_safe(path):
                unsafe[path] = None
            elif not is_own(path):
                outputs.setdefault(path, CollectedFile(blob, path, f"outputs/{task.paths.results}{path}"))
    named = dict.fromkeys(pattern.name for pattern in task.output_patterns if pattern.name is not None)
    return TaskFiles(logs, tuple(outputs.values()), tuple(name for name in named if name not in made), tuple(unsafe))


def _with_backslashes(task: SubmittedTask, staged: StagedFiles) -> dict[str, bool]:
    """The paths in which storage has made slashes of backslashes, and whether a folder's name had them."""
    patterns = [pattern for pattern in task.output_patterns if pattern.finds_backslashes]
    found = {
        path: pattern.pattern.endswith("/*") for pattern in patterns for path, _ in _matched(task, pattern, staged, {})
    }
    return {path: is_folders for path, is_folders in found.items() if not _SIMILAR.search(path)}


def _with_backslash(path: str, *, is_folders: bool) -> str:
    """What a path in which storage has made a slash of a backslash most probably was."""
    folder, slash, name = path.rpartition("/")
    return folder.replace("/", "\\") + slash + name if is_folders else f"{folder}\\{name}"


def _matched(
    task: SubmittedTask, pattern: OutputPattern, staged: StagedFiles, backslashes: Mapping[str, bool]
) -> Iterable[tuple[str, StagedBlob]]:
    """The files that a pattern brought, by their paths on the node."""
    prefix = task.paths.outputs(pattern.index)
    for blob in staged.below(prefix):
        name = blob.name.removeprefix(prefix)
        inside = name.removeprefix(task.paths.inputs)
        path = inside if inside != name else pattern.folder + name
        is_folders, relative = backslashes.get(path), path.removeprefix(pattern.base)
        yield relative if is_folders is None else _with_backslash(relative, is_folders=is_folders), blob
