"""Reads what planning asks of blobs by their addresses: their versions, and their texts."""

from __future__ import annotations

from shared.app import App
from shared.documents.external_data import ExternalData, TextRead
from shared.parallel import in_parallel
from shared.plan.lookups import MissingData

MAX_READINGS = 10
MAX_TEXT_BYTES = 128 * 1024
MAX_TEXTS_BYTES = 1024 * 1024


def read_blobs(app: App, missing: MissingData, known: ExternalData) -> ExternalData:
    """The versions and texts that are missing; `known` is what has been read before."""
    etags = in_parallel(app.sources.etag, missing.etags.values())
    texts = in_parallel(lambda address: app.sources.text(address, MAX_TEXT_BYTES), missing.texts.values())
    return ExternalData(
        etags=dict(zip(missing.etags, etags, strict=True)),
        texts=_bounded(dict(zip(missing.texts, texts, strict=True)), known),
    )


def _bounded(texts: dict[str, TextRead], known: ExternalData) -> dict[str, TextRead]:
    """The texts, with a problem in place of those that exceed the size that the run document can hold."""
    size = sum(len(read.text) for read in known.texts.values())
    for name, read in texts.items():
        size += len(read.text)
        if size > MAX_TEXTS_BYTES:
            texts[name] = TextRead(problem=f"a flow can read at most {MAX_TEXTS_BYTES >> 20} MiB in total")
    return texts
