"""The external data that planning needs: files of namespaces, versions of blobs, texts, items of fan-outs.

Planning reads nothing itself. It asks `Lookups`, which notes missing data as `MissingData`. `steps/prepare_round.py`
reads that and writes it into the run document, and every later planning uses it. Therefore two submitters always plan
the same, and the record is based on the same plan as the job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.documents.external_data import SourceFile, TextRead
from shared.documents.run import Run
from shared.documents.task_result import ItemRecord
from shared.manifest.addresses import parsed_address
from shared.manifest.task import IfExists
from shared.patterns import matches_namespace_file
from shared.settings import Settings


class NotKnownYet(Exception):  # noqa: N818 - not an error: the text is rendered later
    """A value that an expression uses is known only in a later round, or must first be read by the app."""


@dataclass
class MissingData:
    """The data that must be read before a round can be planned: selections by task, addresses by their text."""

    namespace_files: dict[str, Selection] = field(default_factory=dict)
    namespace_items: dict[str, Selection] = field(default_factory=dict)
    etags: dict[str, BlobAddress] = field(default_factory=dict)
    texts: dict[str, BlobAddress] = field(default_factory=dict)
    items_of_fan_outs: bool = False

    def __bool__(self) -> bool:
        blobs = self.etags or self.texts
        return bool(self.namespace_files or self.namespace_items or blobs or self.items_of_fan_outs)


class Lookups:
    """The external data that planning knows. Asking for unknown data notes it in `missing` and raises NotKnownYet."""

    def __init__(self, run: Run) -> None:
        self.missing = MissingData()
        self._known = run.body.outside
        self._items = run.items

    def namespace_files(self, task: str, selection: Callable[[], Selection]) -> tuple[SourceFile, ...]:
        """The namespace files that a task gets; `selection` is called only if they must be read."""
        if task not in self._known.namespace_files:
            self.missing.namespace_files[task] = selection()
            raise NotKnownYet
        return self._known.namespace_files[task]

    def namespace_items(self, task: str, selection: Callable[[], Selection]) -> tuple[str, ...]:
        """The paths of the namespace files that are the items of a fan-out; `selection` is called only if needed."""
        if task not in self._known.namespace_items:
            self.missing.namespace_items[task] = selection()
            raise NotKnownYet
        return self._known.namespace_items[task]

    def etag(self, address: BlobAddress) -> str | None:
        """The version of a blob; None if it does not exist."""
        if str(address) not in self._known.etags:
            self.missing.etags[str(address)] = address
            raise NotKnownYet
        return self._known.etags[str(address)]

    def text(self, address: BlobAddress) -> TextRead:
        """The text of a blob."""
        if str(address) not in self._known.texts:
            self.missing.texts[str(address)] = address
            raise NotKnownYet
        return self._known.texts[str(address)]

    def items(self, fan_out: str) -> tuple[ItemRecord, ...]:
        """How the items of a fan-out ended."""
        if self._items is None:
            self.missing.items_of_fan_outs = True
            raise NotKnownYet
        return self._items.get(fan_out, ())


@dataclass(frozen=True)
class BlobAddress:
    """A blob of the storage account. Its text, `<container>/<name>`, is its key in the run document."""

    container: str
    name: str

    def __str__(self) -> str:
        return f"{self.container}/{self.name}"


@dataclass(frozen=True)
class WebAddress:
    """A file that the node fetches itself."""

    url: str


def read_address(text: str, namespace: str | None, settings: Settings) -> BlobAddress | WebAddress:
    """Parse the address of a file in a flow of that namespace. Raises ValueError if it is invalid or not allowed."""
    address = parsed_address(text)
    if address.is_web:
        return WebAddress(address.text)
    if address.scheme == "nsfile":
        return namespace_file(address.path, address.place or namespace, settings)
    return _blob(address.place, address.path, settings)


def _blob(container: str, path: str, settings: Settings) -> BlobAddress:
    if settings.container_is_readable(container):
        return BlobAddress(container, path)
    reason = "ALLOWED_CONTAINERS does not allow it"
    if settings.container_is_own(container):
        uploads = settings.containers.uploads
        reason = f"of the app's own only {uploads!r} can, and namespaces by nsfile://<namespace>/<path>"
    raise ValueError(f"the container {container!r} cannot be read; {reason}")


def namespace_file(path: str, namespace: str | None, settings: Settings) -> BlobAddress:
    """The address of a file of a namespace. Raises ValueError if the flow has no namespace."""
    if not namespace:
        raise ValueError("the flow has no `namespace` to take the file from")
    return BlobAddress(settings.containers.namespaces, f"{namespace}/{path}")


@dataclass(frozen=True)
class ChosenFiles:
    """The files that a selection chose, each path once, and the paths that more than one namespace has.

    `unmatched` are the patterns that no file has matched, by their place in the property.
    """

    files: tuple[SourceFile, ...]
    duplicates: tuple[str, ...]
    unmatched: Mapping[tuple[str, int], str]


@dataclass(frozen=True)
class Selection:
    """A task's `namespaceFiles`, rendered. Without `include`, every file is chosen that `exclude` does not match."""

    namespaces: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    if_exists: IfExists
    folder_per_namespace: bool

    def choose(self, listed: Mapping[str, Sequence[SourceFile]]) -> ChosenFiles:
        """Choose from the files of each namespace; `if_exists` decides between files with the same path."""
        chosen: dict[str, SourceFile] = {}
        duplicates = []
        for namespace in self.namespaces:
            for file in listed[namespace]:
                if not self._is_wanted(file.path):
                    continue
                path = f"{namespace}/{file.path}" if self.folder_per_namespace else file.path
                if path in chosen:
                    duplicates.append(path)
                if path not in chosen or self.if_exists is IfExists.OVERWRITE:
                    chosen[path] = file.model_copy(update={"path": path})
        return ChosenFiles(tuple(chosen.values()), tuple(duplicates), self._unmatched(listed))

    def _unmatched(self, listed: Mapping[str, Sequence[SourceFile]]) -> dict[tuple[str, int], str]:
        paths = {file.path for namespace in self.namespaces for file in listed[namespace]}
        return {
            (name, index): pattern
            for name, patterns in (("include", self.include), ("exclude", self.exclude))
            for index, pattern in enumerate(patterns)
            if not any(matches_namespace_file(pattern, path) for path in paths)
        }

    def _is_wanted(self, path: str) -> bool:
        is_included = not self.include or any(matches_namespace_file(pattern, path) for pattern in self.include)
        return is_included and not any(matches_namespace_file(pattern, path) for pattern in self.exclude)
