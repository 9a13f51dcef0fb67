"""Shared-key signatures, verified as the service does; bearer tokens are the matter of `bearer`.

https://learn.microsoft.com/rest/api/batchservice/authenticate-requests-to-the-azure-batch-service
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from local.batch.api.bearer import verify_token
from local.batch.errors import BatchError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    text = string_to_sign(request)
    if not hmac.compare_digest(sign(text), signature):
        shown = text.replace("\n", "\\n")
        raise _failed(
            f"The MAC signature found in the HTTP request '{signature}' is not the same as any computed signature. "
            f"Server used following string to sign: '{shown}'."
        )


def sign(text: str, key: str = ACCOUNT_KEY) -> str:
    """Return the signature of a string."""
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()


def string_to_sign(request: SignedRequest) -> str:
    """Return the canonical form of a request."""
    headers = {name: value for name, value in request.headers.items() if value}
    if request.method not in ("GET", "HEAD"):
        headers.setdefault("content-length", "0")
    values = [headers.get(name, "") for name in _SIGNED_HEADERS]
    ocp = [f"{name}:{value}" for name, value in sorted(headers.items()) if name.startswith("ocp-")]
    query = [f"{name}:{values[0]}" for name, values in sorted(parse_qs(request.query).items())]
    resource = f"/{ACCOUNT_NAME}{request.path}"
    return "\n".join([request.method, *values, *ocp, resource, *query])


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
