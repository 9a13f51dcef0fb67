"""How the tasks of large rounds ended, in parts: `parts/<run id>/<round>/<first task>.json` in the runs container.

Each is written once, so recording can go on where it was cut off, and no document grows with the number of tasks.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from shared.parallel import in_parallel
from shared.run import Part

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from shared.record import ItemRecord
    from shared.run import Run

_PARTS = "parts"


class PartStore:
    """The parts in the runs container, which poll_runs does not see: it lists what lies at the top."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def keep(self, run: Run, first: int, part: Part) -> None:
        """Store how the tasks from number `first` on of the current round ended, once: if it is there, it stays."""
        name = f"{_PARTS}/{run.id}/{run.progress.round}/{first:06}.json"
        try:
            self._container.upload_blob(name, part.to_json().encode())
        except ResourceExistsError:
            return

    def of_round(self, run: Run) -> dict[int, Part]:
        """What is stored of the current round, by the number of the first task."""
        names = self._names(run.id, f"{run.progress.round}/")
        parts = in_parallel(self._load, names)
        return {int(PurePosixPath(name).stem): part for name, part in zip(names, parts, strict=True)}

    def items(self, run_id: str) -> dict[str, tuple[ItemRecord, ...]]:
        """The items of all fan-outs of a run that have ended, by task; of an item that was run again, the later end."""
        found: dict[str, dict[int, ItemRecord]] = {}
        for part in in_parallel(self._load, sorted(self._names(run_id), key=_age)):
            for task, items in part.items.items():
                found.setdefault(task, {}).update({item.index: item for item in items})
        return {task: tuple(items[index] for index in sorted(items)) for task, items in found.items()}

    def remove(self, run_id: str) -> None:
        """Remove all parts of a run."""
        in_parallel(self._remove, self._names(run_id))

    def _names(self, run_id: str, below: str = "") -> list[str]:
        return list(self._container.list_blob_names(name_starts_with=f"{_PARTS}/{run_id}/{below}"))

    def _load(self, name: str) -> Part:
        return Part.model_validate_json(self._container.download_blob(name).readall())

    def _remove(self, name: str) -> None:
        try:
            self._container.delete_blob(name)
        except ResourceNotFoundError:
            return


def _age(name: str) -> tuple[int, int]:
    """The round and the first task of a part."""
    path = PurePosixPath(name)
    return int(path.parent.name), int(path.stem)
