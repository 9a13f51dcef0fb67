"""A WorkingDirectory: what it has beside its tasks, and the directory that these share.

As in Kestra's `io.kestra.plugin.core.flow.WorkingDirectory` (core/src/main/java/io/kestra/plugin/core/flow), run by
`WorkerTaskProcessor.runWorkingDirectory`: the namespace files and then the input files are put into the directory once,
before the first task; the output files are taken once, after the last task that ran, also if that failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from shared.manifest.task import InputFiles, NamespaceFiles
from shared.manifest.types import NoEffect, Properties, PropertyPath, Text, texts_with_paths

WORKING_DIRECTORY = "io.kestra.plugin.core.flow.WorkingDirectory"

OF_DIRECTORY = "<directory>"
"""In the path of a task's property: the property is that of the WorkingDirectory that the task is in."""


class DirectoryProperties(Properties):
    """The files that are put into the directory, and those that are kept of it."""

    input_files: Annotated[InputFiles, Field(examples=[{"query.sql": "select 1;\n"}])] = Field(default_factory=dict)
    """Files that are in the directory before its first task: as `inputFiles` of a task, whose own files of the same
    name win."""
    namespace_files: NamespaceFiles = NamespaceFiles(enabled=False)
    """Files of namespaces that are in the directory before its first task; `inputFiles` of the same name win."""
    output_files: Annotated[tuple[Text, ...], Field(examples=[["report.html", "data/**/*.csv"]])] = ()
    """The files to keep as they are after the last task that ran, also if it failed: names of files and folders, or
    globs. They are in the results of that task; where printed values decide whether another one follows, in those of
    both. In a later task, `{{ outputs.<id of the group>.outputFiles['report.html'] }}` is one of them."""
    cache: Annotated[Any, NoEffect("files are not kept from run to run; every run begins with an empty directory")] = (
        None
    )

    def texts(self) -> Iterator[tuple[PropertyPath, str]]:
        """Every text that is rendered, and its path."""
        for name, value in (
            ("inputFiles", self.input_files),
            ("namespaceFiles", self.namespace_files),
            ("outputFiles", self.output_files),
        ):
            yield from texts_with_paths(value, (name,))


@dataclass(frozen=True)
class Directory:
    """The directory that the tasks of a group share; the group's id, its path in the manifest, and its files."""

    group: str
    path: PropertyPath
    files: DirectoryProperties
