"""`infra/prices.py` makes the app setting NODE_PRICES of Azure's list of retail prices."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from infra.prices import main
from shared.prices import NodeKind, Prices

LISTED = {
    "Standard_D2s_v5": [
        ("Virtual Machines Dsv5 Series Windows", "D2s v5", 0.2, "1 Hour"),
        ("Virtual Machines Dsv5 Series", "D2s v5", 0.112, "1 Hour"),
        ("Virtual Machines Dsv5 Series", "D2s v5 Spot", 0.0221, "1 Hour"),
        ("Virtual Machines Dsv5 Series", "D2s v5 Low Priority", 0.0224, "1 Hour"),
        ("Virtual Machines Dsv5 Series", "D2s v5", 900.0, "1 Year"),
        ("Dsv5 Series Cloud Services", "D2s v5", 0.3, "1 Hour"),
    ],
    "Standard_D4s_v5": [("Virtual Machines Dsv5 Series", "D4s v5", 0.224, "1 Hour")],
}


class _List(BaseHTTPRequestHandler):
    """Two items a page, as the list has at most so many."""

    asked: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.asked.append(query)
        size = query["$filter"].rpartition("armSkuName eq '")[2].rstrip("'")
        start, items = int(query.get("$skip", "0")), LISTED.get(size, [])
        more = len(items) > start + 2
        page = f"http://{self.headers['Host']}{self.path.partition('&$skip')[0]}&$skip={start + 2}" if more else None
        self.send_response(200)
        self.end_headers()
        self.wfile.write(
            json.dumps({"Items": list(map(_item, items[start : start + 2])), "NextPageLink": page}).encode()
        )

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _item(of: tuple[str, str, float, str]) -> dict[str, Any]:
    product, sku, price, unit = of
    return {"productName": product, "skuName": sku, "retailPrice": price, "unitOfMeasure": unit, "type": "Consumption"}


@pytest.fixture
def price_list() -> Iterator[str]:
    _List.asked.clear()
    with HTTPServer(("127.0.0.1", 0), _List) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api/retail/prices"
        server.shutdown()


def test_it_prints_the_setting_as_the_app_reads_it(price_list: str, capsys) -> None:
    assert main(["westeurope", "Standard_D2s_v5", "Standard_D4s_v5", "--currency", "EUR"], price_list) == 0
    prices = Prices.from_environ({"NODE_PRICES": capsys.readouterr().out})
    assert prices.of("standard_d2s_v5", NodeKind.DEDICATED) == 0.112
    assert prices.of("standard_d2s_v5", NodeKind.SPOT) == 0.0221
    assert prices.of("standard_d4s_v5", NodeKind.DEDICATED) == 0.224
    assert prices.of("standard_d4s_v5", NodeKind.SPOT) is None
    assert _List.asked[0]["currencyCode"] == "'EUR'"
    assert "armRegionName eq 'westeurope'" in _List.asked[0]["$filter"]


def test_a_size_that_is_not_listed_is_named(price_list: str, capsys) -> None:
    assert main(["westeurope", "Standard_D4s_v5", "Standard_X"], price_list) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "There is no price for Standard_X in westeurope.\n"
