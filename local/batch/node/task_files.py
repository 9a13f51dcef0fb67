"""The files of a task as clients see them: names are relative to the task's directory."""

from __future__ import annotations

import errno
import mimetypes
import os
import shutil
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from local.batch.models.common import BatchModel

DEFAULT_CONTENT_TYPE = "application/octet-stream"


class FileProperties(BatchModel):
    """What is known of a file; the service writes the length as text and the mode as Python does."""

    last_modified: datetime
    content_length: str
    content_type: str
    file_mode: str


class TaskFile(BatchModel):
    """A file or directory of a task."""

    name: str
    is_directory: bool
    properties: FileProperties | None = None

    @property
    def id(self) -> str:
        """What listings are ordered by."""
        return self.name


def list_files(directory: Path, *, recursive: bool) -> list[TaskFile]:
    """Return what lies in a directory, by name; what goes meanwhile may be missing, the task may be running."""
    files: list[TaskFile] = []
    for root, folders, names in os.walk(directory):  # unlike rglob, it does not mind folders that go meanwhile
        for name in (*folders, *names):
            with suppress(FileNotFoundError):
                files.append(describe(Path(root, name), directory))
        if not recursive:
            break
    return sorted(files, key=lambda file: file.name.lower())


def find_file(directory: Path, name: str) -> Path | None:
    """Return the path of a file or directory of a task; None if there is none of that name inside the directory."""
    path = Path(os.path.normpath(directory / name))
    try:
        return path if path.is_relative_to(directory) and path.exists() else None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # no file can have it
            return None
        raise


def remove(path: Path, *, recursive: bool) -> None:
    """Remove a file or folder; OSError if a folder has something in it and `recursive` is not given."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    elif recursive:
        shutil.rmtree(path)
    else:
        path.rmdir()


def describe(path: Path, directory: Path) -> TaskFile:
    """Return how clients see a file."""
    name = path.relative_to(directory).as_posix()
    if path.is_dir() or not path.exists():
        return TaskFile(name=name, is_directory=path.is_dir())
    facts = path.stat()
    properties = FileProperties(
        last_modified=datetime.fromtimestamp(facts.st_mtime, UTC),
        content_length=str(facts.st_size),
        content_type=mimetypes.guess_type(name)[0] or DEFAULT_CONTENT_TYPE,
        file_mode=f"0o{stat.S_IFMT(facts.st_mode) | stat.S_IMODE(facts.st_mode):o}",
    )
    return TaskFile(name=name, is_directory=False, properties=properties)
