"""The manifest as it is kept in the results: without the credentials that are written in its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum

import yaml

from shared.errors import ManifestError
from shared.manifest._yaml import compose
from shared.manifest.types import CREDENTIALS, is_secret

_REDACTED = '"******"'
_LOGINS = ("config", "dockerConfig", "credentials")
"""Below `docker`: logins to registries, as maps, or as the text of a configuration file of Docker."""
_NAMES_IN_LOGINS = ("registry", "username")
_NAMES = "|".join((*CREDENTIALS, "auth", "identityToken", "registryToken"))
_LINE = re.compile(rf"""(?P<name>["']?\b(?:{_NAMES})["']?\s*:\s*)(?P<value>\S[^\r\n]*)""")
_AROUND = re.compile(r"""(?P<quote>["']?)(?P<value>\{\{.*\}\})(?P=quote)\s*,?\s*(?:#.*)?""")


def redacted(text: str) -> str:
    """The text without the values of credentials, except those that are a `secret()`.

    A text that cannot be parsed is searched line by line: everything after the name of a credential is replaced.
    """
    try:
        spans = _outermost(_spans(compose(text)))
    except ManifestError:
        return _LINE.sub(_redacted_line, text)
    for start, end in reversed(spans):
        value = text[start:end]
        line_break = value[len(value.rstrip("\r\n")) :] and ("\r\n" if value.endswith("\r\n") else value[-1])
        text = text[:start] + _REDACTED + line_break + text[end:]
    return text


def _outermost(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in their order, without those inside another one: what an anchor names may be found twice."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(set(spans)):
        if not found or start >= found[-1][1]:
            found.append((start, end))
    return found


class _Place(Enum):
    DOCKER = "the value of a `docker`"
    LOGIN = "a login in it"
    OTHER = "anything else"


def _spans(root: yaml.Node) -> Iterator[tuple[int, int]]:
    seen: set[tuple[int, _Place]] = set()
    todo = [(root, _Place.OTHER)]
    while todo:
        node, place = todo.pop()
        if (id(node), place) in seen:
            continue
        seen.add((id(node), place))
        if isinstance(node, yaml.SequenceNode):
            todo.extend((each, place) for each in node.value)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = _place_of(key.value, place)
                if _is_credential(key.value, value, inner):
                    yield value.start_mark.index, value.end_mark.index
                else:
                    todo += [(key, _Place.OTHER), (value, inner)]


def _place_of(name: object, around: _Place) -> _Place:
    if around is _Place.LOGIN or (around is _Place.DOCKER and name in _LOGINS):
        return _Place.LOGIN
    return _Place.DOCKER if name == "docker" else _Place.OTHER


def _is_credential(name: object, value: yaml.Node, place: _Place) -> bool:
    """Whether a value is a credential that is no `secret()`. In a login, all are but the names of registry and user."""
    is_of_login = place is _Place.LOGIN and isinstance(value, yaml.ScalarNode) and name not in _NAMES_IN_LOGINS
    if name not in CREDENTIALS and not is_of_login:
        return False
    return not (isinstance(value.value, str) and is_secret(value.value))


def _redacted_line(match: re.Match[str]) -> str:
    around = _AROUND.fullmatch(match["value"])
    return match.group() if around and is_secret(around["value"]) else match["name"] + _REDACTED
