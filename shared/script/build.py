"""The shell script that a task runs: working directory, environment, time limit, commands.

It is plain POSIX shell, because the image may bring nothing more. It is staged as a file, so that neither commands nor
environment are part of the Batch task: whoever may read the Batch account would see them there.

The script tells what it did itself, apart from the commands, by exit code and one line on stderr (`read_marker`).
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from shared.documents.names import OUTPUT_DIRECTORY, UPSTREAM, Paths
from shared.documents.states import FailureCode

TIME_LIMIT_EXIT_CODE = 124
SET_UP_EXIT_CODE = 125
SCRIPT_EXIT_CODES = (TIME_LIMIT_EXIT_CODE, SET_UP_EXIT_CODE)
GRACE_SECONDS = 10
MARKER = "azure-batch-task-runner"


class Marker(StrEnum):
    """What the script itself has to say about the end of a task."""

    TIME_LIMIT = FailureCode.TIME_LIMIT_EXCEEDED
    WORKING_DIRECTORY = FailureCode.WORKING_DIRECTORY_NOT_WRITABLE
    TMP = FailureCode.TMP_NOT_WRITABLE
    MISSING_INPUT = FailureCode.INPUT_FILE_MISSING


@dataclass(frozen=True)
class Link:
    """A file that the script links as `name` into the working directory: the first of `sources` that is there.

    Sources are relative to the task's directory on the node.
    """

    name: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Gathering:
    """Files of the items of an earlier fan-out, which the script puts into `<folder>/<item>/`.

    They lie in `<source><item>/<pattern>/`; there either in the folder `inside`, or they belong into `below`.
    """

    folder: str
    source: str
    pattern: int
    inside: str
    below: str
    items: tuple[int, ...]


@dataclass(frozen=True)
class Commands:
    """What to run: `interpreter` gets `text` as its last argument. Before, files are put into the working directory."""

    interpreter: tuple[str, ...]
    text: str
    env: Mapping[str, str]
    time_limit: timedelta
    links: tuple[Link, ...] = ()
    gatherings: tuple[Gathering, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    has_output_directory: bool = False


def build(paths: Paths, commands: Commands | Mapping[int, Commands]) -> str:
    """The text of the script. Exits with the commands' own code, or 124 (time limit), or 125 (nothing could be run).

    The script of a fan-out (`paths` of any of its items) takes the item's index as its argument; where the items'
    commands differ, `commands` holds them by index.
    """
    if isinstance(commands, Commands):
        variants, time_limit = _functions(commands), commands.time_limit
    else:
        cases = "\n".join(f"{index})\n{_functions(each)}\n;;" for index, each in commands.items())
        variants, time_limit = f"case $item in\n{cases}\nesac", next(iter(commands.values())).time_limit
    return _SCRIPT.format(
        task=paths.task,
        run=paths.run_id,
        marker=MARKER,
        set_up_exit_code=SET_UP_EXIT_CODE,
        time_limit_exit_code=TIME_LIMIT_EXIT_CODE,
        inputs=shlex.quote(paths.inputs.rstrip("/")),
        link=shlex.quote(Paths(paths.run_id, paths.task).link) + ("" if paths.item is None else '"-$item"'),
        item_index="" if paths.item is None else " ITEM_INDEX=$item",
        variants=variants,
        seconds=math.ceil(time_limit.total_seconds()),
        grace=GRACE_SECONDS,
        time_limit=Marker.TIME_LIMIT.value,
        working_directory=Marker.WORKING_DIRECTORY.value,
        tmp=Marker.TMP.value,
        missing_input=Marker.MISSING_INPUT.value,
    )


def _functions(commands: Commands) -> str:
    """What differs between the items of a fan-out, as two functions of the script."""
    prepare = [
        *([f"rm -rf {UPSTREAM}"] if commands.links or commands.gatherings else []),
        *(_gather(gathering) for gathering in commands.gatherings),
        *(shlex.join(["bring", link.name, *link.sources]) for link in commands.links),
        *(shlex.join(["put", name, content]) for name, content in commands.files.items()),
    ]
    output_directory = f'mkdir -p {OUTPUT_DIRECTORY}; export OUTPUT_DIR="$link/{OUTPUT_DIRECTORY}"'
    run = [
        *([output_directory] if commands.has_output_directory else []),
        *(f"export {name}={shlex.quote(value)}" for name, value in commands.env.items()),
        f"exec {shlex.join([*commands.interpreter, commands.text])}",
    ]
    return f"prepare() {{ :\n{chr(10).join(prepare)}\n}}\nrun() {{\n{chr(10).join(run)}\n}}"


def _gather(gathering: Gathering) -> str:
    words = [gathering.folder, gathering.source, str(gathering.pattern), gathering.inside, gathering.below]
    return shlex.join(["gather", *words, *map(str, gathering.items)])


@dataclass(frozen=True)
class ScriptReport:
    """What the script said about the end of a task."""

    marker: Marker
    message: str


_MARKER_LINE = re.compile(rf"^{MARKER}: (\w+): (.*)$")


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
unwritable() {{
  report {working_directory} "$1 cannot be written by the user of this image, $(id -un 2>/dev/null)"
  exit {set_up_exit_code}
}}

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

# gather FOLDER SOURCE PATTERN INSIDE BELOW ITEM...: put the files of each item that made some into FOLDER/ITEM
gather() {{
  folder=$1 source=$2 pattern=$3 inside=$4 below=$5
  shift 5
  mkdir -p "$folder"
  for each; do
    from=$task_dir/$source$each/$pattern to=$folder/$each/$below
    [ -d "$from" ] || continue
    if [ -d "$from/$inside" ]; then from=$from/$inside to=$folder/$each/; fi
    mkdir -p "$to" || unwritable "$to"
    cp -Rl "$from/." "$to" 2>/dev/null || cp -R "$from/." "$to" || unwritable "$to"
  done
}}

# put NAME CONTENT: write a file
put() {{
  case $1 in */*) mkdir -p "${{1%/*}}" ;; esac
  printf %s "$2" >"$1" || unwritable "$1"
}}

item=$1
link={link}
task_dir=$PWD
files="$PWD"/{inputs}
expired="$PWD/${{0%/*}}/expired"
{variants}
{{ mkdir -p "$files" && rm -f "$expired"; }} || unwritable "$files"
if ! {{ rm -f "$link" && ln -s "$files" "$link" && cd "$link"; }}; then
  report {tmp} "/tmp cannot be written in this image, or it has no ln; the working directory is linked there"
  exit {set_up_exit_code}
fi
trap 'rm -f "$link"' EXIT
prepare

# What the task's environment says is for its commands alone: the rest of this script must not depend on it.
(
  export WORKING_DIR="$link" HOME="$link"{item_index}
  run
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
