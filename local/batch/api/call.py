"""A call of an operation: what its function gets to work with, and the ways to answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from local.batch.api.conditions import Version, check_conditions
from local.batch.api.odata import STATISTICS, EntityQuery, Listed, ListQuery
from local.batch.errors import BatchError, ErrorCode, invalid_property, invalid_query
from local.batch.models.common import EMPTY_METADATA_KEY
from local.batch.service import BatchService

M = TypeVar("M", bound=BaseModel)
Entity = TypeVar("Entity", bound="Listed")
CONTENT_TYPE = "application/json;odata=minimalmetadata"
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True)
class Call:
    """One request; header names are in lower case, path parameters decoded."""

    service: BatchService
    request_id: str
    method: str
    base_url: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def read(self, model: type[M]) -> M:
        """Return the body as a model; BatchError says which property is wrong.

        Truth values are those of JSON. Text that reads like a whole number is one: `az batch` sends such.
        """
        _check_numbers(self.body)
        try:
            return model.model_validate_json(self.body or b"{}", by_alias=True, by_name=False)
        except ValidationError as error:
            raise _refusal(error) from error

    def flag(self, name: str) -> bool:
        """Whether a query parameter says true; BatchError if it says neither true nor false."""
        text = self.query.get(name, "false")
        if text.lower() not in _TRUTHS:
            raise invalid_query(name, text, "It is neither true nor false.")
        return _TRUTHS[text.lower()]

    @property
    def expands_statistics(self) -> bool:
        """Whether statistics are asked for as well; where `$select` is given, it must name them too.

        https://learn.microsoft.com/dotnet/api/microsoft.azure.batch.odatadetaillevel.expandclause
        """
        return self.query.get("$expand") == STATISTICS

    def check_conditions(self, version: Version) -> None:
        """Refuse the call if the condition in its headers does not hold for the resource; BatchError."""
        check_conditions(self.headers, version, reading=self.method in ("GET", "HEAD"))

    def created(self, path: str, version: Version) -> Response:
        """Answer that a resource was added."""
        url = f"{self.base_url}/{path}"
        return Response(status_code=201, headers={"Location": url, "DataServiceId": url, **version.headers})

    def done(self, status: int, version: Version | None = None) -> Response:
        """Answer without a body; `version` is the resource's new one, if it is still there."""
        if version is None:
            return Response(status_code=status)
        headers = {"DataServiceId": self.base_url + self.path, **version.headers}
        return Response(status_code=status, headers=headers)

    def entity(self, kind: str, view: dict[str, Any], version: Version | None = None) -> Response:
        """Answer with one resource; `kind` is its collection's name."""
        fields = EntityQuery.parse(self.query, kind).select
        body = {"odata.metadata": f"{self.base_url}/$metadata#{kind}/@Element", **_selected(view, fields)}
        return json_response(body, headers=version.headers if version else {})

    def listing(self, kind: str, entities: Sequence[Entity], view: Callable[[Entity], dict[str, Any]]) -> Response:
        """Answer with one page of resources; `entities` are all there are, in the order of their keys."""
        query = ListQuery.parse(self.query, kind)
        page, next_token = query.page(entities)
        values = [_selected(view(entity), query.select) for entity in page]
        body: dict[str, Any] = {"odata.metadata": f"{self.base_url}/$metadata#{kind}", "value": values}
        if next_token is not None:
            body["odata.nextLink"] = f"{self.base_url}{self.path}?{query.next_page(self.query, next_token)}"
        return json_response(body)


def json_response(body: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    content = json.dumps(body, separators=(",", ":")).encode()
    return Response(content, status, dict(headers or {}), media_type=CONTENT_TYPE)


def _selected(view: dict[str, Any], fields: frozenset[str] | None) -> dict[str, Any]:
    return view if fields is None else {name: value for name, value in view.items() if name in fields}


def _check_numbers(body: bytes) -> None:
    """Refuse NaN and Infinity, which are not JSON, though Pydantic takes them."""
    if b"NaN" in body or b"Infinity" in body:
        with suppress(ValueError, RecursionError):  # what else is wrong is found later
            json.loads(body, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise BatchError(ErrorCode.INVALID_REQUEST_BODY, Reason=f"{name} is not a number in JSON.")


def _refusal(error: ValidationError) -> BatchError:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return BatchError(ErrorCode.MISSING_REQUIRED_PROPERTY, PropertyName=name)
    if first["type"] == EMPTY_METADATA_KEY:
        return BatchError(ErrorCode.EMPTY_METADATA_KEY, PropertyName=name)
    if first["type"] == "extra_forbidden":
        reason = (
            f"The property '{name}' does not exist. Make sure to only use property names that are defined by the type."
        )
        return BatchError(ErrorCode.INVALID_REQUEST_BODY, Reason=reason)
    if first["type"] == "json_invalid" or (first["type"] == "model_type" and not name):
        return BatchError(ErrorCode.INVALID_REQUEST_BODY, Reason=first["msg"])
    return invalid_property(name, first["input"], first["msg"].removeprefix("Value error, "))
