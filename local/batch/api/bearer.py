"""Bearer tokens, looked at as far as that is possible without Microsoft Entra ID.

Issuer, audience and times are checked as the service does; the signature is not, for only Entra has the key. Azurite
does the same with `--oauth basic`. Clients send tokens over https only, so TLS must end in front of this service.

https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from local.batch.errors import BatchError, ErrorCode

AUDIENCES = ("https://batch.core.windows.net/", "https://batch.core.windows.net")
ISSUERS = ("https://sts.windows.net/", "https://login.microsoftonline.com/")
_PARTS_OF_A_JWT = 3


def verify_token(token: str, now: datetime) -> None:
    """Accept an access token for Azure Batch that is valid now; BatchError otherwise."""
    claims = _claims(token)
    if claims.get("aud") not in AUDIENCES:
        raise _failed(f"The audience of the token is {claims.get('aud')!r}, but must be {AUDIENCES[0]!r}.")
    if not str(claims.get("iss", "")).startswith(ISSUERS):
        raise _failed(f"The issuer of the token is {claims.get('iss')!r}, which is not Microsoft Entra ID.")
    if not _seconds(claims, "nbf") <= now.timestamp() < _seconds(claims, "exp"):
        raise _failed("The token is not valid yet, or has expired.")


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) == _PARTS_OF_A_JWT:
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except (ValueError, RecursionError):
            claims = None
        if isinstance(claims, dict):
            return claims
    raise _failed("The token is no JSON Web Token.")


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float):
        raise _failed(f"The token has no time {name!r}.")
    return value


def _failed(detail: str) -> BatchError:
    return BatchError(ErrorCode.AUTHENTICATION_FAILED, AuthenticationErrorDetail=detail)
