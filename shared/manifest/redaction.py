"""The manifest as it is kept in the results: without the credentials that are written in its text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from shared.errors import ManifestError
from shared.manifest._yaml import compose
from shared.manifest.types import CREDENTIALS, is_secret

_REDACTED = '"******"'
_LINE = re.compile(rf"""(?P<name>["']?\b(?:{"|".join(CREDENTIALS)})["']?\s*:\s*)(?P<value>\S[^\r\n]*)""")
_AROUND = re.compile(r"""(?P<quote>["']?)(?P<value>\{\{.*\}\})(?P=quote)\s*,?\s*(?:#.*)?""")


def redacted(text: str) -> str:
    """The text without the values of credentials, except those that are a `secret()`.

    A text that cannot be parsed is searched line by line: everything after the name of a credential is replaced.
    """
    try:
        spans = sorted(set(_spans(compose(text))), reverse=True)
    except ManifestError:
        return _LINE.sub(_redacted_line, text)
    for start, end in spans:
        value = text[start:end]
        line_break = value[len(value.rstrip("\r\n")) :] and ("\r\n" if value.endswith("\r\n") else value[-1])
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
                if key.value in CREDENTIALS and not (isinstance(value.value, str) and is_secret(value.value)):
                    yield value.start_mark.index, value.end_mark.index
                else:
                    todo += [key, value]


def _redacted_line(match: re.Match[str]) -> str:
    around = _AROUND.fullmatch(match["value"])
    return match.group() if around and is_secret(around["value"]) else match["name"] + _REDACTED
