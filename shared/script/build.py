"""Builds the shell script that a task runs: it sets up the working directory, runs the commands, and tries them again.

The script is plain POSIX shell, as an image may have no other. Its fixed text is in `functions.sh` (the files that the
commands find), `packages.sh` (what they import), `attempts.sh` (one attempt, and what comes before the next one),
`directory.sh` (a directory that tasks share) and `main.sh` (the steps). It is staged as a file, so that commands and
environment are not part of the Batch task, where everyone who can read the Batch account would see them.

Where the script itself ends a task, it says so with an exit code and with one line on stderr (`read_marker`).
"""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from shared.documents.names import ARCHIVE, ATTEMPTS_FILE, BEGUN, ENDED, HOME, OUTPUT_DIRECTORY, UPSTREAM, Paths
from shared.documents.states import FailureCode
from shared.script.attempts import ONE_ATTEMPT, Attempts
from shared.script.packages import FINDS_KESTRA, REQUIREMENTS, Packages

SKIPPED_EXIT_CODE = 122
TIME_LIMIT_EXIT_CODE = 124
SET_UP_EXIT_CODE = 125
SCRIPT_EXIT_CODES = (SKIPPED_EXIT_CODE, TIME_LIMIT_EXIT_CODE, SET_UP_EXIT_CODE)
GRACE_SECONDS = 10
MARKER = "azure-batch-task-runner"
_ATTEMPT_LINE = f"{MARKER}: attempt %s"


class _Template(string.Template):
    """Shell text with placeholders such as `@seconds`, which a shell reads as words; `@@` is one `@`."""

    delimiter = "@"


_FILES = ("functions.sh", "packages.sh", "attempts.sh", "main.sh")
_PARTS = (Path(__file__).with_name(name).read_text("utf-8") for name in _FILES)
_SCRIPT = _Template("\n".join(_PARTS))
_DIRECTORY = _Template(Path(__file__).with_name("directory.sh").read_text("utf-8"))


class Marker(StrEnum):
    """Why the script itself ended a task; the failure code in the record, unless it never began."""

    SKIPPED = "Skipped"

    TIME_LIMIT = FailureCode.TIME_LIMIT_EXCEEDED
    WORKING_DIRECTORY = FailureCode.WORKING_DIRECTORY_NOT_WRITABLE
    TMP = FailureCode.TMP_NOT_WRITABLE
    MISSING_INPUT = FailureCode.INPUT_FILE_MISSING
    NO_ROOM = FailureCode.NO_ROOM_FOR_INPUTS
    NO_PROGRAM = FailureCode.PROGRAM_MISSING
    NOT_INSTALLED = FailureCode.DEPENDENCIES_NOT_INSTALLED
    NO_TAR = FailureCode.TAR_MISSING
    NOT_PASSED_ON = FailureCode.DIRECTORY_NOT_PASSED_ON


@dataclass(frozen=True)
class Link:
    """A file that the script links into the working directory as `name`: the first of `sources` that exists.

    Sources are relative to the task's directory on the node.
    """

    name: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Gathering:
    """Files of the items of an earlier fan-out, which the script copies into `<folder>/<item>/`.

    They are in `<source><item>/<pattern>/`. If this has the folder `inside`, its content is copied; otherwise all of it
    is copied, into the subfolder `below`.
    """

    folder: str
    source: str
    pattern: int
    inside: str
    below: str
    items: tuple[int, ...]


@dataclass(frozen=True)
class Commands:
    """What the script runs: `interpreter`, with `text` as its last argument, in the working directory.

    `time_limit` is that of one attempt. `links`, `gatherings` and `files` (texts by relative path) are the files that
    the script puts there, `packages` what it installs.
    """

    interpreter: tuple[str, ...]
    text: str
    env: Mapping[str, str]
    time_limit: timedelta
    links: tuple[Link, ...] = ()
    gatherings: tuple[Gathering, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    has_output_directory: bool = False
    attempts: Attempts = ONE_ATTEMPT
    packages: Packages | None = None


@dataclass(frozen=True)
class Gate:
    """What keeps a task from running: a task before it that did not end well, or a failure that stops its group.

    Names are relative to the task's directory on the node. `needed` are files that must be there; `stops` are folders
    that must hold no file of another branch than the given one. The script of a fan-out is told by its arguments what
    else an item asks for: `<task>/<item>` is a file in the folder `markers`, `stop:<group>/<branch>` a folder in
    `failures`, of this `round`. `leaves_marker` says whether other tasks may need to know how this one ended.
    """

    needed: tuple[str, ...] = ()
    stops: tuple[tuple[str, int], ...] = ()
    markers: str = ""
    failures: str = ""
    round: int = 1
    leaves_marker: bool = False


@dataclass(frozen=True)
class Handover:
    """How a task shares its working directory with others, which run before and after it.

    The directory as they have left it is in the first of `archives` that there is; names are relative to the task's
    directory on the node. If it `may_be_first`, there may be none. If another task follows, it `passes_on` the
    directory.
    """

    archives: tuple[str, ...] = ()
    may_be_first: bool = True
    passes_on: bool = False

    @property
    def is_shared(self) -> bool:
        """Whether there is anything to pass on."""
        return bool(self.archives) or self.passes_on or not self.may_be_first


NO_HANDOVER = Handover()
STOP = "stop:"
NO_GATE = Gate()
NO_FAILURE = "none"
"""In a folder of failures there is always this file, because a prefix that matches nothing may be an error."""

_FIXED = {
    **{marker.name.lower(): marker.value for marker in Marker},
    "marker": MARKER,
    "attempt_line": _ATTEMPT_LINE,
    "skipped_exit_code": SKIPPED_EXIT_CODE,
    "set_up_exit_code": SET_UP_EXIT_CODE,
    "time_limit_exit_code": TIME_LIMIT_EXIT_CODE,
    "grace": GRACE_SECONDS,
    "begun": BEGUN,
    "ended": ENDED,
    "none": NO_FAILURE,
    "stop": STOP,
    "archive": ARCHIVE,
    "attempts_file": ATTEMPTS_FILE,
    "requirements": REQUIREMENTS,
    "finds_kestra": FINDS_KESTRA,
}
"""The placeholders that are the same in all scripts."""


def build(
    paths: Paths,
    commands: Commands | Mapping[int, Commands],
    gate: Gate = NO_GATE,
    handover: Handover = NO_HANDOVER,
) -> str:
    """The text of the script.

    It exits with the commands' exit code, or 122 (the task does not run), 124 (time limit) or 125 (set-up failed).
    The exit code is that of the last attempt. The script of a fan-out (`paths` of any of its items) takes the item's
    index as its argument. If the commands of the items differ, `commands` holds them by index.
    """
    if isinstance(commands, Commands):
        variants, first = _functions(commands), commands
    else:
        cases = "\n".join(f"{index})\n{_functions(each)}\n;;" for index, each in commands.items())
        variants, first = f"case $item in\n{cases}\nesac", next(iter(commands.values()))
    return _SCRIPT.substitute(
        **_FIXED,
        task=paths.task,
        run=paths.run_id,
        gate=_gate(gate),
        inputs=shlex.quote(paths.inputs.rstrip("/")),
        link=shlex.quote(replace(paths, item=None).link) + ("" if paths.item is None else '"-$item"'),
        keeps_inputs="yes" if first.attempts.are_several or handover.is_shared else "no",
        handover=_handover(handover, first),
        item_index="" if paths.item is None else ' ITEM_INDEX="$item"',
        variants=variants,
        seconds=math.ceil(first.time_limit.total_seconds()),
        seed=_seed(paths),
        **first.attempts.shell_values(),
    )


def _seed(paths: Paths) -> int:
    """Where the random pauses of a task begin; the same again if the same script is built again."""
    return int.from_bytes(hashlib.sha256(f"{paths.run_id}/{paths.task}".encode()).digest()[:3])


def _gate(gate: Gate) -> str:
    """The shell function `gate`: what is to be checked before anything else is done."""
    of_item = shlex.join(["of_item", gate.markers, gate.failures, str(gate.round)])
    lines = [
        *([shlex.join(["need", *gate.needed])] if gate.needed else []),
        *(shlex.join(["unless_failed", folder, str(branch)]) for folder, branch in gate.stops),
        *([f'{of_item} "$@"'] if gate.markers else []),
        *(["leave_marker"] if gate.leaves_marker else []),
    ]
    return "\n".join(["gate() { :", *lines, "}"])


def _handover(handover: Handover, commands: Commands) -> str:
    """The shell functions `furnish` and `pass_on`: what is done about a directory before and after the commands."""
    if not handover.is_shared:
        return "is_shared=no\nfurnish() { :; }\npass_on() { :; }"
    own = [f"./{name}" for name in (HOME, UPSTREAM, *([OUTPUT_DIRECTORY] if commands.has_output_directory else []))]
    text = _DIRECTORY.substitute(own=shlex.join(own), **_FIXED)
    otherwise = ":" if handover.may_be_first else "lacking"
    unpack = f"{shlex.join(['unpack', *handover.archives])} || {otherwise}"
    furnish = ["need_tar", *([unpack] if handover.archives else [])]
    pass_on = ["pack"] if handover.passes_on else []
    return "\n".join(["is_shared=yes", text, "furnish() { :", *furnish, "}", "pass_on() { :", *pass_on, "}"])


def _functions(commands: Commands) -> str:
    """The shell functions `prepare` and `run`: the part of the script that can differ between items of a fan-out."""
    prepare = [
        *([f"rm -rf {UPSTREAM}"] if commands.links or commands.gatherings else []),
        *(_gather(gathering) for gathering in commands.gatherings),
        *(shlex.join(["bring", link.name, *link.sources]) for link in commands.links),
        *(shlex.join(["put", name, content]) for name, content in commands.files.items()),
    ]
    output_directory = f'mkdir -p {OUTPUT_DIRECTORY}; export OUTPUT_DIR="$link/{OUTPUT_DIRECTORY}"'
    run = [
        f'mkdir -p {HOME}; export HOME="$link/{HOME}"',
        *([output_directory] if commands.has_output_directory else []),
        *(['set -- "$packages" "$task_dir"'] if commands.packages else []),
        *(f"export {name}={shlex.quote(value)}" for name, value in commands.env.items()),
        *(commands.packages.shell_lines() if commands.packages else []),
        f"exec {shlex.join([*commands.interpreter, commands.text])}",
    ]
    return f"prepare() {{ :\n{chr(10).join(prepare)}\n}}\nrun() {{\n{chr(10).join(run)}\n}}"


def _gather(gathering: Gathering) -> str:
    words = [gathering.folder, gathering.source, str(gathering.pattern), gathering.inside, gathering.below]
    return shlex.join(["gather", *words, *map(str, gathering.items)])


def attempt_line(number: int) -> str:
    """The line of both logs before what an attempt prints; there is none before the first attempt."""
    return _ATTEMPT_LINE % number


@dataclass(frozen=True)
class ScriptReport:
    """Why the script itself ended a task, as it wrote it to stderr."""

    marker: Marker
    message: str


_MARKER_LINE = re.compile(rf"^{MARKER}: (\w+): (.*)$")


def read_marker(stderr: Iterable[str]) -> ScriptReport | None:
    """The last report in the stderr of a task that ended with one of SCRIPT_EXIT_CODES; None without any."""
    found = [match for line in stderr if (match := _MARKER_LINE.match(line)) and match[1] in set(Marker)]
    return ScriptReport(Marker(found[-1][1]), found[-1][2]) if found else None
