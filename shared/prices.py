"""The prices of nodes: what the settings `NODE_PRICES` and `PRICE_CURRENCY` say."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.errors import SettingsError

DEFAULT_CURRENCY = "USD"
MAX_CURRENCY = 8


class NodeKind(StrEnum):
    """The kinds of nodes of a pool; Azure Batch calls spot nodes low-priority nodes, too."""

    DEDICATED = "dedicated"
    SPOT = "spot"


@dataclass(frozen=True)
class Prices:
    """What a node costs an hour, by VM size (in lower case: Batch writes sizes either way) and kind of node."""

    an_hour: Mapping[tuple[str, NodeKind], float] = field(default_factory=dict)
    currency: str = DEFAULT_CURRENCY

    def of(self, vm_size: str | None, kind: NodeKind | None) -> float | None:
        """The price of a node an hour; None if it is not set, or the node is not known."""
        return self.an_hour.get((vm_size.lower(), kind)) if vm_size and kind else None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Prices:
        """Read the settings; without them there are no prices. Raises SettingsError if they are malformed."""
        currency = environ.get("PRICE_CURRENCY") or DEFAULT_CURRENCY
        if not (currency.isalpha() and len(currency) <= MAX_CURRENCY):
            raise SettingsError(f"The app setting PRICE_CURRENCY must be a currency such as {DEFAULT_CURRENCY}.")
        return cls(_an_hour(environ.get("NODE_PRICES") or "{}"), currency)


def _an_hour(text: str) -> dict[tuple[str, NodeKind], float]:
    try:
        by_size = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"The app setting NODE_PRICES is not JSON: {error}. {_EXAMPLE}") from error
    if not isinstance(by_size, dict):
        raise SettingsError(f"The app setting NODE_PRICES must be a JSON object. {_EXAMPLE}")
    return {
        (size.lower(), kind): price for size, value in by_size.items() for kind, price in _by_kind(size, value).items()
    }


def _by_kind(size: str, value: object) -> dict[NodeKind, float]:
    """The prices of a VM size: a number is that of its dedicated nodes."""
    by_kind = value if isinstance(value, dict) else {NodeKind.DEDICATED.value: value}
    prices = {NodeKind(kind): _number(price) for kind, price in by_kind.items() if kind in set(NodeKind)}
    if len(prices) < len(by_kind) or not all(0 <= price < math.inf for price in prices.values()):
        raise SettingsError(f"The app setting NODE_PRICES has no price that can be read for {size!r}. {_EXAMPLE}")
    return prices


def _number(value: object) -> float:
    """The value of a number; nan of anything else."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan


_EXAMPLE = (
    'Give prices an hour by VM size, for example {"Standard_D2s_v5": 0.112}, or with spot nodes '
    '{"Standard_D2s_v5": {"dedicated": 0.112, "spot": 0.022}}.'
)
