"""What is known of `containerRunOptions`, the arguments of `docker create` that a task adds.

The container engine reads all of them; a node needs a few itself, and without an engine honours these few.
"""

from __future__ import annotations

import shlex
from argparse import ArgumentError, ArgumentParser
from dataclasses import dataclass
from typing import Self

from local.batch.failures import FailureCode
from local.batch.models.node_task import ContainerSettings
from local.batch.node.pre_processing import PreProcessingError

LARGEST_ID = 2**31 - 1
CHOOSING_CGROUP = frozenset({"--cgroup-parent", "--cgroups", "--pod", "--pod-id-file"})
"""With these a container has a cgroup of the task's choice; most do not go with one that is chosen for it."""


@dataclass(frozen=True)
class RunOptions:
    """The options: those that are known here, and `others` as they stand."""

    entry_point: str | None
    variables: dict[str, str]
    working_directory: str | None
    user: str | None
    network: str | None
    others: tuple[str, ...]

    @classmethod
    def of(cls, settings: ContainerSettings) -> Self:
        """Read the options of a task; PreProcessingError if they cannot be read.

        `--rm` is left out: a container goes with its task anyway, once it has been looked at.
        """
        parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        parser.add_argument("--entrypoint")
        parser.add_argument("-e", "--env", action="append", default=[])
        parser.add_argument("-w", "--workdir")
        parser.add_argument("-u", "--user")
        parser.add_argument("--network", "--net")
        parser.add_argument("--rm", action="store_true")
        try:
            known, others = parser.parse_known_args(shlex.split(settings.container_run_options or ""))
        except (ArgumentError, ValueError) as error:
            raise PreProcessingError(FailureCode.CONTAINER_INVALID_SETTINGS.info(Message=str(error))) from error
        variables = dict(setting.split("=", 1) for setting in known.env if "=" in setting)
        return cls(known.entrypoint, variables, known.workdir, known.user, known.network, tuple(others))

    @property
    def choose_cgroup(self) -> bool:
        """Whether the options say which cgroup the container has, or that it has none."""
        return not CHOOSING_CGROUP.isdisjoint(option.partition("=")[0] for option in self.others)

    def user_ids(self) -> tuple[int, int] | None:
        """Return the ids of user and group that the options ask for; None if they ask for none, or for names.

        PreProcessingError if Docker knows no such ids.
        """
        user, _, group = (self.user or "").partition(":")
        if user == "root":
            return (0, 0)
        if not user.isdecimal() or (group and not group.isdecimal()):
            return None
        ids = (int(user), int(group or 0))
        if max(ids) > LARGEST_ID:
            message = f"uids and gids must be in range 0-{LARGEST_ID}"
            raise PreProcessingError(FailureCode.CONTAINER_INVALID_SETTINGS.info(Message=message))
        return ids
