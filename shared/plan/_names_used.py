"""Which names the expressions of a text use, whatever their values are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from shared.expressions.chance import ASKS
from shared.expressions.render import references
from shared.manifest.types import texts_with_paths

_RENDERS = re.compile(r"\brender(?:Once)?\s*\(")
_NAMES_OF_ITEM = ("item", "taskrun", "parent", "parents", "workingDir", "outputDir", "outputs")


@lru_cache(maxsize=4096)
def names_used(text: str, name: str) -> frozenset[tuple[str, ...]]:
    """The paths below the value `name` that a text's expressions use: see `expressions.render.references`."""
    return frozenset(references(text, name))


@lru_cache(maxsize=4096)
def paths_used(text: str, name: str) -> frozenset[tuple[str, ...]]:
    """The whole paths below the value `name` that a text's expressions use, with `*` for what only rendering tells."""
    return frozenset(references(text, name, "*"))


def texts_to_render(text: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A text, and the texts of the variables and inputs that it passes to `render()`, and those that these name."""
    todo, seen = [text], {text}
    while todo:
        yield (rendered := todo.pop(0))
        for name in ("vars", "inputs") if _RENDERS.search(text) else ():
            for path in names_used(rendered, name):
                found = {nested for _, nested in texts_with_paths(_value_at(values[name], path))} - seen
                todo += sorted(found)
                seen |= found


def _value_at(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - values of any type
    for part in path:
        value = value.get(part) if isinstance(value, dict) else value
    return value


@lru_cache(maxsize=4096)
def depends_on_item(text: str) -> bool:
    """Whether a text may render differently for each item of a fan-out."""
    return any(each.search(text) for each in (_RENDERS, ASKS)) or any(names_used(text, name) for name in _NAMES_OF_ITEM)
