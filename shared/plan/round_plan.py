"""The plan of a round: one Batch job and its tasks, all properties rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from shared.documents.names import ATTEMPTS_FILE, SCRIPT, Paths
from shared.documents.record import Item
from shared.documents.run import SourceFile
from shared.documents.states import JobReason
from shared.plan.upstream import OutputPattern, UpstreamUse
from shared.script import build as task_script
from shared.script.attempts import Attempts
from shared.script.build import Commands

PART_TASKS = 100


@dataclass(frozen=True)
class Image:
    """A container image, and the login to its registry if that needs one."""

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
    """One Batch task, with only what recording it needs.

    `number` is its Batch id; `name` is the id of the task in the manifest; `item` is one item if the task is a fan-out.
    If it `warns_of_retries`, a success that needed several attempts is a warning.
    """

    number: int
    name: str
    item: Item | None
    allow_failure: bool
    warns_of_retries: bool
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
    """One Batch task, with all properties rendered.

    Besides its script it gets: `input_files` (texts, by path) and `source_files` (blobs, by path) in its working
    directory, in a fan-out the same for all items; `item_files` (blobs, by number), which are copied for some items and
    linked by the script; `fetched_files` (URLs, by path), which the node fetches; and what it `uses` of earlier tasks.
    """

    depends_on: tuple[int, ...]
    image: Image
    container_run_options: str
    runs_as_root: bool
    slots: int
    commands: Commands
    script: str
    input_files: Mapping[str, str]
    source_files: Mapping[str, SourceFile]
    fetched_files: Mapping[str, str]
    uses: UpstreamUse
    item_files: Mapping[int, SourceFile] = field(default_factory=dict)

    @property
    def command_line(self) -> str:
        """The path of the script; in a fan-out, followed by the item's index."""
        return self.script if self.item is None else f"{self.script} {self.item.index}"

    @property
    def time_limit(self) -> timedelta:
        """How long one attempt may take."""
        return self.commands.time_limit

    @property
    def attempts(self) -> Attempts:
        """How often the commands are tried."""
        return self.commands.attempts

    @property
    def attempts_file(self) -> str:
        """The file on the node in which the script notes attempts."""
        return self.script.removesuffix(SCRIPT) + ATTEMPTS_FILE

    @property
    def prefixes(self) -> list[str]:
        """The prefixes of the blobs that the node downloads from staging.

        Prefixes of folders end in a slash: without it, siblings whose names begin alike would match too.
        """
        inputs = [self.paths.inputs] if self.input_files or self.source_files else []
        item_folders = [self.paths.source_folder(number) for number in self.item_files]
        return [self.script.removesuffix(SCRIPT), *inputs, *item_folders, *self.uses.prefixes()]

    @property
    def copies(self) -> dict[str, SourceFile]:
        """The blobs to copy into staging, by their name there."""
        in_working_directory = {
            self.paths.inputs + path: file for path, file in self.source_files.items() if path not in self.input_files
        }
        of_item = {self.paths.source_folder(number) + file.path: file for number, file in self.item_files.items()}
        return {**in_working_directory, **of_item}


@dataclass(frozen=True)
class EmptyFanOut:
    """A fan-out without items: it needs no task. `warning` says why it has none, if that may be a mistake."""

    name: str
    warning: str | None = None


@dataclass(frozen=True)
class SubmittedRound:
    """One Batch job, with only what recording it needs; `empty` are the fan-outs without items whose turn it was."""

    staging: str
    tasks: tuple[SubmittedTask, ...]
    empty: tuple[EmptyFanOut, ...] = ()

    @property
    def has_parts(self) -> bool:
        """Whether the results of the tasks are stored in parts, because the run document is too small for them."""
        return _has_parts(self.tasks)


def _has_parts(tasks: Sequence[SubmittedTask]) -> bool:
    return len(tasks) > PART_TASKS or any(task.item is not None for task in tasks)


@dataclass(frozen=True)
class RoundPlan:
    """One Batch job: all tasks that can run now.

    `empty` are the fan-outs without items whose turn it is: they need no task.
    """

    pool_id: str
    staging: str
    priority: int
    keep_job: bool
    reason: JobReason
    tasks: tuple[PlannedTask, ...]
    empty: tuple[EmptyFanOut, ...] = ()

    def is_depended_on(self, task: PlannedTask) -> bool:
        """Whether another task of this round waits for the task's success."""
        return task.number in self._depended_on

    @cached_property
    def _depended_on(self) -> frozenset[int]:
        return frozenset(number for task in self.tasks for number in task.depends_on)

    @property
    def has_parts(self) -> bool:
        """Whether the results of the tasks are stored in parts, because the run document is too small for them."""
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
        """The blobs to copy into staging, by their name there."""
        return {name: file for task in self.tasks for name, file in task.copies.items()}


def _script(tasks: list[PlannedTask]) -> str:
    first = tasks[0]
    if all(task.commands == first.commands for task in tasks):
        return task_script.build(first.paths, first.commands)
    return task_script.build(first.paths, {task.item.index: task.commands for task in tasks if task.item})
