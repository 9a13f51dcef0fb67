"""What every request must be like, whatever its operation: its version, its query options, its body.

https://learn.microsoft.com/rest/api/batchservice/common-parameters-and-headers
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from local.batch.errors import BatchError, ErrorCode, invalid_query

MAX_BODY_BYTES = 1_048_576
API_VERSIONS = frozenset(
    {
        "2015-12-01.2.2",
        "2016-02-01.3.0",
        "2016-07-01.3.1",
        "2017-01-01.4.0",
        "2017-05-01.5.0",
        "2017-06-01.5.1",
        "2017-09-01.6.0",
        "2018-03-01.6.1",
        "2018-08-01.7.0",
        "2018-12-01.8.0",
        "2019-06-01.9.0",
        "2019-08-01.10.0",
        "2020-03-01.11.0",
        "2020-09-01.12.0",
        "2021-06-01.14.0",
        "2022-01-01.15.0",
        "2022-10-01.16.0",
        "2023-05-01.17.0",
        "2023-11-01.18.0",
        "2024-02-01.19.0",
        "2024-07-01.20.0",
        "2025-06-01",
    }
)
"""Those in https://github.com/Azure/azure-rest-api-specs/tree/main/specification/batch/data-plane/Batch/stable."""
_TIMEOUTS = ("timeOut", "timeout")
"""The parameter has had both names; it is a number, and anything above 30 seconds means 30."""
_ODATA_OPTIONS = frozenset({"$filter", "$select", "$expand", "$skiptoken"})
_INTEGER = re.compile(r"[+-]?\d+")


def check_request(method: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> None:
    """Refuse what no operation takes; header names are in lower case.

    BatchError: MissingRequiredQueryParameter, UnsupportedRequestVersion, UnsupportedQueryParameter,
    InvalidQueryParameterValue, MissingContentLengthHeader, RequestBodyTooLarge.
    """
    _check_version(query.get("api-version"))
    _check_query(query)
    if method == "POST" and "content-length" not in headers:
        raise BatchError(ErrorCode.MISSING_CONTENT_LENGTH_HEADER)
    if len(body) >= MAX_BODY_BYTES:
        raise BatchError(ErrorCode.REQUEST_BODY_TOO_LARGE, MaxLimit=str(MAX_BODY_BYTES))


def is_integer(text: str) -> bool:
    """Whether a query parameter is a number, in or out of its range."""
    return _INTEGER.fullmatch(text) is not None


def _check_version(version: str | None) -> None:
    if version is None:
        raise BatchError(ErrorCode.MISSING_REQUIRED_QUERY_PARAMETER, QueryParameterName="api-version")
    if version not in API_VERSIONS:
        raise BatchError(ErrorCode.UNSUPPORTED_REQUEST_VERSION, RequestVersion=version)


def _check_query(query: Mapping[str, str]) -> None:
    for name in query:
        if name.startswith("$") and name not in _ODATA_OPTIONS:
            raise BatchError(ErrorCode.UNSUPPORTED_QUERY_PARAMETER, QueryParameterName=name)
    for name in _TIMEOUTS:
        if name in query and not is_integer(query[name]):
            raise invalid_query(name, query[name], "It is not a number of seconds.")
