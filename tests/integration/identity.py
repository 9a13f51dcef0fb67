"""Azure's identities on one machine: a certificate, the managed identity's token endpoint, and services behind TLS."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
IDENTITY_HEADER = "known-to-the-app-alone"
STORAGE_HOST = "devstoreaccount1.blob.core.windows.net"
BATCH_HOST = "local.westeurope.batch.azure.com"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate of 127.0.0.1 and of the names of an app's services, as files."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificate:
        """Make one that is valid now."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        names = map(x509.DNSName, (STORAGE_HOST, BATCH_HOST))
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *names])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(address, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(folder / "certificate.pem", folder / "key.pem")
        made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
        return made

    def server_context(self) -> ssl.SSLContext:
        """For a server that shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def access_token(resource: str, lifetime: timedelta = timedelta(hours=1)) -> str:
    """A token as Microsoft Entra ID makes them, but for the signature."""
    now = datetime.now(UTC)
    claims = {
        "aud": resource,
        "iss": "https://sts.windows.net/99999999-8888-7777-6666-555555555555/",
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "appid": CLIENT_ID,
        "oid": "66666666-7777-8888-9999-000000000000",
        "tid": "99999999-8888-7777-6666-555555555555",
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, claims, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def claims_of(token: str) -> dict[str, Any]:
    """What a token says."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self, status: int, document: object = None) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[int]:
    """Serve until the end of `with`; the port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class TokenEndpoint:
    """The endpoint that App Service gives every app with a managed identity.

    https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
    """

    url: str = ""
    resources: list[str] = field(default_factory=list)
    refused: int = 0

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Serve until the end of `with`."""
        endpoint = self

        class Handler(_Quiet):
            def do_GET(self) -> None:
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                if self.headers.get("X-IDENTITY-HEADER") != IDENTITY_HEADER:
                    self.answer(401)
                elif query.get("client_id") != CLIENT_ID:
                    endpoint.refused += 1
                    self.answer(400, {"statusCode": 400, "message": "No User Assigned identity found"})
                else:
                    endpoint.resources.append(query["resource"])
                    self.answer(200, endpoint.token(query["resource"]))

        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
            self.url = f"http://127.0.0.1:{port}/msi/token"
            yield

    def token(self, resource: str) -> dict[str, str]:
        """The answer to a valid request."""
        token = access_token(resource)
        expires = str(claims_of(token)["exp"])
        answer = {"access_token": token, "expires_on": expires, "resource": resource}
        return {**answer, "token_type": "Bearer", "client_id": CLIENT_ID}


@dataclass
class Topic:
    """An Event Grid topic behind TLS that takes events by token alone, and keeps them."""

    certificate: Certificate
    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Serve until the end of `with`."""
        topic = self

        class Handler(_Quiet):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                scheme, _, token = self.headers.get("Authorization", "").partition(" ")
                audience = claims_of(token)["aud"] if scheme == "Bearer" else None
                if audience == "https://eventgrid.azure.net":
                    topic.events += json.loads(body)
                self.answer(200 if audience == "https://eventgrid.azure.net" else 401)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = self.certificate.server_context().wrap_socket(server.socket, server_side=True)
        with serving(server) as port:
            self.url = f"https://127.0.0.1:{port}/api/events"
            yield


@contextlib.contextmanager
def behind_tls(certificate: Certificate, port: int) -> Iterator[int]:
    """End TLS in front of a service, as a gateway does, and pass all bytes on as they are; the port of the gateway."""
    context = certificate.server_context()

    def connect(connection: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(connection, server_side=True) as client,
            socket.create_connection(("127.0.0.1", port)) as service,
        ):
            _join(client, service)

    with _listening(connect) as listening:
        yield listening


@contextlib.contextmanager
def proxy(ports: Mapping[str, int]) -> Iterator[int]:
    """A proxy (RFC 9110, CONNECT) that leads hosts of Azure to ports of this machine, and nowhere else; its port."""

    def connect(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (piece := connection.recv(65536)):
                    return
                head += piece
            host = head.split()[1].decode().rpartition(":")[0]
            if host not in ports:
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", ports[host])) as service:
                connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                _join(connection, service)

    with _listening(connect) as listening:
        yield listening


@contextlib.contextmanager
def _listening(connect: Callable[[socket.socket], None]) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            threading.Thread(target=connect, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def _join(client: socket.socket, service: socket.socket) -> None:
    back = threading.Thread(target=_pump, args=(service, client), daemon=True)
    back.start()
    _pump(client, service)
    back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def refusing(certificate: Certificate, status: int, headers: Mapping[str, str], body: str) -> Iterator[int]:
    """A service behind TLS that answers every request in the same way; its port."""

    class Handler(_Quiet):
        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = refuse  # noqa: N815 - as http.server calls them

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = certificate.server_context().wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        yield port
