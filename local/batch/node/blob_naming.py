"""What the blobs of a task's output files are called."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from local.batch.models.task import OutputFile
from local.batch.node.directories import TaskDirectories
from local.batch.node.globs import FilePattern


class BlobNaming(StrEnum):
    """What a blob is named relative to if its pattern has wildcards. Which of the two Batch does is not documented."""

    WORKING_DIRECTORY = "working-directory"
    LITERAL_FOLDER = "literal-folder"


def named_files(
    output: OutputFile, directories: TaskDirectories, environment: Mapping[str, str], naming: BlobNaming
) -> list[tuple[Path, str]]:
    """Return the files that a pattern matches, each with the name of its blob.

    Variables in the pattern are expanded. Without wildcards the destination's path is the blob's name, otherwise it is
    the folder of all blobs. Files outside the working directory are named relative to the pattern's literal folder.
    """
    text = string.Template(output.file_pattern).safe_substitute(environment)
    pattern = FilePattern.parse(text, directories.working)
    path = (output.destination.container.path or "").strip("/")
    if not pattern.has_wildcards:
        return [(file, path or file.name) for file in pattern.files()]
    inside = pattern.folder.is_relative_to(directories.working)
    relative_to = directories.working if inside and naming is BlobNaming.WORKING_DIRECTORY else pattern.folder
    prefix = f"{path}/" if path else ""
    return [(file, prefix + os.path.relpath(file, relative_to)) for file in pattern.files()]
