"""What a person gives to a flow on the command line: `-i NAME=VALUE`, `--label NAME=VALUE`.

A value is text, which the app converts by the type of the input. Of an input of type FILE, `@` and the path of a file
on this machine stand for the address that the file gets when it is uploaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchrun.client._uploads import LocalData
from batchrun.errors import UsageError, printable
from shared.errors import ManifestError, did_you_mean
from shared.manifest.addresses import is_address
from shared.manifest.inputs import InputType
from shared.manifest.read import BrokenManifest, Manifest, read_manifest

FILE = "@"
_CONTENT = (InputType.JSON, InputType.YAML, InputType.ARRAY, InputType.MULTISELECT)
_UNPAIRED = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Values:
    """Values by the ids of inputs; `files` are those that are uploaded, and whose addresses are the values."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, LocalData] = field(default_factory=dict)

    @property
    def is_any(self) -> bool:
        """Whether there is one."""
        return bool(self.inputs or self.labels)

    def blobs(self, container: str) -> frozenset[str]:
        """The blobs that the files become in a container, whose name they begin with."""
        return frozenset(f"{container}/{file.blob}" for file in self.files.values())

    def with_addresses(self, container: str) -> Mapping[str, str]:
        """The values of all inputs, where files go to this container."""
        return {
            name: self.files[name].address(container) if name in self.files else self.inputs[name]
            for name in self.inputs
        }


NO_VALUES = Values()


@dataclass(frozen=True)
class Given:
    """The options as they were typed, and what is wrong with them by themselves."""

    inputs: Mapping[str, str]
    labels: Mapping[str, str]
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, inputs: Sequence[str], labels: Sequence[str]) -> Given:
        """Read the options."""
        problems: list[str] = []
        return cls(_pairs("-i", inputs, problems), _pairs("--label", labels, problems), tuple(problems))

    @property
    def is_any(self) -> bool:
        """Whether something is given."""
        return bool(self.inputs or self.labels or self.problems)

    def to(self, types: Mapping[str, InputType] | None) -> Values:
        """What is given to a flow with inputs of these types; None if they are not known.

        Raises UsageError with everything that is wrong.
        """
        problems = list(self.problems)
        files: dict[str, LocalData] = {}
        for name, value in self.inputs.items():
            if types is not None and name not in types:
                hint = did_you_mean(name, types) or (f"; it has: {', '.join(sorted(types))}" if types else "")
                problems.append(f"-i {printable(name)}: the flow has no {'such input' if types else 'inputs'}{hint}")
                continue
            try:
                if file := _file(name, value, types[name] if types is not None else None):
                    files[name] = file
            except UsageError as error:
                problems.append(f"-i {printable(name)}: {error}")
        if problems:
            raise UsageError("\n".join(problems))
        return Values(self.inputs, self.labels, files)


def input_types(text: str, name: str) -> Mapping[str, InputType] | None:
    """The types of the inputs of a flow by their ids; None if the text does not tell all of them."""
    manifest = what_is_readable(text, name)
    if manifest is None or "inputs" in manifest.gaps.values:
        return None
    return {declared.id: declared.type for declared in manifest.flow.inputs}


def what_is_readable(text: str | None, name: str, *, stored: bool = False) -> Manifest | None:
    """A flow, or what is left of it without its mistakes; None if nothing is. Only a `stored` one has triggers."""
    try:
        return read_manifest(text, name, stored=stored) if text is not None else None
    except BrokenManifest as broken:
        return broken.rest
    except ManifestError:
        return None


def _pairs(option: str, texts: Sequence[str], problems: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            problems.append(f"{option} {printable(text)}: write NAME=VALUE")
        elif _UNPAIRED.search(text):
            problems.append(f"{option} {printable(name)}: this is not text in UTF-8")
        elif name in found:
            problems.append(f"{option} {printable(name)} is given twice")
        else:
            found[name] = value
    return found


def _file(name: str, value: str, kind: InputType | None) -> LocalData | None:
    """The file that a value means; None if it is a value. Raises UsageError for what can be neither."""
    path = value.removeprefix(FILE)
    if kind not in (InputType.FILE, None):
        if value.startswith(FILE) and kind in _CONTENT:
            raise UsageError(
                f"only inputs of type FILE take a file by @, its type is {kind.value}; to give what a file contains:"
                f' -i {name}="$(cat FILE)"'
            )
        return None
    if value.startswith(FILE):
        return LocalData.of(Path(path))
    if kind is InputType.FILE and not is_address(value) and Path(value).is_file():
        raise UsageError(f"its type is FILE; to upload a file of this machine: -i {name}=@{value}")
    return None
