"""A run request: a manifest that names a flow, or an earlier run, instead of having tasks.

flow: company.team/etl          a stored flow; or the flow itself, as a map
inputs: {rows: 10}

retry: etl/etl-20261128t120000-0123abcd
from: [load]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from shared.documents.names import run_in_results, stored_flow_blob
from shared.errors import ManifestError, Problem
from shared.manifest._labels import Labels
from shared.manifest._layout import Layout
from shared.manifest._source import Source, WrittenFloat, WrittenInt, read_source
from shared.manifest._yaml import TAG
from shared.manifest.problems import first_problems, problems_of
from shared.manifest.types import Properties, PropertyPath

FLOW, INPUTS, RETRY = "flow", "inputs", "retry"
_LOOKS_LIKE_ONE = re.compile(rf"\b(?:{FLOW}|{RETRY})[\"']?\s*:")
_OF_A_FLOW = ("tasks", "commands", "script")


def _stored_or_written(value: object) -> object:
    if is_request(value):
        raise ValueError("expected a flow (a map with `tasks`), this is a run request itself")
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or stored_flow_blob(value) is None:
        raise ValueError("expected the name of a stored flow, as in company.team/etl, or a flow (a map with `tasks`)")
    return value


def _recorded_run(value: object) -> object:
    if not isinstance(value, str) or run_in_results(value) is None:
        raise ValueError(
            "expected the folder of a run in the results, which ends in its id, as in etl/etl-20260131t120000-0123abcd"
        )
    return value


class RunRequest(Properties):
    """A run request. It has either `flow` or `retry`."""

    flow: Annotated[Any, BeforeValidator(_stored_or_written, json_schema_input_type=str | dict[str, Any])] = None
    """The flow to run: the name of a stored flow, `<namespace>/<id>`, or the flow itself."""
    inputs: dict[str, Any] = Field(default_factory=dict)
    """Values for the inputs of the flow, by their ids. They are taken as they are: expressions in them are text."""
    labels: Labels = Field(default_factory=dict)
    """Labels of the run; those of the flow that have other names are added."""
    retry: Annotated[str | None, BeforeValidator(_recorded_run, json_schema_input_type=str)] = None
    """The earlier run to run again, by its folder in the results. What ended well is taken over, with its files and
    values; everything else runs, with the flow and the inputs of the earlier run."""
    from_: tuple[str, ...] = Field((), alias="from")
    """With `retry`: tasks that run again whatever became of them, and with them all that depend on them."""
    editor_schema: Annotated[str | None, Field(alias="$schema")] = None
    """For editors of JSON: the address of the JSON Schema of manifests."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.flow is None and self.retry is None:
            raise ValueError("a run request names a `flow`, or in `retry` an earlier run: this has neither")
        if self.flow is not None and self.retry is not None:
            raise ValueError("a run request has either `flow` or `retry`: leave one out")
        if self.retry is not None and self.inputs:
            raise ValueError("a retry has the inputs of the earlier run: leave `inputs` out, or name a `flow`")
        if self.retry is None and self.from_:
            raise ValueError("`from` says where a `retry` begins: name the earlier run in `retry`, or leave `from` out")
        return self

    @property
    def stored_flow(self) -> str | None:
        """The name of the stored flow; None if the request names none."""
        return self.flow if isinstance(self.flow, str) else None


@dataclass(frozen=True)
class Given:
    """What a request gives to the flow of its run: values of inputs by id, and labels.

    `source` is the text of the request. If it is a retry, they are what the earlier run had: the values are of their
    types already, and are not read again.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    source: Source | None = None
    is_of_earlier_run: bool = False

    @property
    def is_by_request(self) -> bool:
        """Whether there is a request, which may give values."""
        return self.source is not None

    def problem(self, name: str, message: str) -> Problem:
        """A problem with the value of an input."""
        return self.problem_at((RETRY,) if self.is_of_earlier_run else (INPUTS, name), message)

    def problem_at(self, path: PropertyPath, message: str) -> Problem:
        """A problem with a property of the request."""
        assert self.source is not None  # noqa: S101 - nothing is given without a request
        return self.source.problem(path, message)


NOTHING_GIVEN = Given()


@dataclass(frozen=True)
class WrittenRequest:
    """A request, and the text in which it stands."""

    request: RunRequest
    source: Source

    def given(self) -> Given:
        """What it gives to its flow."""
        return Given(self.request.inputs, self.request.labels, self.source)

    def given_by(self, inputs: Mapping[str, Any], labels: Mapping[str, str]) -> Given:
        """What an earlier run with these inputs and labels gives to the flow that it retries."""
        return Given(inputs, {**labels, **self.request.labels}, self.source, is_of_earlier_run=True)

    def problem(self, path: PropertyPath, message: str) -> Problem:
        """A problem with one of its properties."""
        return self.source.problem(path, message)


def request_text(flow: str, inputs: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """The text of a request for a stored flow, in which values are as they were written; reading it gives the same."""
    given = {FLOW: flow, INPUTS: dict(inputs), "labels": dict(labels)}
    written = {name: value for name, value in given.items() if value}
    return str(yaml.dump(written, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


class _Dumper(yaml.SafeDumper):
    """Writes what `_source.py` reads alike, which takes more texts for numbers than PyYAML does."""


def _as_text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    looks_like_number = value[:1] in set("+-.0123456789")
    return dumper.represent_scalar(f"{TAG}str", value, style="'" if looks_like_number else None)


_Dumper.add_representer(str, _as_text)
_Dumper.add_representer(WrittenInt, lambda dumper, value: dumper.represent_scalar(f"{TAG}int", value.text))
_Dumper.add_representer(WrittenFloat, lambda dumper, value: dumper.represent_scalar(f"{TAG}float", value.text))


def is_request(data: object) -> bool:
    """Whether a document is a run request, and not a flow or a task."""
    if not isinstance(data, dict) or any(name in data for name in _OF_A_FLOW):
        return False
    return FLOW in data or isinstance(data.get(RETRY), str)


def read_request(text: str, *, as_json: bool) -> WrittenRequest:
    """Read a manifest that is a request. Raises ManifestError with everything that is wrong with it."""
    return request_in(read_source(text, as_json=as_json))


def request_in(source: Source) -> WrittenRequest:
    """The request that a document is. Raises ManifestError with everything that is wrong with it."""
    try:
        request = RunRequest.model_validate(source.data)
    except ValidationError as error:
        found = problems_of(error.errors(include_url=False), Layout(source), RunRequest)
        raise ManifestError(first_problems([*_own_problems(source), *found])) from error
    if own := _own_problems(source):
        raise ManifestError(first_problems(own))
    return WrittenRequest(request, source)


def find_request(text: str, *, as_json: bool) -> RunRequest | None:
    """The request that a manifest is; None if it is none, or a wrong one, which reading it as a manifest tells."""
    if not _LOOKS_LIKE_ONE.search(text):
        return None  # without reading it twice
    try:
        source = read_source(text, as_json=as_json)
        return request_in(source).request if is_request(source.data) else None
    except ManifestError:
        return None


def is_flow(text: str, *, as_json: bool) -> bool:
    """Whether a document is a map and no run request: the flow inside of a request, with all mistakes that it has."""
    try:
        data = read_source(text, as_json=as_json).data
    except ManifestError:
        return False
    return isinstance(data, dict) and not is_request(data)


def _own_problems(source: Source) -> list[Problem]:
    """What is wrong with single values, but for those of a flow in the request, which reading that tells."""
    return [each for each in source.problems if not (each.path or "").startswith((f"{FLOW}.", f"{FLOW}["))]
