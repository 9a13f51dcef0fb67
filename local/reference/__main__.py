"""Writes what is documented of the manifest, the record and the status: `python -m local.reference`, `make docs`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from local.reference.page import page
from local.reference.schemas import Schema, manifest_schema, schema_of
from shared.documents.record import Items, Record, Status

DOCS = Path(__file__).parent.parent.parent / "docs"


def reference() -> Mapping[str, str]:
    """By file name in docs/, what it should hold."""
    return {
        "manifest.schema.json": _as_text(manifest_schema()),
        "record.schema.json": _as_text(schema_of(Record, "serialization")),
        "tasks.schema.json": _as_text(schema_of(Items, "serialization")),
        "status.schema.json": _as_text(schema_of(Status, "serialization")),
        "manifest.md": page(),
    }


def _as_text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files."""
    for name, text in reference().items():
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
