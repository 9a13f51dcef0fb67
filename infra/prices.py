"""Prints the app setting NODE_PRICES for a region, by Azure's list of retail prices, which needs no account.

    python infra/prices.py westeurope Standard_D2s_v5 Standard_D4s_v5

`--currency EUR` gives other currencies than US dollars: set `PRICE_CURRENCY`, too.
https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

URL = "https://prices.azure.com/api/retail/prices"
TIMEOUT_SECONDS = 60


def main(argv: list[str] | None = None, url: str = URL) -> int:
    """Print the setting; 1 if there is no price for one of the sizes."""
    parser = argparse.ArgumentParser(description="Prints the app setting NODE_PRICES for a region.")
    parser.add_argument("region", help="as Azure names it: westeurope")
    parser.add_argument("sizes", nargs="+", metavar="SIZE", help="a VM size: Standard_D2s_v5")
    parser.add_argument("--currency", default="USD")
    arguments = parser.parse_args(argv)
    found = {size: prices(_listed(url, arguments.region, size, arguments.currency)) for size in arguments.sizes}
    if missing := [size for size, by_kind in found.items() if "dedicated" not in by_kind]:
        print(f"There is no price for {', '.join(missing)} in {arguments.region}.", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


def prices(listed: Iterator[dict[str, Any]]) -> dict[str, float]:
    """The prices an hour of Linux nodes of a VM size, dedicated and spot."""
    found = {}
    for item in listed:
        is_linux = not any(word in item["productName"] for word in ("Windows", "Cloud Services", "CloudServices"))
        kind = item["skuName"].rpartition(" ")[2]
        if is_linux and item["unitOfMeasure"] == "1 Hour" and kind != "Priority":  # of "Low Priority"
            found["spot" if kind == "Spot" else "dedicated"] = item["retailPrice"]
    return found


def _listed(url: str, region: str, size: str, currency: str) -> Iterator[dict[str, Any]]:
    conditions = {
        "serviceName": "Virtual Machines",
        "priceType": "Consumption",
        "armRegionName": region,
        "armSkuName": size,
    }
    query = {"$filter": " and ".join(f"{name} eq '{value}'" for name, value in conditions.items())}
    page: str | None = f"{url}?{urlencode({'currencyCode': repr(currency), **query})}"
    while page:
        with urlopen(page, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - a fixed address, https
            content = json.load(response)
        yield from content["Items"]
        page = content["NextPageLink"]


if __name__ == "__main__":
    sys.exit(main())
