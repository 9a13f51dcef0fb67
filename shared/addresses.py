"""Addresses of files that a manifest may name: `nsfile:///path`, `blob://container/path`, `https://…`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.outputs import is_safe

if TYPE_CHECKING:
    from shared.settings import Settings

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
