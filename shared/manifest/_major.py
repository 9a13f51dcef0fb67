"""The major version of Kestra that a flow is written for, told by what it uses; and what the other reads differently.

What only Kestra 2 has: the flowable Loop, `when` on tasks, and the functions and filters that its Extension.java has
and that of Kestra 1.3 has not (https://github.com/kestra-io/kestra, core/…/runners/pebble/Extension.java).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from shared.expressions.readings import two_readings
from shared.manifest.types import Properties, PropertyPath, texts_with_paths

_OF_2 = re.compile(
    r"\b(?:regexMatch|regexReplace|regexExtract|loopOutputs|subflow|isPublicHoliday|isDayWeekInMonth|isWeekend"
    r"|isLastWorkingDay|dayOfWeek|dayOfMonth|monthOfYear|hourOfDay|isDate(?:Before|After|Between)|env)\s*\("
)
_MOST_LOOKED_AT = 20
_LOOP = ".flow.Loop"


def major_of(flow: Properties) -> int:
    """The major version of Kestra that a flow is written for, by what it uses: 1 if nothing tells."""
    return 2 if _is_of_2(flow.model_dump(by_alias=True, exclude_unset=True)) else 1


def _is_of_2(value: Any) -> bool:  # noqa: ANN401 - any part of a flow
    match value:
        case str():
            found = itertools.islice(_OF_2.finditer(value), _MOST_LOOKED_AT)
            return any(_is_in_expression(value, match.start()) for match in found)
        case {"id": _, "type": _, "when": str()}:
            return True
        case dict():
            return str(value.get("type", "")).endswith(_LOOP) or any(map(_is_of_2, value.values()))
        case list() | tuple():
            return any(map(_is_of_2, value))
    return False


def _is_in_expression(text: str, place: int) -> bool:
    return any(text.rfind(begin, 0, place) > text.rfind(end, 0, place) for begin, end in (("{{", "}}"), ("{%", "%}")))


def readings(flow: Properties, major: int) -> Iterator[tuple[PropertyPath, str]]:
    """Every text that the other major version reads differently, with both readings."""
    for path, text in texts_with_paths(flow):
        if found := two_readings(text):
            this, other = found if major == 1 else reversed(found)
            yield (
                path,
                (
                    f"this is read as in Kestra {major}, as `{this}`; Kestra {3 - major} reads `{other}`: write the"
                    " parentheses that are meant, or `kestra: 1` or `kestra: 2` at the top of the flow"
                ),
            )
