"""A web server for one person on this machine: reports and files of runs, read from storage with the person's rights.

It listens on the loopback interface only. Every address holds a token that only this process and the browser know, and
the name of the host must be the one that it has: no page of another site can ask for anything, whatever its name
resolves to. Files that tasks have made are shown in a sandbox: their scripts run apart from reports and lists.
"""

from __future__ import annotations

import contextlib
import mimetypes
import secrets
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import AzureError

from batchrun.client.refs import RunRef
from batchrun.client.results import RunResults
from batchrun.errors import ClientError
from shared.documents.names import UNSAFE_CHARACTERS
from shared.errors import RunUnreadable

_SANDBOX = "sandbox allow-scripts allow-downloads allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'none'"
_TEXT = "text/plain; charset=utf-8"
_UNKNOWN = "application/octet-stream"
_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


class Page(NamedTuple):
    """A page and the nonce of its script."""

    html: str
    nonce: str


class RunServer(ThreadingHTTPServer):
    """Serves the files of the runs that `run` knows by their ids, and a list of runs if there is an `index`.

    Paths are those in the results, so that the report of a retry leads to that of the earlier run.
    `words` says what has gone wrong with storage.
    """

    daemon_threads = True

    def __init__(
        self,
        results: RunResults,
        run: Callable[[str], RunRef | None],
        index: Callable[[], Page] | None = None,
        words: Callable[[AzureError], object] = str,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.results = results
        self.run = run
        self.index = index
        self.words = words
        self.host = f"127.0.0.1:{self.server_port}"
        self.token = secrets.token_urlsafe(24)

    def address(self, path: str = "") -> str:
        """The address of a path below the token."""
        return f"http://{self.host}/{self.token}/{path}"

    def handle_error(self, _request: Any, _address: Any) -> None:  # noqa: ANN401 - of socketserver
        """Nothing: the browser has closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    server: RunServer

    def do_GET(self) -> None:
        """Answer with the list, or a file."""
        path = unquote(urlsplit(self.path).path, errors="replace")
        token, slash, rest = path.removeprefix("/").partition("/")
        is_known = slash and secrets.compare_digest(token.encode(), self.server.token.encode())
        if self.headers.get("Host") != self.server.host or not is_known:
            self._say(HTTPStatus.FORBIDDEN, "This is not an address that batchrun has made.")
            return
        try:
            self._answer(rest)
        except AzureError as error:
            self._say(HTTPStatus.BAD_GATEWAY, str(self.server.words(error)))
        except (ClientError, RunUnreadable) as error:
            self._say(HTTPStatus.BAD_GATEWAY, str(error))

    def _answer(self, path: str) -> None:
        if not path and self.server.index:
            self._send_page(self.server.index())
            return
        found = self._file_of_run(path.split("/"))
        if found is None or not self._send_file(*found):
            self._say(HTTPStatus.NOT_FOUND, "There is no such file among the results.")

    def _file_of_run(self, parts: Sequence[str]) -> tuple[RunRef, str] | None:
        """The run in whose folder a path leads, and the name of the file there; None if there is no such run."""
        if {"", ".", ".."} & set(parts) or any(map(UNSAFE_CHARACTERS.search, parts)):
            return None
        for place, part in enumerate(parts, start=1):
            run = self.server.run(part)
            if run and run.folder == "/".join(parts[:place]):
                return run, "/".join(parts[place:])
        return None

    def _send_page(self, page: Page) -> None:
        content = page.html.encode()
        policy = (
            f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'nonce-{page.nonce}';"
            " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._begin(HTTPStatus.OK, "text/html; charset=utf-8", len(content), policy)
        self.wfile.write(content)

    def _send_file(self, run: RunRef, name: str) -> bool:
        """Send a file of a run piece by piece; False if there is none.

        If storage fails on the way, the connection ends before the file does: the browser knows that it is not whole.
        """
        blob = self.server.results.opened(run, name)
        if blob is None:
            return False
        self._begin(HTTPStatus.OK, _content_type(name, blob.content_type), blob.size, _SANDBOX)
        with contextlib.suppress(AzureError):
            for chunk in blob.chunks:
                self.wfile.write(chunk)
        return True

    def _say(self, status: HTTPStatus, text: str) -> None:
        content = f"{text}\n".encode(errors="replace")
        self._begin(status, _TEXT, len(content), _SANDBOX)
        self.wfile.write(content)

    def _begin(self, status: HTTPStatus, content_type: str, length: int, policy: str) -> None:
        self.send_response(status)
        headers = {"Content-Type": content_type, "Content-Length": str(length), "Content-Security-Policy": policy}
        for header, value in {**headers, **_HEADERS}.items():
            self.send_header(header, value)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the terminal is for the person."""


def _content_type(name: str, stored: str | None) -> str:
    """What storage says, or what the ending of the name says where storage knows nothing; text is UTF-8."""
    known = stored if stored and stored != _UNKNOWN else mimetypes.guess_type(name)[0] or _UNKNOWN
    return f"{known}; charset=utf-8" if known.startswith("text/") and "charset" not in known else known
