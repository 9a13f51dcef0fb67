"""The manifest as it is kept in the results: literal credentials are cut out of its text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from shared.errors import ManifestError
from shared.yaml_source import compose

CREDENTIALS = ("accessKey", "connectionString", "password", "sharedKeyAccountAccessKey")
_REDACTED = '"******"'
_LINE = re.compile(rf"""(?P<name>["']?\b(?:{"|".join(CREDENTIALS)})["']?\s*:\s*)(?P<value>\S.*)""")
_SECRET = re.compile(r"""["']?\s*\{\{[^{}]*\bsecret\s*\([^{}]*\}\}\s*["']?\s*(#.*)?,?""")
_LONGEST_SECRET = 500


def redacted(text: str) -> str:
    """The text without the values of credentials, unless they are a `secret()`.

    What cannot be parsed is gone through line by line: whatever follows the name of a credential is replaced.
    """
    try:
        spans = sorted(set(_spans(compose(text))), reverse=True)
    except ManifestError:
        return _LINE.sub(_redacted_line, text)
    for start, end in spans:
        line_break = "\n" if text[start:end].endswith("\n") else ""
        text = text[:start] + _REDACTED + line_break + text[end:]
    return text


def _spans(root: yaml.Node) -> Iterator[tuple[int, int]]:
    seen: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value in CREDENTIALS and not _is_secret(value.value):
                    yield value.start_mark.index, value.end_mark.index
                else:
                    todo += [key, value]


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_SECRET and _SECRET.fullmatch(value.strip()) is not None


def _redacted_line(match: re.Match[str]) -> str:
    return match.group() if _is_secret(match["value"]) else match["name"] + _REDACTED
