"""The output files of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.documents.record import Record
from shared.documents.task_result import ItemRecord, OutputFile

MAX_FILES_OF_TASK = 50
MAX_FILES_OF_FAN_OUT = 10
MAX_FILES = 400


@dataclass(frozen=True)
class FileRow:
    """An output file; `path` is its path in the working directory of the task or item `owner`."""

    owner: str
    path: str
    file: OutputFile


@dataclass(frozen=True)
class Files:
    """The files that are listed, how many more there are (`left_out`), and the number and bytes of all files."""

    listed: tuple[FileRow, ...]
    left_out: int
    count: int
    bytes: int


def files(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> Files:
    """The first files of each task."""
    listed: list[FileRow] = []
    total, total_bytes = 0, 0
    for task in record.tasks:
        of_task = list(_files_of(task.id, task.outputs.output_files))
        for item in items.get(task.id, ()):
            of_task += _files_of(f"{task.id}[{item.index}]", item.outputs.output_files)
        total += len(of_task)
        total_bytes += sum(row.file.bytes for row in of_task)
        listed += of_task[: MAX_FILES_OF_FAN_OUT if task.items else MAX_FILES_OF_TASK]
    listed = listed[:MAX_FILES]
    return Files(tuple(listed), total - len(listed), total, total_bytes)


def _files_of(owner: str, found: Mapping[str, OutputFile]) -> Iterator[FileRow]:
    return (FileRow(owner, path, file) for path, file in found.items())
