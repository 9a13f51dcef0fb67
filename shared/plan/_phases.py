"""The states of the tasks of a run, also of those in phases of the flow that ended early."""

from __future__ import annotations

from shared.documents.run import Run
from shared.documents.states import State
from shared.manifest.read import Manifest


def states_of(manifest: Manifest, run: Run) -> dict[str, State]:
    """How tasks ended, as far as that matters for those that wait for them or follow them.

    What a condition left out is as good as done. What did not end before its phase ended early is SKIPPED.
    """
    end = run.body.early_end
    over = [placed for placed in manifest.flow.placed_tasks if end and placed.phase.is_up_to(end.phase)]
    skipped = {placed.task.id: State.SKIPPED for placed in over if placed.task.id in manifest.dependencies}
    ended = {name: State.SUCCESS if task.is_left_out else task.state for name, task in run.body.finished.items()}
    return {**skipped, **ended}
