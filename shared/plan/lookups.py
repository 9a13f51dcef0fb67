"""What a plan needs to know of the world outside: what is missing (`Needs`), and what was read (`ExternalData`).

Planning reads nothing. It says what it lacks; that is read, written into the run document, and used by every later
planning: so two submitters never disagree, and the record is made from the same plan as the job was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.documents.names import is_safe
from shared.documents.run import SourceFile
from shared.manifest.task import IfExists
from shared.settings import Settings


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
        raise ValueError(f"this is no address of a file; there is {_KNOWN}")
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
    raise ValueError(f"there are no {scheme}:// files here; there is {_KNOWN}")


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


_PART = re.compile(
    r"(?P<folders>\*\*/)|(?P<all>\*\*)|(?P<some>\*)|(?P<one>\?)|(?P<set>\[[^\]/]+\])|(?P<text>.)", re.DOTALL
)

_REGEX = {"folders": "(?:.*/)?", "all": ".*", "some": "[^/]*", "one": "[^/]"}


def matches(glob: str, path: str) -> bool:
    """Whether the whole path is matched."""
    regex = "".join(_regex(part) for part in _PART.finditer(glob))
    return re.fullmatch(regex, path, re.DOTALL) is not None


def matches_anywhere(glob: str, path: str) -> bool:
    """The same, but a glob without a slash matches a name in any folder."""
    return matches(glob if "/" in glob else f"**/{glob}", path)


def _regex(part: re.Match[str]) -> str:
    kind = part.lastgroup or "text"
    if kind == "set":
        return re.escape(part.group()).replace("\\[!", "[^").replace("\\[", "[").replace("\\]", "]").replace("\\-", "-")
    return _REGEX.get(kind) or re.escape(part.group())
