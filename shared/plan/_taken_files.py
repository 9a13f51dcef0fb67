"""The files that tasks of a retry use of tasks that it has taken over: they are in the results, and go to staging."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.documents.names import Paths
from shared.documents.record import TaskResult
from shared.documents.run import Run
from shared.plan.upstream import TAKEN, UpstreamFile, UpstreamUse


def taken_files(run: Run, uses: Iterable[UpstreamUse]) -> dict[str, str]:
    """The blobs to copy into staging, below the run's folder in the results, by their name in staging."""
    if run.body.earlier is None:
        return {}
    return {name: blob for use in uses for file in _files(run, use) for name, blob in _staged(run, file)}


def _files(run: Run, use: UpstreamUse) -> Iterator[UpstreamFile]:
    yield from (file for file in use.files.values() if file.paths.is_taken)
    for folder in use.folders.values():
        for index in sorted(folder.taken):
            paths = Paths(run.id, folder.paths.task, index, is_taken=True)
            yield from (UpstreamFile(paths, name, (TAKEN,)) for name in _made(run, paths))


def _staged(run: Run, file: UpstreamFile) -> Iterator[tuple[str, str]]:
    """The name in staging under which the node looks for a file, if its task made it."""
    made = _made(run, file.paths)
    if file.name in made:
        yield file.sources(TAKEN)[1], made[file.name]


def _made(run: Run, paths: Paths) -> dict[str, str]:
    """The blobs of the files that a task, or its task for one item, has made, by path in its working directory."""
    results: Iterable[TaskResult] = (
        [each for each in (run.items or {}).get(paths.task, ()) if each.index == paths.item]
        if paths.item is not None
        else [run.body.finished[paths.task]]
    )
    return {path: file.blob for result in results for path, file in result.outputs.output_files.items()}
