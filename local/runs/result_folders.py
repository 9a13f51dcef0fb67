"""The local folders that results of runs are downloaded to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.errors import UsageError
from local.runs.refs import RunRef


@dataclass(frozen=True)
class ResultFolders:
    """Where results go: below `out` if a person has named it, otherwise below the data directory.

    One run has `out` for itself; several have a folder in it each.
    """

    data_dir: Path
    out: Path | None
    is_only_one: bool

    def of(self, run: RunRef) -> Path:
        """The folder of a run."""
        if self.out is None:
            return self.data_dir / "results" / run.folder
        return self._in_out(self.out, run.name)

    def check(self, manifests: Sequence[Path]) -> None:
        """Raise UsageError if results of these manifests would end up among other files, or nowhere."""
        if self.out is None:
            return
        for manifest in manifests:
            _check_free(self._in_out(self.out, manifest.stem))

    def _in_out(self, out: Path, name: str) -> Path:
        return out if self.is_only_one else out / name


def _check_free(folder: Path) -> None:
    try:
        if any(folder.iterdir()):
            raise UsageError(f"--out: {folder} is not empty. Name a folder that is empty or not there yet.")
    except FileNotFoundError:
        return  # it is made when there are results
    except OSError as error:
        raise UsageError(f"--out: {folder} cannot hold results: {error.strerror}.") from error
