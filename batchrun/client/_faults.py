"""What the services of an app refuse or do not answer, in words: which role is missing on what, or what is not reached.

The codes are those of https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes, the roles those
of https://learn.microsoft.com/azure/role-based-access-control/built-in-roles. Batch's role is the one that only reads:
https://learn.microsoft.com/azure/batch/batch-role-based-access-control.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from batchrun.client._services import Services, is_loopback
from batchrun.errors import Unreachable, printable

READER, CONTRIBUTOR = "Storage Blob Data Reader", "Storage Blob Data Contributor"
BATCH_READER = "Azure Batch Account Reader"
_FORBIDDEN = 403
_READING = ("GET", "HEAD")
_STORAGE_REFUSALS = {
    "KeyBasedAuthenticationNotPermitted": "takes no keys: name it by its URL instead of a connection string",
    "AuthenticationFailed": "does not accept the key or token: look at the connection string and this machine's clock",
    "AuthorizationFailure": "does not let this machine in: look at its network rules, and at your roles",
}


def is_refusal(error: AzureError) -> bool:
    """Whether a service has refused a request for lack of rights."""
    return isinstance(error, HttpResponseError) and error.status_code == _FORBIDDEN


def unreachable(error: AzureError, services: Services) -> Unreachable:
    """What has gone wrong with storage, and what to do about it."""
    if is_refusal(error):
        return Unreachable(_refusal(error, services))
    return Unreachable(_failure(error, services, f"app of {services.storage.blob_endpoint}", "storage account"))


def batch_failure(error: AzureError, services: Services) -> str:
    """The same about Batch."""
    account = f"Batch account {services.batch.account_name if services.batch else ''}"
    if is_refusal(error):
        return f"The {account} refuses: you need the role {BATCH_READER!r} on it. ({_code(error)})"
    return _failure(error, services, account, account)


def _failure(error: AzureError, services: Services, asked: str, answered: str) -> str:
    reason = _first_line(error)
    if isinstance(error, ClientAuthenticationError):
        return f"There is no login that Azure accepts: log in with `az login`. ({reason})"
    if not isinstance(error, HttpResponseError) or error.response is None:  # an answer that breaks off is none
        if is_loopback(services.storage.blob_endpoint):
            how = "If it was stopped, its runs continue once it is up again."
            return f"The stack does not answer. {how} ({reason})"
        return f"The {asked} does not answer. ({reason})"
    return f"The {answered} has failed: {reason}"


def _refusal(error: AzureError, services: Services) -> str:
    """Which role is missing on what in storage; or why a role does not help."""
    request = getattr(getattr(error, "response", None), "request", None)
    url, method = str(getattr(request, "url", "")), str(getattr(request, "method", "GET"))
    account = services.storage.account_name
    if _code(error) in _STORAGE_REFUSALS:
        return f"The storage account {account} {_STORAGE_REFUSALS[_code(error)]}. ({_code(error)})"
    role = READER if method in _READING else CONTRIBUTOR
    container = _container(url, services)
    where = f"the container {container!r} of the storage account {account}" if container else f"the account {account}"
    return f"Storage refuses: you need the role {role!r} on {where}. ({_code(error)})"


def _container(url: str, services: Services) -> str:
    """The container that a request is about; empty if it is about the account."""
    path = urlsplit(url).path.removeprefix(urlsplit(services.storage.blob_endpoint).path.rstrip("/"))
    return printable(path.strip("/").partition("/")[0])


def _code(error: AzureError) -> str:
    code = getattr(error, "error_code", None) or getattr(getattr(error, "error", None), "code", None)
    return printable(str(getattr(code, "value", code) or "403"))


def _first_line(error: AzureError) -> str:
    return printable(str(error).partition("\n")[0])
