"""The shell script that a task runs: working directory, environment, time limit, commands.

It is plain POSIX shell, because the image may bring nothing more. It is staged as a file, so that neither commands nor
environment are part of the Batch task: whoever may read the Batch account would see them there.

The script tells what it did itself, apart from the commands, by exit code and one line on stderr (`read_marker`).
"""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

TIME_LIMIT_EXIT_CODE = 124
SET_UP_EXIT_CODE = 125
SCRIPT_EXIT_CODES = (TIME_LIMIT_EXIT_CODE, SET_UP_EXIT_CODE)
GRACE_SECONDS = 10
OUTPUT_DIRECTORY = "output"
_MARKER = "azure-batch-task-runner"


class Marker(StrEnum):
    """What the script itself has to say about the end of a task."""

    TIME_LIMIT = "TimeLimitExceeded"
    WORKING_DIRECTORY = "WorkingDirectoryNotWritable"
    TMP = "TmpNotWritable"
    MISSING_INPUT = "InputFileMissing"


@dataclass(frozen=True)
class Paths:
    """Where a task finds its things: names in the staging container, and the place on the node that they end up at.

    Batch keeps a blob's full name below the task's working directory, so both are the same relative path.
    """

    run_id: str
    task: str

    @property
    def inputs(self) -> str:
        """The prefix of input files; on the node it is the working directory of the commands."""
        return f"{self.run_id}/in/{self.task}/"

    @property
    def system(self) -> str:
        """The prefix of the app's own files."""
        return f"{self.run_id}/sys/{self.task}/"

    @property
    def script(self) -> str:
        """The script."""
        return f"{self.system}run.sh"

    def outputs(self, index: int) -> str:
        """Where the files that the pattern number `index` matches are uploaded to."""
        return f"{self.run_id}/out/{self.task}/{index}/"

    @property
    def logs(self) -> str:
        """Where stdout.txt and stderr.txt are uploaded to."""
        return f"{self.run_id}/std/{self.task}/"

    @property
    def link(self) -> str:
        """`{{ workingDir }}`: an absolute path that is known before the task has a node."""
        return f"/tmp/{self.run_id}-{self.task}"  # noqa: S108 - in the task's container, and unique to the task

    @property
    def output_directory(self) -> str:
        """`{{ outputDir }}`, for tasks that want one."""
        return f"{self.link}/{OUTPUT_DIRECTORY}"


@dataclass(frozen=True)
class Link:
    """A file that the script links as `name` into the working directory: the first of `sources` that is there.

    Sources are relative to the task's directory on the node.
    """

    name: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Commands:
    """What to run: `interpreter` gets `text` as its last argument. Links are made before."""

    interpreter: tuple[str, ...]
    text: str
    env: Mapping[str, str]
    time_limit: timedelta
    links: tuple[Link, ...] = ()
    has_output_directory: bool = False


def build(paths: Paths, commands: Commands) -> str:
    """The text of the script. Exits with the commands' own code, or 124 (time limit), or 125 (nothing could be run)."""
    seconds = math.ceil(commands.time_limit.total_seconds())
    exports = "\n".join(f"  export {name}={shlex.quote(value)}" for name, value in commands.env.items())
    return _SCRIPT.format(
        task=paths.task,
        run=paths.run_id,
        marker=_MARKER,
        set_up_exit_code=SET_UP_EXIT_CODE,
        time_limit_exit_code=TIME_LIMIT_EXIT_CODE,
        inputs=shlex.quote(paths.inputs.rstrip("/")),
        expired=shlex.quote(f"{paths.system}expired"),
        link=shlex.quote(paths.link),
        exports=exports,
        output_directory=f"mkdir -p {OUTPUT_DIRECTORY}; export OUTPUT_DIR={shlex.quote(paths.output_directory)}"
        if commands.has_output_directory
        else "",
        links="\n".join(shlex.join(["bring", link.name, *link.sources]) for link in commands.links),
        command=shlex.join([*commands.interpreter, commands.text]),
        seconds=seconds,
        grace=GRACE_SECONDS,
        time_limit=Marker.TIME_LIMIT.value,
        working_directory=Marker.WORKING_DIRECTORY.value,
        tmp=Marker.TMP.value,
        missing_input=Marker.MISSING_INPUT.value,
    )


@dataclass(frozen=True)
class ScriptReport:
    """What the script said about the end of a task."""

    marker: Marker
    message: str


_MARKER_LINE = re.compile(rf"^{_MARKER}: (\w+): (.*)$")


def read_marker(stderr: Iterable[str]) -> ScriptReport | None:
    """What the script reported, for a task that ended with one of its exit codes; the last report counts."""
    found = [match for line in stderr if (match := _MARKER_LINE.match(line)) and match[1] in set(Marker)]
    return ScriptReport(Marker(found[-1][1]), found[-1][2]) if found else None


# `kill 0` reaches every process of the task: the shell that interprets the commands does not pass signals on. A signal
# from outside reaches the script alone, which passes it on. Watchdog and wait loop are written so that no signal ends
# the script before the commands have ended: Batch uploads the outputs of a task that ends by itself, but of one that it
# kills at maxWallClockTime this is not documented.
_SCRIPT = """\
# Runs the commands of the task {task} of the run {run}.
report() {{ echo "{marker}: $1: $2" >&2; }}

# bring NAME SOURCE...: link the first source that is there as NAME
bring() {{
  name=$1
  shift
  for source; do
    if [ -e "$task_dir/$source" ]; then
      case $name in */*) mkdir -p "${{name%/*}}" ;; esac
      ln -sf "$task_dir/$source" "$name"
      return
    fi
  done
  report {missing_input} "$name was not made by the earlier task"
  exit {set_up_exit_code}
}}

task_dir=$PWD
files="$PWD"/{inputs}
expired="$PWD"/{expired}
if ! {{ mkdir -p "$files" && rm -f "$expired"; }}; then
  report {working_directory} "$files cannot be written by the user of this image, $(id -un 2>/dev/null)"
  exit {set_up_exit_code}
fi
if ! {{ rm -f {link} && ln -s "$files" {link} && cd {link}; }}; then
  report {tmp} "/tmp cannot be written in this image, or it has no ln; the working directory is linked there"
  exit {set_up_exit_code}
fi
trap 'rm -f {link}' EXIT
{links}

# What the task's environment says is for its commands alone: the rest of this script must not depend on it.
(
  export WORKING_DIR={link} HOME={link}
  {output_directory}
{exports}
  exec {command}
) &
commands=$!
trap '[ -e "$expired" ] || kill -TERM "$commands" 2>/dev/null' TERM INT
(
  trap 'kill "$!" 2>/dev/null' TERM
  sleep {seconds} & wait "$!" || exit 0
  : >"$expired"
  kill -TERM 0
  sleep {grace} & wait "$!"
  kill -KILL "$commands"
) >/dev/null 2>&1 </dev/null &
watchdog=$!

while :; do
  wait "$commands"
  code=$?
  kill -0 "$commands" 2>/dev/null || break
done
kill "$watchdog" 2>/dev/null

if [ -e "$expired" ]; then
  report {time_limit} "the commands were stopped after their time limit of {seconds} seconds"
  exit {time_limit_exit_code}
fi
exit "$code"
"""
