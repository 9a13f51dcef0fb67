"""The filters of expressions: Kestra's, with its semantics, as far as they are bounded.

Null goes through all of them unchanged, except `default`, `length` and `toJson`.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.expressions._list_filters import LIST_FILTERS
from shared.expressions._text_filters import TEXT_FILTERS
from shared.expressions.dates import DATE_FILTERS
from shared.expressions.values import Filter

FILTERS: Mapping[str, Filter] = {**TEXT_FILTERS, **LIST_FILTERS, **DATE_FILTERS}


OTHER_FILTERS: Mapping[str, str] = {
    "jq": "take the parts by name, as in `fromJson(x).name[0]`, or call jq in the commands",
    "jsonEncode": "this is the old name of `toJson`",
    "className": "there are no classes",
    "toIon": "use JSON",
    "yaml": "use `toJson`: JSON is YAML",
    "number_format": "format it in the commands",
    "numberFormat": "format it in the commands",
}

"""Kestra's filters that are not here, and what to do instead."""
