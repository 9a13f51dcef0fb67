"""The addresses of files in a manifest: their form. What a run may read is decided where it is planned."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.documents.names import is_safe

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<place>[^/\s]*)(?:/(?P<path>.*))?|(?P<rest>/?\S+))")
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]*")  # as `namespace` of a flow
_SUPPORTED = "nsfile:///<path>, nsfile://<namespace>/<path>, blob://<container>/<path> and https://…"
_LOOPBACK = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?", re.IGNORECASE)
"""What needs no encryption: a service on the machine of a local stack."""
_OWN_SCHEMES = ("nsfile", "blob")
_UNSUPPORTED_SCHEMES = ("kestra", "file", "ftp", "s3", "gs", "gcs", "abfs", "abfss", "wasb", "wasbs", "az")


@dataclass(frozen=True)
class Address:
    """An address of a supported form.

    `place` is a namespace (empty for that of the flow), a container or a host; `path` of a web address has its query.
    `text` is the whole address, with its scheme in lower case.
    """

    scheme: str
    place: str
    path: str
    text: str

    @property
    def is_web(self) -> bool:
        """Whether it is a web address."""
        return self.scheme not in _OWN_SCHEMES

    @property
    def extension(self) -> str:
        """What the name of the file ends in from its last dot, in lower case; empty without a dot."""
        path = re.split(r"[?#]", self.path, maxsplit=1)[0] if self.is_web else self.path
        _, dot, ending = path.rpartition("/")[2].rpartition(".")
        return (dot + ending).lower() if dot else ""


def is_address(text: str) -> bool:
    """Whether the whole text is the address of a file, of a scheme that is supported here or known from Kestra."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        return False
    scheme = match["scheme"].lower()
    return scheme in _OWN_SCHEMES or (match["rest"] is None and scheme in ("https", "http", *_UNSUPPORTED_SCHEMES))


def parsed_address(text: str) -> Address:
    """An address by its parts. Raises ValueError if its form is not one of those that are supported."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"this is not the address of a file; use {_SUPPORTED}")
    scheme, place, path = match["scheme"].lower(), match["place"] or "", match["path"] or ""
    rest = text.strip()[len(scheme) :]
    if place and (scheme == "https" or (scheme == "http" and _LOOPBACK.fullmatch(place))):
        return Address(scheme, place, path, scheme + rest)
    if scheme == "http" and place:
        raise ValueError(f"files are fetched by https:// only; write https{rest}")
    if scheme not in _OWN_SCHEMES:
        raise ValueError(f"{scheme}:// addresses are not supported; use {_SUPPORTED}")
    if not path or (scheme == "blob" and not place):
        raise ValueError(f"{text.strip()!r} names no file; use {_SUPPORTED}")
    if not is_safe(path):
        raise ValueError(f"{path!r} is not the path of a file")
    if scheme == "nsfile" and place and not _NAMESPACE.fullmatch(place):
        raise ValueError(f"{place!r} is not a namespace; use {_SUPPORTED}")
    return Address(scheme, place, path, scheme + rest)
