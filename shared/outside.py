"""What a plan needs to know of the world outside: what is missing (`Needs`), and what was read (`Outside`).

Planning reads nothing. It says what it lacks; that is read, written into the run document, and used by every later
planning: so two submitters never disagree, and the record is made from the same plan as the job was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import Field

from shared.documents import Document

if TYPE_CHECKING:
    from shared.addresses import BlobAddress
    from shared.namespace_files import Selection


class SourceFile(Document):
    """One version of a blob that a task gets, at `path` in its working directory.

    Without a `container` it lies in the namespaces container.
    """

    blob: str
    etag: str
    path: str
    container: str | None = None


class TextRead(Document):
    """What `read()` gives; or why it cannot be read."""

    text: str = ""
    problem: str | None = None


class Outside(Document):
    """What was read.

    By task: its namespace files, and the files that a fan-out has for items. By address: the ETag of a blob (None if
    it does not exist), and the text of a file.
    """

    namespace_files: dict[str, tuple[SourceFile, ...]] = Field(default_factory=dict)
    namespace_items: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    etags: dict[str, str | None] = Field(default_factory=dict)
    texts: dict[str, TextRead] = Field(default_factory=dict)

    def joined(self, other: Outside) -> Outside:
        """What both know."""
        return Outside(
            namespace_files={**self.namespace_files, **other.namespace_files},
            namespace_items={**self.namespace_items, **other.namespace_items},
            etags={**self.etags, **other.etags},
            texts={**self.texts, **other.texts},
        )

    def without_files(self) -> Outside:
        """What still holds after a file has changed while it was staged: all but the versions of files."""
        return self.model_copy(update={"namespace_files": {}, "etags": {}})


@dataclass
class Needs:
    """What must be read before a round can be planned."""

    namespace_files: dict[str, Selection] = field(default_factory=dict)
    namespace_items: dict[str, Selection] = field(default_factory=dict)
    etags: dict[str, BlobAddress] = field(default_factory=dict)
    texts: dict[str, BlobAddress] = field(default_factory=dict)
    items_of_fan_outs: bool = False

    def __bool__(self) -> bool:
        blobs = self.etags or self.texts
        return bool(self.namespace_files or self.namespace_items or blobs or self.items_of_fan_outs)
