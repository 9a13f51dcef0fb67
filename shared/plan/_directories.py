"""The directories that the tasks of a WorkingDirectory share: which task takes it over from which, and who keeps files.

A directory travels as an archive in staging, which each task leaves for those after it, however it ends. So a task
begins with the directory as the last task before it has left it, on whichever node and in whichever round, as often as
it has to be run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from shared.documents.items import Item
from shared.documents.names import Paths
from shared.documents.run import Run
from shared.documents.states import State
from shared.documents.task_result import TaskRecord
from shared.manifest.read import Manifest
from shared.manifest.working_directory import OF_DIRECTORY, Directory
from shared.plan._conditions import Conditions
from shared.plan._graph import FlowGraph
from shared.plan._output_globs import output_patterns
from shared.plan._rendering import Rendering
from shared.plan.upstream import OutputPattern
from shared.script.build import Handover


class Keeps(Enum):
    """Whether a task brings the output files of its group: those of the last task that ran count."""

    ALWAYS = "no task comes after it"
    PERHAPS = "it is not known yet whether one of those after it runs"
    IF_FAILED = "one comes after it, unless it fails"
    NEVER = "one comes after it"


@dataclass(frozen=True)
class Turn:
    """The turn of a task in a directory.

    `before` are the tasks from whose archive it may take the directory, the latest first: the first that has left one
    counts. If it `may_be_first`, none of them is sure to have done so; then it begins with the files of the group. It
    `passes_on` the directory if another task may follow.
    """

    directory: Directory
    before: tuple[str, ...] = ()
    may_be_first: bool = True
    passes_on: bool = False
    keeps: Keeps = Keeps.ALWAYS

    def handover(self, paths: Paths) -> Handover:
        """The same for the script of the task."""
        archives = tuple(replace(paths, task=name).archive for name in self.before)
        return Handover(archives, may_be_first=self.may_be_first, passes_on=self.passes_on)

    def patterns(self, rendering: Rendering, start: int) -> tuple[OutputPattern, ...]:
        """The patterns of the group's output files, numbered from `start`; none if the task never brings them."""
        if self.keeps is Keeps.NEVER:
            return ()
        globs = rendering.output_globs((OF_DIRECTORY, "outputFiles"), self.directory.files.output_files)
        return tuple(
            replace(
                pattern,
                index=start + pattern.index,
                of_group=True,
                if_failed=self.keeps is Keeps.IF_FAILED,
                name=pattern.name if self.keeps is Keeps.ALWAYS else None,
            )
            for pattern in output_patterns(globs)
        )


class Directories:
    """The directories of a run; `ended` are the tasks of earlier rounds."""

    def __init__(
        self, manifest: Manifest, graph: FlowGraph, conditions: Conditions, ended: Mapping[str, TaskRecord]
    ) -> None:
        self._may_fail = {task.id for task in manifest.flow.tasks if task.allow_failure}
        self._graph = graph
        self._conditions = conditions
        self._ended = ended

    def turn(self, name: str) -> Turn | None:
        """The turn of a task; None if it has a directory of its own."""
        directory = self._graph.directory(name)
        if directory is None:
            return None
        members = self._graph.members(directory.group)
        place = members.index(name)
        before, may_be_first = self._before(members[:place])
        later = [other for other in members[place + 1 :] if not self._conditions.is_left_out(other)]
        return Turn(
            directory,
            before,
            may_be_first=may_be_first,
            passes_on=any(other not in self._ended for other in later),
            keeps=self._keeps(name, later),
        )

    def patterns(self, name: str, rendering: Rendering, start: int) -> tuple[OutputPattern, ...]:
        """The patterns of the output files of the group that a task is in, as far as the task brings them."""
        turn = self.turn(name)
        return turn.patterns(rendering, start) if turn else ()

    def _before(self, earlier: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """The tasks from which one takes the directory, the latest first, and whether it may have to begin without.

        What may fail may have left no archive: where its image could not be pulled, for example. One that is run again
        although a task after it has ended comes too late.
        """
        found: list[str] = []
        for name in reversed(earlier):
            ended = self._ended.get(name)
            if self._conditions.is_left_out(name) or (ended is None and any(other in self._ended for other in found)):
                continue
            if ended is not None and ended.state is State.SKIPPED:
                continue
            found.append(name)
            if name not in self._may_fail or (ended is not None and ended.failure is None):
                return tuple(found), False
        return tuple(found), True

    def _keeps(self, name: str, later: list[str]) -> Keeps:
        to_come = [other for other in later if other not in self._ended]
        if any(other in self._ended and self._ended[other].state is not State.SKIPPED for other in later):
            return Keeps.NEVER
        if not to_come:
            return Keeps.ALWAYS
        if not any(map(self._conditions.are_known, to_come)):
            return Keeps.PERHAPS
        return Keeps.NEVER if name in self._may_fail else Keeps.IF_FAILED


def last_of(
    group: str, graph: FlowGraph, is_left_out: Callable[[str], bool], ended: Mapping[str, TaskRecord]
) -> str | None:
    """The last task of a WorkingDirectory that has run, or will; its output files are those of the group."""
    for name in reversed(graph.members(group)):
        if not is_left_out(name) and not (name in ended and ended[name].state is State.SKIPPED):
            return name
    return None


def paths_of(run: Run, graph: FlowGraph, name: str, item: Item | None) -> Paths:
    """Where the files of a task, or of a fan-out's task for one item, are; in a group, its directory is shared."""
    directory = graph.directory(name)
    return Paths(run.id, name, item.index if item else None, directory=directory.group if directory else None)
