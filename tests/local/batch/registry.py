"""A container registry on loopback, which serves one image to whoever knows its password."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER, PASSWORD = "reader", "well-kept"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


class Registry:
    """What the registry holds: an image of one layer, by the paths below `/v2/`."""

    def __init__(self, layer: bytes) -> None:
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]}}
        blobs = {_digest(blob): blob for blob in (layer, json.dumps(config).encode())}
        described = [{"digest": digest, "size": len(blob)} for digest, blob in blobs.items()]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, **described[1]},
            "layers": [{"mediaType": _LAYER, **described[0]}],
        }
        text = json.dumps(manifest).encode()
        self.files = {f"blobs/{digest}": blob for digest, blob in blobs.items()}
        self.files |= {"manifests/1": text, f"manifests/{_digest(text)}": text}


@contextlib.contextmanager
def serving(layer: bytes) -> Iterator[str]:
    """Serve the image, and yield the server as image names begin with it: `127.0.0.1:PORT`."""
    registry = Registry(layer)
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != expected:
                return self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="test"'})
            name = "/".join(self.path.split("/")[-2:])
            content = b"{}" if self.path == "/v2/" else registry.files.get(name)
            if content is None:
                return self._answer(404, b"{}", {})
            kind = _MANIFEST if name.startswith("manifests") else "application/octet-stream"
            return self._answer(200, content, {"Content-Type": kind, "Docker-Content-Digest": _digest(content)})

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
