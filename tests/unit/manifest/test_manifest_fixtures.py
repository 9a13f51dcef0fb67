"""The manifests of `tests/fixtures/manifests` show the whole language; `tests/e2e/test_manifests.py` runs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from shared.documents.states import JobReason, State
from shared.errors import ManifestError
from shared.manifest._names import models_in
from shared.manifest._source import parse
from shared.manifest.flow import Flow
from tests.support.expected import expected_of, manifest_of, manifests

if TYPE_CHECKING:
    from pydantic import BaseModel

NAMES = manifests()


def models() -> set[type[BaseModel]]:
    """Everything that a flow is made of."""
    found: set[type[BaseModel]] = set()
    todo: list[type[BaseModel]] = [Flow]
    while todo:
        if (model := todo.pop()) not in found:
            found.add(model)
            todo += [inner for field in model.model_fields.values() for inner in models_in(field)]
    return found


def names_in(data: object) -> Iterator[str]:
    """The names of all maps in some data."""
    match data:
        case dict():
            yield from map(str, data)
            for value in data.values():
                yield from names_in(value)
        case list():
            for value in data:
                yield from names_in(value)


def used_names(name: str) -> set[str]:
    """The names in a manifest; none if it cannot be read."""
    path = manifest_of(name)
    try:
        return set(names_in(parse(path.read_text(), as_json=path.suffix == ".json").data))
    except ManifestError:
        return set()


def test_every_property_stands_in_a_manifest() -> None:
    """By name: where two things have a property of the same name, one of them is enough."""
    used = set().union(*map(used_names, NAMES))
    properties = {(model.__name__, field.alias) for model in models() for field in model.model_fields.values()}
    assert sorted(each for each in properties if each[1] not in used) == []


def test_every_outcome_and_every_reason_for_a_job_is_expected_of_a_manifest() -> None:
    expected = [expected_of(name).record for name in NAMES]
    tasks = [task for record in expected for task in record.get("tasks", [])]
    jobs = [job for record in expected for job in record.get("jobs", [])]
    ended = set(State) - {State.QUEUED, State.RUNNING}
    assert {record["state"] for record in expected} >= ended - {State.SKIPPED}
    assert {task.get("state") for task in tasks} >= ended - {State.REJECTED}
    assert {job.get("reason") for job in jobs} >= set(JobReason)


@pytest.mark.parametrize("name", [name for name in NAMES if manifest_of(name).suffix == ".yaml"])
def test_a_manifest_begins_with_what_it_shows(name: str) -> None:
    assert manifest_of(name).read_text().startswith("# ")
