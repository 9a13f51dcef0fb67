"""Where a task's things lie: names in the staging container, in the results, and on the node."""

from __future__ import annotations

from dataclasses import dataclass

OUTPUT_DIRECTORY = "output"
UPSTREAM = ".upstream"
SCRIPT = "run.sh"


@dataclass(frozen=True)
class Paths:
    """Where a task, or a fan-out's task for one item, finds its things.

    Names in the staging container, and the place on the node that they end up at: Batch keeps a blob's full name below
    the task's working directory, so both are the same relative path. What is the same for all items of a fan-out is
    theirs together: input files and scripts.
    """

    run_id: str
    task: str
    item: int | None = None

    @property
    def inputs(self) -> str:
        """The prefix of input files; on the node it is the working directory of the commands."""
        return f"{self.run_id}/in/{self.task}/"

    @property
    def system(self) -> str:
        """The prefix of the app's own files."""
        return f"{self.run_id}/sys/{self.task}/"

    def script(self, pack: int | None = None) -> str:
        """The script: the only one, or that of a number of items whose scripts differ."""
        return f"{self.system}{SCRIPT}" if pack is None else f"{self.system}{pack}/{SCRIPT}"

    def source_folder(self, number: int) -> str:
        """The prefix of a file that not all items of a fan-out get."""
        return f"{self.system}files/{number}/"

    def outputs(self, index: int) -> str:
        """Where the files that the pattern number `index` matches are uploaded to."""
        return f"{self.all_outputs}{self._item}{index}/"

    @property
    def all_outputs(self) -> str:
        """Where all files are uploaded to, of a fan-out those of all items."""
        return f"{self.run_id}/out/{self.task}/"

    @property
    def logs(self) -> str:
        """Where stdout.txt and stderr.txt are uploaded to."""
        return f"{self.run_id}/std/{self.task}/{self._item}"

    @property
    def results(self) -> str:
        """The folder of the task below `outputs/` and `logs/` in the results."""
        return f"{self.task}/{self._item}"

    @property
    def _item(self) -> str:
        return "" if self.item is None else f"{self.item}/"

    @property
    def link(self) -> str:
        """`{{ workingDir }}`: an absolute path that is known before the task has a node."""
        item = "" if self.item is None else f"-{self.item}"
        return f"/tmp/{self.run_id}-{self.task}{item}"  # noqa: S108 - in the task's container, and unique to the task

    @property
    def output_directory(self) -> str:
        """`{{ outputDir }}`, for tasks that want one."""
        return f"{self.link}/{OUTPUT_DIRECTORY}"
