"""What a round is made of: Batch tasks with everything rendered, and the job that they are in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from shared.documents.names import SCRIPT, Paths
from shared.documents.record import Item
from shared.documents.run import SourceFile
from shared.documents.states import JobReason
from shared.plan.upstream import OutputPattern, UpstreamUse
from shared.script import build as task_script
from shared.script.build import Commands

PART_TASKS = 100


@dataclass(frozen=True)
class Image:
    """A container image, and how to log in where its registry wants it."""

    name: str
    server: str | None = None
    user_name: str | None = None
    password: str | None = None
    identity: str | None = None


@dataclass(frozen=True)
class StagingAccess:
    """How a node reaches the staging container: URLs with a SAS, or plain URLs and an identity of the pool."""

    read_url: str
    write_url: str
    identity: str | None


@dataclass(frozen=True)
class SubmittedTask:
    """One Batch task, as far as recording it goes.

    `number` is its Batch id; `name` is the id of the task in the manifest, `item` is one of a fan-out's.
    """

    number: int
    name: str
    item: Item | None
    allow_failure: bool
    output_patterns: tuple[OutputPattern, ...]
    paths: Paths

    @property
    def id(self) -> str:
        """The Batch task id."""
        return str(self.number)

    @property
    def display_name(self) -> str:
        """The task's name for people, with the item's index."""
        return self.name if self.item is None else f"{self.name}[{self.item.index}]"


@dataclass(frozen=True)
class PlannedTask(SubmittedTask):
    """One Batch task, with everything rendered.

    What it gets besides its script: `input_files` (texts, by path), `source_files` (blobs), both in its working
    directory and, in a fan-out, the same for all items; `own_files`, copied for it and linked by its script, by number;
    `fetched_files`, which the node gets from an address itself; and what it `uses` of earlier tasks.
    """

    depends_on: tuple[int, ...]
    image: Image
    container_run_options: str
    runs_as_root: bool
    slots: int
    retries: int
    commands: Commands
    script: str
    input_files: Mapping[str, str]
    source_files: Mapping[str, SourceFile]
    fetched_files: Mapping[str, str]
    uses: UpstreamUse
    own_files: Mapping[int, SourceFile] = field(default_factory=dict)

    @property
    def command_line(self) -> str:
        """The script; that of a fan-out is told for which item."""
        return self.script if self.item is None else f"{self.script} {self.item.index}"

    @property
    def time_limit(self) -> timedelta:
        """How long the commands may run."""
        return self.commands.time_limit

    @property
    def prefixes(self) -> list[str]:
        """What the node takes from staging: each prefix ends in a slash, for one without matches its siblings too."""
        inputs = [self.paths.inputs] if self.input_files or self.source_files else []
        own_files = [self.paths.source_folder(number) for number in self.own_files]
        return [self.script.removesuffix(SCRIPT), *inputs, *own_files, *self.uses.prefixes()]

    @property
    def copies(self) -> dict[str, SourceFile]:
        """What is copied into staging, by the name that it gets there."""
        in_working_directory = {
            self.paths.inputs + path: file for path, file in self.source_files.items() if path not in self.input_files
        }
        own = {self.paths.source_folder(number) + file.path: file for number, file in self.own_files.items()}
        return {**in_working_directory, **own}


@dataclass(frozen=True)
class SubmittedRound:
    """One Batch job, as far as recording it goes; `empty` are the fan-outs without items whose turn it was."""

    staging: str
    tasks: tuple[SubmittedTask, ...]
    empty: tuple[str, ...] = ()

    @property
    def has_parts(self) -> bool:
        """Whether how the tasks end is too much for the run document, and kept in parts."""
        return _has_parts(self.tasks)


def _has_parts(tasks: Sequence[SubmittedTask]) -> bool:
    return len(tasks) > PART_TASKS or any(task.item is not None for task in tasks)


@dataclass(frozen=True)
class RoundPlan:
    """One Batch job: everything that is known now and can run now.

    `empty` are the fan-outs without items whose turn it is: there is nothing to run for them.
    """

    pool_id: str
    staging: str
    priority: int
    keep_job: bool
    reason: JobReason
    tasks: tuple[PlannedTask, ...]
    empty: tuple[str, ...] = ()

    def is_depended_on(self, task: PlannedTask) -> bool:
        """Whether another task of this round waits for the task's success."""
        return task.number in self._depended_on

    @cached_property
    def _depended_on(self) -> frozenset[int]:
        return frozenset(number for task in self.tasks for number in task.depends_on)

    @property
    def has_parts(self) -> bool:
        """Whether how the tasks end is too much for the run document, and kept in parts."""
        return _has_parts(self.tasks)

    def scripts(self) -> dict[str, str]:
        """The texts of all scripts, by name in the staging container."""
        users: dict[str, list[PlannedTask]] = {}
        for task in self.tasks:
            users.setdefault(task.script, []).append(task)
        return {script: _script(tasks) for script, tasks in users.items()}

    def texts(self) -> dict[str, str]:
        """The texts of all input files, by name in the staging container."""
        return {task.paths.inputs + path: text for task in self.tasks for path, text in task.input_files.items()}

    def copies(self) -> dict[str, SourceFile]:
        """What is copied into staging, by the name that it gets there."""
        return {name: file for task in self.tasks for name, file in task.copies.items()}


def _script(tasks: list[PlannedTask]) -> str:
    first = tasks[0]
    if all(task.commands == first.commands for task in tasks):
        return task_script.build(first.paths, first.commands)
    return task_script.build(first.paths, {task.item.index: task.commands for task in tasks if task.item})
