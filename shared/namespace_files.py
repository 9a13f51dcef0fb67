"""Which files of which namespaces a task gets, and under which names. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.globs import matches_anywhere
from shared.manifest_task import IfExists

if TYPE_CHECKING:
    from shared.outside import SourceFile


@dataclass(frozen=True)
class Chosen:
    """The files, each path once, and the paths that more than one namespace has."""

    files: tuple[SourceFile, ...]
    doubles: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """A task's `namespaceFiles`, rendered. Without `include` everything is taken that `exclude` does not leave out."""

    namespaces: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    if_exists: IfExists
    folder_per_namespace: bool

    def choose(self, listed: Mapping[str, Sequence[SourceFile]]) -> Chosen:
        """Choose among the files of each namespace; of two with one path, `if_exists` decides."""
        chosen: dict[str, SourceFile] = {}
        doubles = []
        for namespace in self.namespaces:
            for file in listed[namespace]:
                if not self._is_wanted(file.path):
                    continue
                path = f"{namespace}/{file.path}" if self.folder_per_namespace else file.path
                if path in chosen:
                    doubles.append(path)
                if path not in chosen or self.if_exists is IfExists.OVERWRITE:
                    chosen[path] = file.model_copy(update={"path": path})
        return Chosen(tuple(chosen.values()), tuple(doubles))

    def _is_wanted(self, path: str) -> bool:
        is_included = not self.include or any(matches_anywhere(glob, path) for glob in self.include)
        return is_included and not any(matches_anywhere(glob, path) for glob in self.exclude)
