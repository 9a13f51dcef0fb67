"""The folders on this machine that results of runs are downloaded to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from batchrun.client.apps import App
from batchrun.client.refs import RunRef
from batchrun.errors import UsageError


@dataclass(frozen=True)
class ResultFolders:
    """Where results go: to `out` if it is given, otherwise to a folder in the app's folder for results.

    The results of a single run go directly to `out`; those of several runs go to one folder each in `out`.
    """

    out: Path | None
    is_only_one: bool

    def of(self, run: RunRef, app: App) -> Path:
        """The folder of a run of an app."""
        if self.out is None:
            return app.results / run.folder
        return self._in_out(self.out, run.name)

    def check(self, manifests: Sequence[str]) -> None:
        """Raise UsageError if the folder of one of these manifests has files in it already, or cannot be a folder."""
        if self.out is None:
            return
        for manifest in manifests:
            _check_free(self._in_out(self.out, PurePosixPath(manifest).stem))

    def _in_out(self, out: Path, name: str) -> Path:
        return out if self.is_only_one else out / name


def _check_free(folder: Path) -> None:
    try:
        if any(folder.iterdir()):
            raise UsageError(f"--out: {folder} is not empty. Choose a folder that is empty or does not exist yet.")
    except FileNotFoundError:
        return  # it is created with the first result
    except OSError as error:
        raise UsageError(f"--out: {folder} cannot hold results: {error.strerror}.") from error
