"""The plan of a round: one Batch job and its tasks, all properties rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from shared.documents.external_data import SourceFile
from shared.documents.items import Item
from shared.documents.names import ARCHIVE, ATTEMPTS_FILE, SCRIPT, Paths
from shared.documents.record import PoolNodes
from shared.documents.states import JobReason, Phase, SkippedBy
from shared.documents.task_result import ItemRecord, TaskRecord, TaskResult
from shared.manifest.blocks import Branch
from shared.plan.upstream import OutputPattern, UpstreamUse
from shared.script import build as task_script
from shared.script.attempts import Attempts
from shared.script.build import NO_FAILURE, NO_GATE, NO_HANDOVER, Commands, Gate, Handover

PART_TASKS = 100
MAX_NAMED_ARCHIVES = 4  # for more, those of all tasks of the directory are downloaded: prefixes are limited
UNKNOWN_ITEM = Item(index=-1, value=None)
"""Stands for the items of a fan-out that are not known yet."""


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
    If it `warns_of_retries`, a success that needed several attempts is a warning. If it `allows_warnings`, what would
    be a warning is a success.
    `depends_on` are the tasks of the round that must end well before it. `branches` are those of groups with a limit
    that it is in. It `begins` some of them: it does not run once another branch of the group has failed.
    """

    number: int
    name: str
    item: Item | None
    allow_failure: bool
    warns_of_retries: bool
    output_patterns: tuple[OutputPattern, ...]
    paths: Paths
    depends_on: tuple[int, ...] = ()
    branches: tuple[Branch, ...] = ()
    begins: tuple[Branch, ...] = ()
    allows_warnings: bool = False
    slots: int = 1

    @property
    def id(self) -> str:
        """The Batch task id."""
        return str(self.number)

    @property
    def display_name(self) -> str:
        """The task's name for people, with the item's index."""
        return self.name if self.item is None else f"{self.name}[{self.item.index}]"


class MarkerOf(StrEnum):
    """Which end of a task uploads a marker."""

    FAILURE = "failure"
    END = "success or failure"


@dataclass(frozen=True)
class Ties:
    """What ties a task to the others of its round.

    `gate` is what its script checks first, with the files of `prefixes`, and with the `words` that it is given. The
    folders of failures among these are `stops`. `markers` are the blobs that the task leaves for others, `end_markers`
    those by which the app learns of the end. A failure `ends_job` where no other task can be running that would end
    with it.
    """

    gate: Gate = NO_GATE
    prefixes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    markers: Mapping[str, MarkerOf] = field(default_factory=dict)
    end_markers: Mapping[str, MarkerOf] = field(default_factory=dict)
    is_depended_on: bool = False
    ends_job: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedTask(SubmittedTask):
    """One Batch task, with all properties rendered.

    Besides its script it gets: `input_files` (texts, by path) and `source_files` (blobs, by path) in its working
    directory, in a fan-out the same for all items; `item_files` (blobs, by number), which are copied for some items and
    linked by the script; `fetched_files` (URLs, by path), which the node fetches; and what it `uses` of earlier tasks.
    The `handover` says how it shares its working directory with other tasks.
    """

    image: Image
    container_run_options: str
    runs_as_root: bool
    commands: Commands
    script: str
    input_files: Mapping[str, str]
    source_files: Mapping[str, SourceFile]
    fetched_files: Mapping[str, str]
    uses: UpstreamUse
    item_files: Mapping[int, SourceFile] = field(default_factory=dict)
    ties: Ties = field(default_factory=Ties)
    handover: Handover = NO_HANDOVER

    @property
    def command_line(self) -> str:
        """The path of the script; in a fan-out, the item's index, and what the gate of the script is to look for."""
        arguments = [] if self.item is None else [str(self.item.index), *self.ties.words]
        return " ".join([self.script, *arguments])

    @property
    def system_folder(self) -> str:
        """The folder of the script."""
        return self.script.removesuffix(SCRIPT)

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
        uses = self.uses.prefixes()
        return [self.system_folder, *self.ties.prefixes, *self._archives(), *inputs, *item_folders, *uses]

    def _archives(self) -> list[str]:
        """The prefixes of the archives in which tasks before it may have left the directory."""
        folders = [archive.removesuffix(ARCHIVE) for archive in self.handover.archives]
        return folders if len(folders) <= MAX_NAMED_ARCHIVES else [self.paths.all_archives]

    @property
    def copies(self) -> dict[str, SourceFile]:
        """The blobs to copy into staging, by their name there."""
        in_working_directory = {
            self.paths.inputs + path: file for path, file in self.source_files.items() if path not in self.input_files
        }
        of_item = {self.paths.source_folder(number) + file.path: file for number, file in self.item_files.items()}
        return {**in_working_directory, **of_item}


@dataclass(frozen=True)
class NothingToRun:
    """A task that needs no node: it is left out by a condition, is a fan-out without items, or the app evaluates it.

    `record` is what is recorded of it if the tasks of the round with the numbers `waits_for` end well. `log` is what it
    says, line by line. If it is only one `item` of a task in a loop, the record is that of the item.
    """

    record: TaskRecord
    waits_for: tuple[int, ...] = ()
    log: tuple[str, ...] = ()
    item: Item | None = None

    @property
    def name(self) -> str:
        """The id of the task in the manifest."""
        return self.record.id

    def item_record(self, skipped: SkippedBy | None = None) -> ItemRecord:
        """What is recorded of the item, if it is one."""
        result = {name: getattr(self.record, name) for name in TaskResult.model_fields}
        return ItemRecord(**dict(self.item or UNKNOWN_ITEM), **result, skipped=skipped)


@dataclass(frozen=True)
class EndedInPlanning:
    """Tasks, and items of tasks in loops, that need no node and whose turn it is: they end before others are planned.

    `later` are the indexes of items of these tasks that have not ended, as far as they are known, by task; those of
    tasks that are not in it have all ended.
    """

    tasks: tuple[NothingToRun, ...]
    later: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class SubmittedRound:
    """One Batch job, with only what recording it needs.

    `empty` are the tasks with nothing to run whose turn it was; `later` are items of loops that run in later rounds, by
    task.
    """

    staging: str
    tasks: tuple[SubmittedTask, ...]
    empty: tuple[NothingToRun, ...] = ()
    later: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)

    @property
    def has_parts(self) -> bool:
        """Whether the results of the tasks are stored in parts, because the run document is too small for them."""
        return _has_parts(self.tasks, self.empty)


def _has_parts(tasks: Sequence[SubmittedTask], empty: Sequence[NothingToRun]) -> bool:
    has_items = any(task.item for task in tasks) or any(each.item for each in empty)
    return len(tasks) > PART_TASKS or has_items


@dataclass(frozen=True)
class RoundPlan:
    """One Batch job: all tasks that can run now.

    `empty` are the tasks with nothing to run whose turn it is: they need no task. `taken_files` are blobs in the run's
    folder in the results, by their name in staging: files of an earlier run that the tasks use. All tasks are in the
    same `phase` of the flow. `nodes` are those of the pool, once it is known to exist.
    """

    pool_id: str
    staging: str
    priority: int
    keep_job: bool
    reason: JobReason
    tasks: tuple[PlannedTask, ...]
    phase: Phase = Phase.TASKS
    empty: tuple[NothingToRun, ...] = ()
    taken_files: Mapping[str, str] = field(default_factory=dict)
    nodes: PoolNodes | None = None

    @property
    def has_parts(self) -> bool:
        """Whether the results of the tasks are stored in parts, because the run document is too small for them."""
        return _has_parts(self.tasks, self.empty)

    @property
    def end_marker_count(self) -> int:
        """How many markers there are once all tasks have ended; 0 where the end is left to a tick."""
        return sum(MarkerOf.END in task.ties.end_markers.values() for task in self.tasks)

    def scripts(self) -> dict[str, str]:
        """The texts of all scripts, by name in the staging container."""
        users: dict[str, list[PlannedTask]] = {}
        for task in self.tasks:
            users.setdefault(task.script, []).append(task)
        return {script: _script(tasks) for script, tasks in users.items()}

    def texts(self) -> dict[str, str]:
        """The texts of all input files, by name in the staging container; and a file in each folder of failures."""
        inputs = {task.paths.inputs + path: text for task in self.tasks for path, text in task.input_files.items()}
        folders = {folder for task in self.tasks for folder in task.ties.stops}
        return {**inputs, **{folder + NO_FAILURE: NO_FAILURE for folder in sorted(folders)}}

    def copies(self) -> dict[str, SourceFile]:
        """The blobs to copy into staging, by their name there."""
        return {name: file for task in self.tasks for name, file in task.copies.items()}


def _script(tasks: list[PlannedTask]) -> str:
    first = tasks[0]
    if all(task.commands == first.commands for task in tasks):
        return task_script.build(first.paths, first.commands, first.ties.gate, first.handover)
    commands = {task.item.index: task.commands for task in tasks if task.item}
    return task_script.build(first.paths, commands, first.ties.gate)
