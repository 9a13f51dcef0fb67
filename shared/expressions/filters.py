"""The filters and the tests of expressions: those of Kestra whose work is bounded.

Filters return null for null, except `default`, `length` and `toJson`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from shared.expressions._jq import JQ_FILTERS
from shared.expressions._list_filters import LIST_FILTERS
from shared.expressions._regex_filters import REGEX_FILTERS
from shared.expressions._text_filters import TEXT_FILTERS
from shared.expressions.dates import DATE_FILTERS
from shared.expressions.values import ExpressionError, Filter, Missing, is_empty, spend, text_of

FILTERS: Mapping[str, Filter] = {**TEXT_FILTERS, **REGEX_FILTERS, **LIST_FILTERS, **JQ_FILTERS, **DATE_FILTERS}


OTHER_FILTERS: Mapping[str, str] = {
    "jsonEncode": "this is the old name of `toJson`",
    "className": "values have no classes here",
    "toIon": "use JSON",
    "yaml": "use `toJson`: JSON is YAML",
    "number_format": "format it in the commands",
    "numberFormat": "format it in the commands",
}

"""Filters of Kestra that do not exist here, and what to use instead."""


def _whole(value: Any) -> int:  # noqa: ANN401 - values of any type
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExpressionError(f"{text_of(value)!r} is neither even nor odd")
    return value


def _is_json(value: Any) -> bool:  # noqa: ANN401 - values of any type
    """As JsonTest.java of Kestra: Jackson reads the first value and ignores what follows; '' is no mistake."""
    if not isinstance(value, str):
        raise ExpressionError(f"only a text may be JSON or not, {text_of(value)[:_SHOWN]!r} is none")
    spend(20 * len(value))
    text = value.lstrip(" \t\r\n")
    try:
        found, end = _DECODER.raw_decode(text) if text else ("", 0)
    except ValueError:
        return False
    after = text[end : end + 1]
    if isinstance(found, bool) or found is None:
        return not (after.isalnum() or after in ("_", "$"))
    return not isinstance(found, int | float) or after in ("", " ", "\t", "\r", "\n")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_SHOWN = 40

TESTS: Mapping[str, Callable[[Any], bool]] = {
    "defined": lambda value: not isinstance(value, Missing),
    "null": lambda value: value is None,
    "empty": is_empty,
    "even": lambda value: _whole(value) % 2 == 0,
    "odd": lambda value: _whole(value) % 2 == 1,
    "iterable": lambda value: isinstance(value, list),
    "json": _is_json,
    "map": lambda value: isinstance(value, Mapping),
}

"""The tests, which follow `is` and `is not`."""
