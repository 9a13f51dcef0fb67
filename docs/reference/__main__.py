"""Writes the reference of the manifest, and the JSON Schemas: `python -m docs.reference`, `make docs`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from docs.reference.page import page
from docs.reference.schemas import Schema, manifest_schema, schema_of
from shared.documents.card import AppCard
from shared.documents.ledger import LedgerLine
from shared.documents.record import Items, Record
from shared.documents.run_ended import RunEnded
from shared.documents.status import Status

DOCS = Path(__file__).parents[1]


def reference() -> Mapping[str, str]:
    """The content of each generated file, by its name in docs/."""
    return {
        "manifest.schema.json": _as_text(manifest_schema()),
        "record.schema.json": _as_text(schema_of(Record, "serialization")),
        "tasks.schema.json": _as_text(schema_of(Items, "serialization")),
        "status.schema.json": _as_text(schema_of(Status, "serialization")),
        "run-ended.schema.json": _as_text(schema_of(RunEnded, "serialization")),
        "ledger.schema.json": _as_text(schema_of(LedgerLine, "serialization")),
        "app.schema.json": _as_text(schema_of(AppCard, "serialization")),
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
