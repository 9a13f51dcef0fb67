"""Shared-key signatures, verified as the service does; bearer tokens are the matter of `bearer`.

https://learn.microsoft.com/rest/api/batchservice/authenticate-requests-to-the-azure-batch-service
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs

from local.batch.api.bearer import verify_token
from local.batch.errors import BatchError, ErrorCode

ACCOUNT_NAME = "devbatchaccount1"
"""The name of the one account that every local Batch service has."""
ACCOUNT_KEY = "bG9jYWwtYmF0Y2gtYWNjb3VudC1rZXktZm9yLWRldmVsb3BtZW50LW9ubHktbm90LWEtc2VjcmV0LWF0LWFsbA=="
"""Its key, the same everywhere: it protects nothing, it only makes clients sign as they do in Azure."""

LONGEST_AGE = timedelta(minutes=15)
_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


@dataclass(frozen=True)
class SignedRequest:
    """What a signature covers: `path` and `query` as they travelled, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def verify(request: SignedRequest, now: datetime) -> None:
    """Accept a request that is signed with the account's key and not older than 15 minutes, or has a valid token.

    Raises BatchError otherwise.
    """
    authorization = request.headers.get("authorization", "")
    if authorization.startswith("Bearer "):
        verify_token(authorization.removeprefix("Bearer "), now)
        return
    if not authorization.startswith("SharedKey "):
        raise BatchError(
            ErrorCode.AUTHENTICATION_MISSING,
            AuthenticationErrorDetail="The Authorization header is missing, or neither of SharedKey nor of Bearer.",
        )
    account, _, signature = authorization.removeprefix("SharedKey ").partition(":")
    if account != ACCOUNT_NAME:
        raise _failed(f"The account {account} does not exist; the only one here is {ACCOUNT_NAME}.")
    _verify_age(request, now)
    texts = strings_to_sign(request)
    if not any(hmac.compare_digest(sign(text).encode(), signature.encode()) for text in texts):
        shown = texts[0].replace("\n", "\\n")
        raise _failed(
            f"The MAC signature found in the HTTP request '{signature}' is not the same as any computed signature. "
            f"Server used following string to sign: '{shown}'."
        )


def sign(text: str, key: str = ACCOUNT_KEY) -> str:
    """Return the signature of a string."""
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()


def strings_to_sign(request: SignedRequest) -> list[str]:
    """Return the canonical forms of a request, the documented one first.

    The service speaks of "any computed signature", and its SDKs do not agree: those for .NET and Java sign the names
    of query parameters in lower case, as documented, those for Python and JavaScript as they are sent (`timeOut`);
    without a Content-Length that for Python signs 0, that for JavaScript nothing, as documented.
    """
    lengths = [""] if "content-length" in request.headers or request.method in ("GET", "HEAD") else ["", "0"]
    texts = [
        _string_to_sign(request, length, query)
        for length in lengths
        for query in (_parameters(request, str.lower), _parameters(request, str))
    ]
    return list(dict.fromkeys(texts))


def _string_to_sign(request: SignedRequest, length: str, query: Mapping[str, str]) -> str:
    headers = {"content-length": length, **{name: value for name, value in request.headers.items() if value}}
    if "ocp-date" in headers:
        headers["date"] = ""  # as documented: it counts for nothing then, so it is signed as if it were not there
    values = [headers.get(name, "") for name in _SIGNED_HEADERS]
    ocp = [f"{name}:{value}" for name, value in sorted(headers.items()) if name.startswith("ocp-")]
    parameters = [f"{name}:{value}" for name, value in sorted(query.items())]
    return "\n".join([request.method, *values, *ocp, f"/{ACCOUNT_NAME}{request.path}", *parameters])


def _parameters(request: SignedRequest, spelling: Callable[[str], str]) -> dict[str, str]:
    return {spelling(name): values[0] for name, values in parse_qs(request.query).items()}


def _verify_age(request: SignedRequest, now: datetime) -> None:
    text = request.headers.get("ocp-date") or request.headers.get("date", "")
    try:
        age = abs(now - parsedate_to_datetime(text))
    except (TypeError, ValueError) as error:
        raise _failed("The request has no valid ocp-date or Date header.") from error
    if age > LONGEST_AGE:
        raise _failed(f"Request date header too old: '{text}'")


def _failed(detail: str) -> BatchError:
    return BatchError(ErrorCode.AUTHENTICATION_FAILED, AuthenticationErrorDetail=detail)
