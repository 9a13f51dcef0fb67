"""What a manifest of `tests/fixtures/manifests` must end as: `<name>.expected.yaml` beside it.

    record:                  # a part of record.json: what is not named here may be anything;
      state: SUCCESS         # but `errors` and `warnings` are empty unless named
    files:                   # texts in the run's folder, whole
      logs/t/stdout.txt: ""
    cancelWhenRuns: 2        # the run is cancelled once this task of its first job runs, counted from 1

A list must have as many entries as the record's. `!contains text` is a part of a text, `!exactly {…}` a map without
other names, `!any` any value that is not null; `${runId}` stands for the run's id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MANIFESTS = Path(__file__).parents[1] / "fixtures" / "manifests"
_SUFFIX = ".expected.yaml"


@dataclass(frozen=True)
class Expected:
    """What is expected of a run."""

    record: dict[str, Any]
    files: dict[str, Any] = field(default_factory=dict)
    cancel_when_runs: int | None = None


@dataclass(frozen=True)
class Contains:
    """Any text with this part."""

    part: str


@dataclass(frozen=True)
class Exactly:
    """A map of these names and no others."""

    map: dict[str, Any]


class Any_:  # noqa: N801 - `Any` is taken
    """Whatever is not null."""


class _Loader(yaml.SafeLoader):
    """YAML with the tags above."""


_Loader.add_constructor("!contains", lambda loader, node: Contains(loader.construct_scalar(node)))
_Loader.add_constructor("!exactly", lambda loader, node: Exactly(loader.construct_mapping(node, deep=True)))
_Loader.add_constructor("!any", lambda _loader, _node: Any_())


def manifests() -> list[str]:
    """The manifests by their path without suffix: `<group>/<name>`."""
    return sorted(
        str(path.relative_to(MANIFESTS)).removesuffix(path.suffix)
        for path in MANIFESTS.rglob("*.*")
        if not path.name.endswith(_SUFFIX)
    )


def manifest_of(name: str) -> Path:
    """The file of a manifest."""
    (path,) = (path for path in (MANIFESTS / f"{name}{suffix}" for suffix in (".yaml", ".json")) if path.exists())
    return path


def expected_of(name: str, run_id: str = "") -> Expected:
    """What is expected of the run of a manifest."""
    text = (MANIFESTS / f"{name}{_SUFFIX}").read_text().replace("${runId}", run_id)
    data = yaml.load(text, _Loader)  # a SafeLoader with three more tags
    cancel = data.pop("cancelWhenRuns", None)
    record = {"errors": [], "warnings": [], **data.pop("record")}
    return Expected(record=record, files=data.pop("files", {}), cancel_when_runs=cancel, **data)


def differences(expected: object, actual: object, where: str) -> Iterator[str]:
    """In what way something is not as expected; `where` it stands."""
    match expected:
        case Any_() if actual is not None:
            pass
        case Contains(part) if isinstance(actual, str) and part in actual:
            pass
        case Exactly(names) if isinstance(actual, dict) and names.keys() == actual.keys():
            yield from differences(names, actual, where)
        case dict() if isinstance(actual, dict):
            for name, value in expected.items():
                yield from differences(value, actual.get(name), f"{where}.{name}")
        case list() if isinstance(actual, list) and len(actual) == len(expected):
            for index, value in enumerate(expected):
                yield from differences(value, actual[index], f"{where}[{index}]")
        case _ if type(expected) is not type(actual) or expected != actual:
            yield f"{where}: expected {expected!r}, found {actual!r}"
