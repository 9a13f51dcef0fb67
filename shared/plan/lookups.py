"""What planning must know of the outside: files of namespaces, versions of blobs, texts, items of fan-outs.

Planning reads nothing itself. It asks `Lookups`; what is not known is noted as `MissingData`, is read by
`steps/prepare_round.py`, is written into the run document, and is used by every later planning. So two submitters never
disagree, and the record is made from the same plan as the job was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.documents.names import is_safe
from shared.documents.record import ItemRecord
from shared.documents.run import Run, SourceFile, TextRead
from shared.manifest.task import IfExists
from shared.patterns import matches_anywhere
from shared.settings import Settings


class NotKnownYet(Exception):  # noqa: N818 - it is no error: the text is looked at again later
    """What an expression needs is known in a later round, or must be read from outside first."""


@dataclass
class MissingData:
    """What must be read before a round can be planned; selections by task, addresses by their text."""

    namespace_files: dict[str, Selection] = field(default_factory=dict)
    namespace_items: dict[str, Selection] = field(default_factory=dict)
    etags: dict[str, BlobAddress] = field(default_factory=dict)
    texts: dict[str, BlobAddress] = field(default_factory=dict)
    items_of_fan_outs: bool = False

    def __bool__(self) -> bool:
        blobs = self.etags or self.texts
        return bool(self.namespace_files or self.namespace_items or blobs or self.items_of_fan_outs)


class Lookups:
    """What planning knows of the outside. A question without an answer is noted in `missing` and raises NotKnownYet."""

    def __init__(self, run: Run) -> None:
        self.missing = MissingData()
        self._known = run.body.outside
        self._items = run.items

    def namespace_files(self, task: str, selection: Callable[[], Selection]) -> tuple[SourceFile, ...]:
        """The namespace files that a task gets; `selection` is made only if they must be read."""
        if task not in self._known.namespace_files:
            self.missing.namespace_files[task] = selection()
            raise NotKnownYet
        return self._known.namespace_files[task]

    def namespace_items(self, task: str, selection: Callable[[], Selection]) -> tuple[str, ...]:
        """The paths of the namespace files that are the items of a fan-out."""
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


_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<place>[^/\s]*)/(?P<path>\S.*)", re.DOTALL)
_FETCHED = ("https", "http")
_KNOWN = "nsfile:///<path>, nsfile://<namespace>/<path>, blob://<container>/<path> and https://…"
_OTHERS = ("kestra", "file", "ftp", "s3", "gs", "gcs", "abfs", "abfss", "wasb", "wasbs", "az")


@dataclass(frozen=True)
class BlobAddress:
    """A blob of the storage account. Its text is what the run document knows it by."""

    container: str
    name: str

    def __str__(self) -> str:
        return f"{self.container}/{self.name}"


@dataclass(frozen=True)
class WebAddress:
    """A file that the node fetches itself."""

    url: str


def is_address(text: str) -> bool:
    """Whether the whole text is the address of a file, of a kind that is known or that Kestra knows."""
    match = _ADDRESS.fullmatch(text.strip())
    return match is not None and match["scheme"] in ("nsfile", "blob", *_FETCHED, *_OTHERS) and "\n" not in text.strip()


def read_address(text: str, namespace: str | None, settings: Settings) -> BlobAddress | WebAddress:
    """What an address means to a flow of that namespace. Raises ValueError if it may not be read, or means nothing."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"this is not the address of a file; use {_KNOWN}")
    scheme, place, path = match["scheme"], match["place"], match["path"]
    if scheme in _FETCHED and place:
        return WebAddress(text.strip())
    if not is_safe(path):
        raise ValueError(f"{path!r} is not the path of a file")
    if scheme == "nsfile":
        return namespace_file(path, place or namespace, settings)
    if scheme == "blob":
        if not settings.container_is_readable(place):
            raise ValueError(f"the container {place!r} cannot be read; ALLOWED_CONTAINERS would allow it")
        return BlobAddress(place, path)
    raise ValueError(f"{scheme}:// addresses are not supported; use {_KNOWN}")


def namespace_file(path: str, namespace: str | None, settings: Settings) -> BlobAddress:
    """A file of a namespace. Raises ValueError if no namespace is known."""
    if not namespace:
        raise ValueError("the flow has no `namespace` to take the file from")
    return BlobAddress(settings.containers.namespaces, f"{namespace}/{path}")


@dataclass(frozen=True)
class Chosen:
    """The files, each path once, and the paths that more than one namespace has."""

    files: tuple[SourceFile, ...]
    doubles: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """A task's `namespaceFiles`, rendered. Without `include` everything is taken that `exclude` does not leave out."""

    namespaces: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    if_exists: IfExists
    folder_per_namespace: bool

    def choose(self, listed: Mapping[str, Sequence[SourceFile]]) -> Chosen:
        """Choose among the files of each namespace; of two with one path, `if_exists` decides."""
        chosen: dict[str, SourceFile] = {}
        doubles = []
        for namespace in self.namespaces:
            for file in listed[namespace]:
                if not self._is_wanted(file.path):
                    continue
                path = f"{namespace}/{file.path}" if self.folder_per_namespace else file.path
                if path in chosen:
                    doubles.append(path)
                if path not in chosen or self.if_exists is IfExists.OVERWRITE:
                    chosen[path] = file.model_copy(update={"path": path})
        return Chosen(tuple(chosen.values()), tuple(doubles))

    def _is_wanted(self, path: str) -> bool:
        is_included = not self.include or any(matches_anywhere(glob, path) for glob in self.include)
        return is_included and not any(matches_anywhere(glob, path) for glob in self.exclude)
