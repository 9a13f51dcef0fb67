"""The version of a manifest or of a stored flow, as a run document holds it: its text, or why there is none."""

from __future__ import annotations

import codecs
import hashlib

from shared.documents.document import Document

MAX_BYTES = 1024 * 1024
"""The most bytes that a manifest may have."""


class ManifestBlob(Document):
    """The version of a blob, with a manifest or a stored flow, that a run executes.

    `text` is None if the blob is not UTF-8 or too large to be stored here; `unreadable` says why. The run is then
    rejected, and the blob is copied to the results by storage. `has_mark` says that the text began with a byte order
    mark, which its copy keeps.
    """

    name: str
    etag: str
    sha256: str | None
    text: str | None
    unreadable: str | None = None
    has_mark: bool = False


def manifest_blob(name: str, etag: str, content: bytes, what: str = "the manifest") -> ManifestBlob:
    """A version of a manifest, from its content; of a longer one, the first MAX_BYTES + 1 bytes suffice.

    `what` it is, in messages.
    """
    if len(content) > MAX_BYTES:
        too_large = f"{what} is larger than {MAX_BYTES >> 20} MiB; move texts into files, and name them in `inputFiles`"
        return ManifestBlob(name=name, etag=etag, sha256=None, text=None, unreadable=too_large)
    text, unreadable = _decoded(content, what)
    return ManifestBlob(
        name=name,
        etag=etag,
        sha256=hashlib.sha256(content).hexdigest(),
        text=text,
        unreadable=unreadable,
        has_mark=text is not None and content.startswith(codecs.BOM_UTF8),
    )


def _decoded(content: bytes, what: str) -> tuple[str | None, str | None]:
    """The text, or why there is none."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or content[:2].count(0) == 1:
        return None, f"{what} is text in UTF-16; save it as UTF-8"
    try:
        return content.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return None, f"{what} is not text in UTF-8: line {line} has a byte that is none; save it as UTF-8"
