"""What is dropped for a run: a manifest as it is, or a run request that gives values to a flow, or retries a run.

A request with the flow inside has what a person gives first, in one line each, and then every line of the flow's file:

    inputs: {"rows": "10"}
    flow:
      id: etl

so that a place in it is a place in the file, plus a constant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from batchrun.client.refs import RunRef
from shared.documents.manifest_blob import ManifestBlob, manifest_blob
from shared.documents.names import FLOW_FILE
from shared.documents.record import Record, RunProblem
from shared.manifest.read import is_json
from shared.manifest.request import FLOW, INPUTS, RETRY, RunRequest
from shared.plan.inputs import NO_VALUE_IN_REQUEST

LABELS, FROM = "labels", "from"
OPTIONS = {INPUTS: "-i", LABELS: "--label", FROM: "--task"}
"""The options that give what these properties of a request have."""
INDENT = 2

_LINE_BREAK = re.compile("(\r\n|[\n\r\x85\u2028\u2029])")
"""As YAML counts lines: https://yaml.org/spec/1.1/#id871136 (libyaml keeps to 1.1)."""
_MARKER = re.compile(r"(?:---|\.\.\.)(?=[ \t]|$)")
_HEAD = re.compile(r"[ \t]*(?:#|$)|%")
"""What may be before the marker that begins a document: empty lines, comments and directives."""
_NOT_AS_IT_IS = re.compile(r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What no text of YAML may have, or takes for the end of a line: https://yaml.org/spec/1.2.2/#51-character-set."""
_NO_VALUE = re.compile(re.escape(NO_VALUE_IN_REQUEST).replace(r"\{!r\}", "'(?P<id>[^']*)'"))
_GIVE_IT_ONE = "has no value: give it one by -i "
_LOST = re.compile(r"add to the request: `from: \[(?P<tasks>[^\]]*)\]`")


@dataclass(frozen=True)
class Drop:
    """What is dropped, as the blob `blob` of the inbox; messages call it `name`.

    Of the lines of its text, the first `own_lines` are not those of the flow's file, and the others begin with `indent`
    characters that are not. `stored` is the stored flow that it names, of which `flow` is the text, if it was read;
    a `retry` has the flow of an earlier run. `uploads` are the blobs, with their containers, that are uploaded before.
    """

    name: str
    blob: str
    content: bytes
    modified: datetime
    own_lines: int = 0
    indent: int = 0
    stored: str | None = None
    flow: ManifestBlob | None = None
    flow_file: str = ""
    is_retry: bool = False
    uploads: frozenset[str] = frozenset()

    @property
    def manifest(self) -> ManifestBlob:
        """What the app reads of it."""
        return manifest_blob(self.blob, etag="not-dropped", content=self.content)

    def own_position(self, problem: RunProblem) -> RunProblem:
        """A problem with its place in the flow's own file; one with a value that was given has its option as path.

        `file` is set if the place is not in what messages call by the name of this.
        """
        message = _in_words_of_options(problem.message) if self.own_lines else problem.message
        if problem.file == FLOW_FILE:
            return problem.model_copy(update={"message": message, "file": self.flow_file or FLOW_FILE})
        if not self.own_lines or problem.line is None or problem.column is None:
            return problem.model_copy(update={"message": message})
        if problem.line <= self.own_lines:
            return RunProblem(message=message, path=_option(problem.path or ""))
        return RunProblem(
            message=message,
            path=(problem.path or "").removeprefix(FLOW).removeprefix(".") or None,
            line=problem.line - self.own_lines,
            column=max(1, problem.column - self.indent),
        )

    def lacks_value(self, problem: RunProblem) -> bool:
        """Whether a problem, with its own position, is that an input has no value, which a run may give to it."""
        return bool(self.own_lines) and _GIVE_IT_ONE in problem.message

    def own(self, record: Record) -> Record:
        """The record of its run, with all problems at their places in the flow's own file."""
        return record.model_copy(
            update={
                "warnings": tuple(map(self.own_position, record.warnings)),
                "errors": tuple(map(self.own_position, record.errors)),
            }
        )


def as_it_is(path: Path, content: bytes, modified: datetime, request: RunRequest | None = None) -> Drop:
    """A manifest; the `request` that it is, if it is one."""
    stored = request.stored_flow if request else None
    is_retry = bool(request and request.retry)
    return Drop(str(path), path.name, content, modified, stored=stored, flow_file=_file_of(stored), is_retry=is_retry)


def with_flow_inside(
    path: Path, text: str, modified: datetime, inputs: Mapping[str, str], labels: Mapping[str, str]
) -> Drop:
    """A request with the flow of a file inside, which must be a map."""
    given = {name: value for name, value in ((INPUTS, inputs), (LABELS, labels)) if value}
    if is_json(path.name):
        head = ", ".join(f"{_json(name)}: {_json(value)}" for name, value in given.items())
        content = f'{{{head}, "{FLOW}":\n{text}\n}}'
        return Drop(str(path), path.name, content.encode(), modified, own_lines=1)
    head = "".join(f"{name}: {_json(value)}\n" for name, value in given.items()) + f"{FLOW}:\n"
    content = head + _indented(text)
    return Drop(str(path), path.name, content.encode(), modified, head.count("\n"), INDENT)


def of_stored(name: str, modified: datetime, inputs: Mapping[str, str], labels: Mapping[str, str]) -> Drop:
    """A request that names a stored flow."""
    content, lines = _in_lines({FLOW: name, INPUTS: inputs, LABELS: labels})
    blob = f"{name.rpartition('/')[2]}.yaml"
    return Drop(name, blob, content, modified, lines, stored=name, flow_file=_file_of(name))


def of_file(path: Path, name: str, content: bytes, modified: datetime) -> Drop:
    """What a run of the stored flow `name` would drop, if it were stored as it is in a file."""
    request, flow = of_stored(name, modified, {}, {}), manifest_blob(f"{name}.yaml", "", content)
    return replace(request, name=str(path), flow=flow, flow_file=str(path))


def of_retry(run: RunRef, tasks: Sequence[str], modified: datetime) -> Drop:
    """A request to run an earlier run again."""
    content, lines = _in_lines({RETRY: run.folder, FROM: list(tasks)})
    return Drop(f"retry of {run.id}", f"{run.slug}.yaml", content, modified, lines, is_retry=True)


def _in_lines(given: Mapping[str, object]) -> tuple[bytes, int]:
    """A request with what is given, a line each; and the number of lines."""
    lines = [f"{each}: {_json(value)}\n" for each, value in given.items() if value]
    return "".join(lines).encode(), len(lines)


def _file_of(stored: str | None) -> str:
    """How messages call the file of a stored flow."""
    return f"flows/{stored}.yaml" if stored else ""


def _json(value: object) -> str:
    """A value as JSON in one line, which YAML reads alike."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_AS_IT_IS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _indented(text: str) -> str:
    """The lines of a document, indented; empty ones stay empty.

    The marker that begins the document and the directives before it become blank: they have no place in a value. Any
    other marker stays at the beginning of its line, and means what it means in the file.
    """
    parts = _LINE_BREAK.split(text)
    lines, breaks = parts[::2], [*parts[1::2], ""]
    begin = next((number for number, line in enumerate(lines) if not _HEAD.match(line)), 0)
    if lines[begin].startswith("---") and _MARKER.match(lines[begin]):
        lines[:begin] = ["" if line.startswith("%") else line for line in lines[:begin]]
        lines[begin] = "   " + lines[begin][3:]
    shifted = (line if not line or _MARKER.match(line) else " " * INDENT + line for line in lines)
    return "".join(line + end for line, end in zip(shifted, breaks, strict=True))


def _option(path: str) -> str | None:
    """The option that gave what is at a path of the request; None if none did."""
    name, rest = re.split(r"(?=[.\[])", f"{path}.", maxsplit=1)
    option = OPTIONS.get(name)
    if option is None or name == FROM:
        return option
    return f"{option} {rest.strip('.')}".strip()


def _in_words_of_options(message: str) -> str:
    """A message with advice for a person who has typed options, and no request."""
    message = message.replace("say in `from` which", "say with `--task` which")
    if no_value := _NO_VALUE.fullmatch(message):
        return f"the input {no_value['id']!r} {_GIVE_IT_ONE}{no_value['id']}=VALUE, or give it `defaults`"
    return _LOST.sub(
        lambda match: "`" + " ".join(f"--task {task}" for task in match["tasks"].split(", ")) + "`", message
    )
