"""The address of an app: its storage account, as a person writes it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from batchrun.errors import UsageError, printable
from shared.errors import SettingsError
from shared.settings import Containers, storage_by_key

_HOW = (
    "Write https://<account>.blob.core.windows.net, followed by /<container> if the app's results are not in the"
    " container 'results'; or a connection string with AccountName and AccountKey"
)


@dataclass(frozen=True)
class Address:
    """How storage is reached, as the app settings that say so, and the container that has the app's card."""

    settings: dict[str, str]
    results: str = Containers.results

    @classmethod
    def of(cls, text: str, source: str) -> Address:
        """Read a URL or a connection string. Raises UsageError, which names the `source`, for anything else."""
        if "=" in text and "://" not in text.partition("=")[0]:
            try:
                storage_by_key(text)
            except SettingsError:
                raise UsageError(f"{source} is neither a connection string nor a URL. {_HOW}.") from None
            return cls({"RunStorage": text})
        return cls._of_url(text, source)

    @classmethod
    def _of_url(cls, text: str, source: str) -> Address:
        parts = _split(text)
        if parts is None or parts.scheme != "https":
            raise UsageError(f"{source} is not an https:// URL: {printable(text)!r}. {_HOW}.")
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise UsageError(f"{source} must have no query, user or fragment: {printable(parts.netloc)!r}. {_HOW}.")
        path = [segment for segment in parts.path.split("/") if segment]
        account = [path.pop(0)] if path and _is_emulator(parts.hostname or "") else []
        if len(path) > 1:
            raise UsageError(f"{source} names a blob, not a storage account: {printable(text)!r}. {_HOW}.")
        endpoint = "/".join([f"https://{parts.netloc}", *account])
        return cls({"RunStorage__blobServiceUri": endpoint}, path[0] if path else Containers.results)


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0
    except ValueError:  # brackets without an address, or a port that is no number
        return None
    return parts if parts.hostname and has_port else None


def _is_emulator(host: str) -> bool:
    """Whether the account stands in the path: https://learn.microsoft.com/azure/storage/common/storage-connect-azurite."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
