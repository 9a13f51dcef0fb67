"""The query options of listings: $filter, $select, $expand, maxresults and the token of the next page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import urlencode

from local.batch.api.filterable import FILTERABLE
from local.batch.api.filters import Filter, parse_filter
from local.batch.api.request_rules import is_integer
from local.batch.api.views import PROPERTIES
from local.batch.errors import BatchError, ErrorCode, invalid_query
from local.batch.models.common import key_of

LARGEST_PAGE = 1000
_SKIP_TOKEN = "$skiptoken"  # noqa: S105 - a query parameter's name
STATISTICS = "stats"
"""Those of tasks; the service aggregates those of jobs and pools about half an hour later, here nobody does."""
_EXPANDABLE = frozenset({"jobs", "jobschedules", "pools", "tasks"})


class Listed(Protocol):
    """A resource in a listing; listings are ordered by id."""

    @property
    def id(self) -> str:
        """The id, or what stands for it."""


Entity = TypeVar("Entity", bound=Listed)


@dataclass(frozen=True)
class EntityQuery:
    """The query options that every read takes."""

    select: frozenset[str] | None

    @classmethod
    def parse(cls, query: Mapping[str, str], kind: str) -> EntityQuery:
        """Read the options for a kind of resource; BatchError says which of them is wrong."""
        expand = query.get("$expand")
        if expand and (kind not in _EXPANDABLE or expand != STATISTICS):
            raise invalid_query(
                "$expand", expand, f"Only {STATISTICS} of {', '.join(sorted(_EXPANDABLE))} can be expanded."
            )
        return cls(_selection(query.get("$select"), PROPERTIES.get(kind)))


@dataclass(frozen=True)
class ListQuery:
    """The query options of a listing."""

    filter: Filter | None
    select: frozenset[str] | None
    page_size: int
    after: str | None

    @classmethod
    def parse(cls, query: Mapping[str, str], kind: str) -> ListQuery:
        """Read the options for a kind of resource; BatchError says which of them is wrong."""
        text = query.get("$filter")
        return cls(
            filter=parse_filter(text, FILTERABLE[kind]) if text else None,
            select=EntityQuery.parse(query, kind).select,
            page_size=_page_size(query.get("maxresults")),
            after=query.get(_SKIP_TOKEN),
        )

    def page(self, entities: Sequence[Entity]) -> tuple[list[Entity], str | None]:
        """Return one page of the entities that the filter lets pass, and the token of the next page if there is one."""
        after = key_of(self.after) if self.after is not None else None
        rest = [
            entity
            for entity in entities
            if (after is None or key_of(entity.id) > after) and (self.filter is None or self.filter(entity))
        ]
        page = rest[: self.page_size]
        return page, page[-1].id if len(rest) > len(page) else None

    def next_page(self, query: Mapping[str, str], token: str) -> str:
        """Return the query string of the next page."""
        return urlencode({**query, _SKIP_TOKEN: token})


def _selection(text: str | None, properties: frozenset[str] | None) -> frozenset[str] | None:
    if not text or properties is None:
        return None
    names = frozenset(name.strip() for name in text.split(","))
    if unknown := names - properties:
        raise invalid_query("$select", text, f"There is no property {', '.join(sorted(unknown))}.")
    return names


def _page_size(text: str | None) -> int:
    if text is None:
        return LARGEST_PAGE
    if not is_integer(text):
        raise invalid_query("maxresults", text, "It is not a number.")
    if not 1 <= int(text) <= LARGEST_PAGE:
        raise BatchError(
            ErrorCode.OUT_OF_RANGE_QUERY_PARAMETER_VALUE,
            QueryParameterName="maxresults",
            QueryParameterValue=text,
            MinimumAllowed="1",
            MaximumAllowed=str(LARGEST_PAGE),
        )
    return int(text)
