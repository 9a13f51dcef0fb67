"""The files of a crate: those that were fetched, and those that the run was given by their addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from batchrun.client.crate._graph import Entity, entity, is_masked, path_id, refs
from shared.documents.task_result import OutputFile
from shared.manifest.addresses import parsed_address

_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
UNKNOWN = "application/octet-stream"
_TYPES = {
    "application/geo+json": "geojson",
    "application/gzip": "gz tgz",
    "application/json": "json ipynb",
    "application/pdf": "pdf",
    "application/sql": "sql",
    "application/vnd.apache.arrow.file": "arrow feather",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.sqlite3": "sqlite sqlite3",
    "application/x-7z-compressed": "7z",
    "application/x-bzip2": "bz2",
    "application/x-hdf5": "h5 hdf5",
    "application/x-ndjson": "jsonl ndjson",
    "application/x-netcdf": "nc",
    "application/x-tar": "tar",
    "application/x-xz": "xz",
    "application/xml": "xml xsd xsl",
    "application/yaml": "yaml yml",
    "application/zip": "zip",
    "application/zstd": "zst",
    "audio/mpeg": "mp3",
    "audio/x-wav": "wav",
    "image/gif": "gif",
    "image/jpeg": "jpg jpeg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif tiff",
    "image/webp": "webp",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html htm",
    "text/javascript": "js mjs",
    "text/markdown": "md",
    "text/plain": "txt log",
    "text/tab-separated-values": "tsv",
    "text/x-python": "py",
    "text/x-r": "r",
    "text/x-shellscript": "sh",
    "video/mp4": "mp4",
}
_BY_ENDING = {f".{ending}": name for name, endings in _TYPES.items() for ending in endings.split()}
"""By the ending of a file's name; not those of Python's `mimetypes`, which differ by machine and version."""


def media_type(path: str) -> str:
    """The media type of a file, by its name."""
    return _BY_ENDING.get(PurePosixPath(path).suffix.lower(), UNKNOWN)


@dataclass
class DataFiles:
    """The files that were fetched, with their sizes; and what is said of each, by its path."""

    sizes: Mapping[str, int]
    made: dict[str, tuple[str, OutputFile]] = field(default_factory=dict)
    """By path, the name in the working directory of the task that made it, and what the record has of it."""
    about: dict[str, str] = field(default_factory=dict)
    """By path, the action that a log or another trace is about."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    """By path or id, the parameters of the flow that it is a value of."""

    given: dict[str, Entity] = field(default_factory=dict)
    """By their ids, the files that the run was given by their addresses."""

    def give(self, address: object, namespace: str | None, parameter: str | None = None) -> str | None:
        """The id of a file that the run was given, and that is a value of a parameter; None if it is no address."""
        file = None if is_masked(address) else _given_file(address, namespace)
        if file is None:
            return None
        name = str(file["@id"])
        self.given.setdefault(name, file)
        if parameter:
            self.examples.setdefault(name, []).append(parameter)
        return name

    def entities(self) -> Iterator[Entity]:
        """All of them as entities."""
        yield from map(self.entity, self.sizes)
        for name, file in self.given.items():
            yield {**file, **entity(name, "File", {"exampleOfWork": refs(self.examples.get(name, ()))})}

    def results(self, files: Mapping[str, OutputFile]) -> list[str]:
        """The ids of those of the files of a task that were fetched."""
        here = {name: file for name, file in files.items() if file.blob in self.sizes}
        self.made |= {file.blob: (name, file) for name, file in here.items()}
        return [path_id(file.blob) for file in here.values()]

    def trace(self, paths: Iterable[str | None], action: str) -> None:
        """Files that the app has written of an action, if they were fetched."""
        self.about |= {path: action for path in paths if path is not None and path in self.sizes}

    def entity(
        self, path: str, types: str | Sequence[str] = "File", properties: Mapping[str, object] | None = None
    ) -> Entity:
        """A file as an entity."""
        name, made = self.made.get(path, (PurePosixPath(path).name, None))
        described = {
            "name": name,
            "contentSize": str(self.sizes[path]),
            "encodingFormat": media_type(path),
            "md5": made and made.md5,
            "about": refs([self.about[path]] if path in self.about else []),
            "exampleOfWork": refs(self.examples.get(path, ())),
        }
        return entity(
            path_id(path), types if isinstance(types, str) else list(types), {**described, **(properties or {})}
        )


def _given_file(address: object, namespace: str | None) -> Entity | None:
    """The entity of a file by its address; None if it is no address.

    The query of a web address, which may be a signature, and what stands before its host are left out.
    """
    try:
        found = parsed_address(str(address))
    except ValueError:
        return None
    if not found.is_web:
        place = found.place or ((namespace or "") if found.scheme == "nsfile" else "")
        return _given(f"{found.scheme}://{place}/{path_id(found.path)}", found.path)
    parts = urlsplit(found.text)
    host = parts.netloc.rpartition("@")[2]
    path = _STRAY_PERCENT.sub("%25", "%".join(map(path_id, parts.path.split("%"))))
    shortened = "Its address had a query, which may be a credential and is left out." if parts.query else None
    return _given(f"{found.scheme}://{quote(host, safe=':[]')}{path}", unquote(parts.path) or host, shortened)


def _given(name: str, path: str, description: str | None = None) -> Entity:
    properties = {
        "name": PurePosixPath(path).name or path,
        "description": description,
        "encodingFormat": media_type(path),
    }
    return entity(name, "File", properties)
