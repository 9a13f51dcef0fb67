"""Bearer tokens at the Batch service, by the checks that need no key of Microsoft Entra ID."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from local.batch.api.auth import SignedRequest, verify
from local.batch.errors import BatchError, ErrorCode

DEEP = base64.b64encode(b"[" * 30_000).decode()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
CLAIMS = {
    "aud": "https://batch.core.windows.net/",
    "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
    "nbf": int(NOW.timestamp()),
    "exp": int((NOW + timedelta(hours=1)).timestamp()),
}


def token(claims: object) -> str:
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "signature"])


def check(authorization: str, now: datetime = NOW) -> None:
    verify(SignedRequest("GET", "/jobs", "", {"authorization": authorization}), now)


def test_a_valid_token_is_accepted() -> None:
    check(f"Bearer {token(CLAIMS)}")


WRONG = {
    "for storage": {"aud": "https://storage.azure.com"},
    "of another issuer": {"iss": "https://example.com/"},
    "without an expiry": {"exp": None},
    "that has expired": {"exp": CLAIMS["nbf"]},
    "not valid yet": {"nbf": CLAIMS["nbf"] + 1},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_token_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BatchError) as refused:
        check(f"Bearer {token({**CLAIMS, **change})}")
    assert refused.value.error is ErrorCode.AUTHENTICATION_FAILED


@pytest.mark.parametrize("text", ["", "x", "a.b.c", f"h.{base64.b64encode(b'[]').decode()}.s", f"h.{DEEP}.s"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BatchError) as refused:
        check(f"Bearer {text}")
    assert refused.value.error is ErrorCode.AUTHENTICATION_FAILED
