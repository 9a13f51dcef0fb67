"""What planning has read from outside, as run documents hold it: two plannings of a run see the same."""

from __future__ import annotations

from pydantic import Field

from shared.documents.document import Document


class SourceFile(Document):
    """One version of a blob that a task gets, at `path` in its working directory.

    Without `container`, the blob is in the namespaces container.
    """

    blob: str
    etag: str
    path: str
    container: str | None = None


class TextRead(Document):
    """The text that `read()` returns; or the `problem` if it cannot be read."""

    text: str = ""
    problem: str | None = None


class ExternalData(Document):
    """What has been read so far for planning.

    By task: its namespace files, and the files that are the items of a fan-out. By address: the ETag of a blob (None if
    the blob does not exist), and the text of a file.
    """

    namespace_files: dict[str, tuple[SourceFile, ...]] = Field(default_factory=dict)
    namespace_items: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    etags: dict[str, str | None] = Field(default_factory=dict)
    texts: dict[str, TextRead] = Field(default_factory=dict)

    def joined(self, other: ExternalData) -> ExternalData:
        """The union of both; `other` has precedence."""
        return ExternalData(
            namespace_files={**self.namespace_files, **other.namespace_files},
            namespace_items={**self.namespace_items, **other.namespace_items},
            etags={**self.etags, **other.etags},
            texts={**self.texts, **other.texts},
        )

    def without_files(self) -> ExternalData:
        """Everything but the versions of files: what is still valid after a file has changed while it was staged."""
        return self.model_copy(update={"namespace_files": {}, "etags": {}})
