"""Shared-key signatures, as the SDKs of several languages make them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from local.batch.api.auth import ACCOUNT_NAME, SignedRequest, sign, verify
from local.batch.errors import BatchError, ErrorCode

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)
OTHER_DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
VERSION = "api-version:2025-06-01"


def request(method: str = "DELETE", query: str = "", **headers: str) -> SignedRequest:
    """Return a request that waits for its signature; `date` and `length` are its headers."""
    named = {"date": "date", "length": "content-length"}
    return SignedRequest(
        method, "/jobs/1", f"{query}api-version=2025-06-01", {named[name]: text for name, text in headers.items()}
    )


def signed_text(method: str = "DELETE", length: str = "", date: str = "", ocp: str = "", query: str = VERSION) -> str:
    """Return what a client signs: method, eleven headers, ocp headers, resource."""
    headers = ["", "", length, "", "", date, "", "", "", "", ""]
    return "\n".join([method, *headers, *([ocp] if ocp else []), f"/{ACCOUNT_NAME}/jobs/1", query])


def check(unsigned: SignedRequest, text: str, **headers: str) -> None:
    """Verify a request whose client has signed this text."""
    authorization = f"SharedKey {ACCOUNT_NAME}:{sign(text)}"
    verify(replace(unsigned, headers={**unsigned.headers, **headers, "authorization": authorization}), NOW)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("timeout", id="lower case as documented, by .NET and Java"),
        pytest.param("timeOut", id="as it is sent, by Python and JavaScript"),
    ],
)
def test_names_of_parameters_are_signed_in_either_case(name: str) -> None:
    """SDKs do not agree, and each is served."""
    text = signed_text("GET", date=DATE, query=f"{VERSION}\n{name}:30")
    check(request("GET", "timeOut=30&", date=DATE), text)


@pytest.mark.parametrize("length", [pytest.param("", id="by JavaScript"), pytest.param("0", id="by Python")])
def test_a_missing_length_is_signed_as_nothing_or_zero(length: str) -> None:
    """Without a body DELETE has no Content-Length in JavaScript."""
    check(request(date=DATE), signed_text(length=length, date=DATE))


def test_a_length_that_is_sent_is_signed() -> None:
    """The signature must cover it."""
    check(request(date=DATE, length="0"), signed_text(length="0", date=DATE))
    with pytest.raises(BatchError):
        check(request(date=DATE, length="0"), signed_text(date=DATE))


def test_a_date_counts_for_nothing_beside_ocp_date() -> None:
    """HTTP libraries add it by themselves: it is signed as if it were not there."""
    text = signed_text(ocp=f"ocp-date:{DATE}")
    check(request(date=OTHER_DATE), text, **{"ocp-date": DATE})


@pytest.mark.parametrize("signature", ["", "x", "\u00fc"])
def test_what_is_no_signature_is_refused(signature: str) -> None:
    """Whatever characters it consists of."""
    headers = {"date": DATE, "authorization": f"SharedKey {ACCOUNT_NAME}:{signature}"}
    with pytest.raises(BatchError) as refused:
        verify(replace(request(), headers=headers), NOW)
    assert refused.value.error is ErrorCode.AUTHENTICATION_FAILED
