"""Labels: a map, or Kestra's list of keys and values."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from shared.manifest.types import Properties, Text


class Label(Properties):
    """A label, as an entry of a list."""

    key: Text
    value: Text


def _as_labels(value: object) -> object:
    """The labels as a map; Kestra also has them as a list of keys and values."""
    if isinstance(value, list) and all(isinstance(label, dict) and set(label) == {"key", "value"} for label in value):
        if any(isinstance(label["key"], dict | list) for label in value):
            raise ValueError("the key of a label must be text")
        return {str(label["key"]): label["value"] for label in value}
    return value


Labels = Annotated[dict[str, Text], BeforeValidator(_as_labels, json_schema_input_type=dict[str, Text] | list[Label])]
