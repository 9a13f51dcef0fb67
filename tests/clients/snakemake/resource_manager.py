"""In place of Azure's resource manager, where the executor makes its pool: passes that on to the Batch service."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from azure.batch import BatchServiceClient, models


def pool_of(pool_id: str, properties: dict[str, Any]) -> models.PoolAddParameter:
    """What the Batch service is asked for: the two have names of their own for much of it."""
    machine = properties["deploymentConfiguration"]["virtualMachineConfiguration"]
    machine["nodeAgentSKUId"] = machine.pop("nodeAgentSkuId")
    known = {
        "id": pool_id,
        "vmSize": properties["vmSize"],
        "virtualMachineConfiguration": machine,
        "targetDedicatedNodes": properties["scaleSettings"]["fixedScale"]["targetDedicatedNodes"],
        "taskSlotsPerNode": properties["taskSlotsPerNode"],
        "taskSchedulingPolicy": properties["taskSchedulingPolicy"],
    }
    return models.PoolAddParameter.from_dict(known)


@contextmanager
def resource_manager(batch: BatchServiceClient) -> Iterator[str]:
    """The address of one that knows nothing but `PUT …/pools/<id>`."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            batch.pool.add(pool_of(self.path.partition("?")[0].rpartition("/")[2], body["properties"]))
            answer = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
