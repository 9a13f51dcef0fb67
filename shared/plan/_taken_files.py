"""The files that tasks of a retry use of tasks that it has taken over: they are in the results, and go to staging."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from shared.documents.run import Run
from shared.documents.task_result import TaskResult
from shared.plan.upstream import TAKEN, UpstreamFile, UpstreamUse

_Ended = Mapping[tuple[str, int | None], TaskResult]
"""How tasks have ended, and items of fan-outs: by task and index."""


def taken_files(run: Run, uses: Iterable[UpstreamUse]) -> dict[str, str]:
    """The blobs to copy into staging, below the run's folder in the results, by their name in staging.

    Under that name the node looks for a file; those that their task has not made are left out.
    """
    if run.body.earlier is None:
        return {}
    ended: dict[tuple[str, int | None], TaskResult] = {(name, None): task for name, task in run.body.finished.items()}
    ended |= {(name, item.index): item for name, items in (run.items or {}).items() for item in items}
    files = (file for use in uses for file in _files(use, ended))
    return {
        file.sources(TAKEN)[1]: made[file.name].blob
        for file in files
        if file.name in (made := ended[file.paths.task, file.paths.item].outputs.output_files)
    }


def _files(use: UpstreamUse, ended: _Ended) -> Iterator[UpstreamFile]:
    yield from (file for file in use.files.values() if file.paths.is_taken)
    for folder in use.folders.values():
        for index in sorted(folder.taken):
            paths = replace(folder.paths, item=index, is_taken=True)
            for name in ended[paths.task, index].outputs.output_files:
                yield UpstreamFile(paths, name, (TAKEN,))
