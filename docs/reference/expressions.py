"""The chapter on expressions, from the app's tables of functions, filters and tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.expressions.date_patterns import NAMES
from shared.expressions.dates import UNITS
from shared.expressions.filters import FILTERS, OTHER_FILTERS, TESTS
from shared.expressions.functions import FUNCTIONS, OTHER_FUNCTIONS, OTHER_NAMES, OTHER_PARTS

_HEAD = """\
## Expressions

An expression between `{{` and `}}` is replaced by its value before a task runs. The value is not evaluated again,
except by `render()`. The syntax is that of Kestra (Pebble), without macros and blocks. A name that does not exist is an
error.

| tag | |
| --- | --- |
| `{% if x %} … {% elseif y %} … {% else %} … {% endif %}` | chooses between texts |
| `{% for x in y %} … {% else %} … {% endfor %}` | repeats a text for each entry of a list, or of a map \
(which have `key` and `value`); `else` is for an empty one. In it `loop` has `index` (from 0), `length`, `first`, \
`last` and `revindex` |
| `{% set x = y %}` | gives a name a value, for the rest of the text or of the loop |
| `{% raw %} … {% endraw %}` | leaves a text as it is |
| `{# … #}` | is a comment |

| operator | |
| --- | --- |
| `a.b`, `a['b']`, `a[0]` | a value of a map or of a list |
| `a ?? b` | `a`, or `b` if `a` does not exist or is null |
| `a ??? b` | `a`, or `b` if `a` does not exist |
| `a ~ b` | both, joined to one text |
| `a \\| filter` | the value that a filter makes of it |
| `a..b` | the list of the numbers or characters from the first to the last |
| `+` `-` `*` `/` `%` | for numbers; the quotient of whole numbers is a whole number; `+` also joins texts |
| `==` or `equals`, `!=`, `<`, `<=`, `>`, `>=` | for numbers or texts |
| `a contains b`, `b in a`, `b not in a` | for texts, lists and the names of maps |
| `b isIn a` | whether an entry of a list, or a name or value of a map, has the same text |
| `a is defined`, `a is not defined` | a test, see below |
| `not`, `and`, `or` | for conditions: false, 0, null and empty text are false |
| `a ? b : c` | `b` if `a` is true, otherwise `c` |

Their precedence is that of Kestra, from highest to lowest: `.` and `[]`, then `not` and the sign of a number, `..`,
`??` and `???`, `~`, `|`, `*`, `/` and `%`, `+` and `-`, comparisons, `is` and `contains` and `in`, `and`, `or`, `? :`.
So `a ?? b | upper` is `(a ?? b) | upper`. In flows for Kestra 2 `??`, `???` and `isIn` stand beside the comparisons, so
that it is `a ?? (b | upper)`: such flows are told by `kestra: 2` at their top, or by a Loop, a `when` or a function
that Kestra 1 has not. Where both readings of a text differ, a warning shows them.
"""


def expressions() -> Iterator[str]:
    """The chapter."""
    yield _HEAD
    yield "| function | | example |\n| --- | --- | --- |"
    for name, (purpose, example) in FUNCTIONS.items():
        yield f"| `{name}()` | {_in_cell(purpose)} | `{_in_cell(example)}` |"
    yield "\n| filter | yields | example | result |\n| --- | --- | --- | --- |"
    for name, known in FILTERS.items():
        yield f"| `{name}` | {known.purpose} | `{_in_cell(known.example)}` | `{_in_cell(known.result)}` |"
    yield f"\nTests: {_listed(TESTS)}."
    yield (
        "\nThe formats of `date` are the patterns of Java's DateTimeFormatter, with English names, and"
        f" {_listed(NAMES)}; the units of `dateAdd` are {_listed(UNITS)}. Both take `format`, `timeZone` and"
        " `existingFormat` (of a text that is not ISO 8601). Without a time zone it is UTC."
    )
    yield "\nNot supported, though Kestra has it:\n\n| name | instead |\n| --- | --- |"
    for name, reason in OTHER_NAMES.items():
        yield f"| `{name}` | {reason} |"
    for name, parts in OTHER_PARTS.items():
        for part, reason in parts.items():
            yield f"| `{name}.{part}` | {reason} |"
    for name, reason in OTHER_FUNCTIONS.items():
        yield f"| `{name}()` | {reason} |"
    for name, reason in OTHER_FILTERS.items():
        yield f"| `\\| {name}` | {reason} |"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "⏎")
