"""What a round is made of: Batch tasks with everything rendered, and the job that they are in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    from shared.run import NamespaceFile
    from shared.states import JobReason
    from shared.task_script import Commands, Paths
    from shared.upstream import OutputPattern, UpstreamFile


@dataclass(frozen=True)
class Image:
    """A container image, and how to log in where its registry wants it."""

    name: str
    server: str | None = None
    user_name: str | None = None
    password: str | None = None
    identity: str | None = None


@dataclass(frozen=True)
class PlannedTask:
    """One Batch task. `number` is its Batch id; `name` is the id of the task in the manifest."""

    number: int
    name: str
    depends_on: tuple[int, ...]
    allow_failure: bool
    image: Image
    container_run_options: str
    runs_as_root: bool
    slots: int
    retries: int
    commands: Commands
    input_files: Mapping[str, str]
    namespace_files: tuple[NamespaceFile, ...]
    upstream_files: tuple[UpstreamFile, ...]
    output_patterns: tuple[OutputPattern, ...]
    paths: Paths

    @property
    def id(self) -> str:
        """The Batch task id."""
        return str(self.number)

    @property
    def time_limit(self) -> timedelta:
        """How long the commands may run."""
        return self.commands.time_limit

    @property
    def prefixes(self) -> list[str]:
        """What the node takes from staging: each prefix ends in a slash, for one without matches its siblings too."""
        own = [self.paths.system, *([self.paths.inputs] if self.input_files or self.namespace_files else [])]
        return own + sorted({prefix for file in self.upstream_files for prefix in file.prefixes})


@dataclass(frozen=True)
class RoundPlan:
    """One Batch job: everything that is known now and can run now."""

    pool_id: str
    staging: str
    priority: int
    keep_job: bool
    reason: JobReason
    tasks: tuple[PlannedTask, ...]

    def is_depended_on(self, task: PlannedTask) -> bool:
        """Whether another task of this round waits for the task's success."""
        return any(task.number in other.depends_on for other in self.tasks)
