"""What the expressions of a text use that Kestra 2 has removed, and what to write instead.

By `migration-documentation/flows-changes.md` of https://github.com/kestra-io/kestra2-flow-migration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jinja2 import TemplateSyntaxError, nodes

from shared.expressions._nodes import all_nodes
from shared.expressions._syntax import parse
from shared.expressions.values import ExpressionError

_OF_A_LOOP = "in a Loop, outputs of the same iteration are `outputs.<task>`"
_FUNCTIONS: Mapping[str, str] = {
    "json": "write `fromJson(…)`, which Kestra 1 has, too",
    "currentEachOutput": _OF_A_LOOP,
    "iterationOutput": _OF_A_LOOP,
}
_FILTERS: Mapping[str, str] = {
    "json": "write `toJson`, which Kestra 1 has, too",
    "uniq": "write `distinct`, which Kestra 1 has, too",
}
_NAMES: Mapping[str, str] = {
    "outputDir": "write files into the working directory, and name them in `outputFiles`",
    "schedule": "use `trigger`",
}


def removed_in_2(text: str) -> Iterator[str]:
    """What a text has that Kestra 2 has not: the ends of sentences about Kestra 2; none if the text is malformed."""
    if "{{" not in text and "{%" not in text:
        return
    try:
        found = all_nodes(parse(text))
    except (TemplateSyntaxError, ExpressionError, RecursionError, ValueError):
        return  # it is told when it is rendered
    yield from dict.fromkeys(message for node in found for message in _of_node(node))


def _of_node(node: nodes.Node) -> Iterator[str]:
    match node:
        case nodes.Filter(name=name) if name in _FILTERS:
            yield f"has no filter {name!r}: {_FILTERS[name]}"
        case nodes.Call(node=nodes.Name(name=name)) if name in _FUNCTIONS:
            yield f"has no function {name!r}: {_FUNCTIONS[name]}"
        case nodes.Call(node=nodes.Name(name=("read" | "fileURI") as name), kwargs=named):
            if any(getattr(each, "key", "") == "version" for each in named):
                yield f"has no argument 'version' of {name}(): write `revision=…`"
        case nodes.Name(name=name) if name in _NAMES:
            yield f"has no {name!r}: {_NAMES[name]}"
