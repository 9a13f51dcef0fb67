"""What only the local service has, below `/_local` and without signatures.

- `GET /_local/health`: 200 once the service is ready;
- `GET /_local/requests`: how often each operation was called, by its name in the specification; `DELETE` starts anew;
- `PUT /_local/faults`: misbehaviour on demand, described in `faults.py`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.batch.api.faults import FaultList, Faults

if TYPE_CHECKING:
    from starlette.requests import Request


class LocalApi:
    """The state behind `/_local`, which every call of an operation consults."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.faults = Faults()

    def routes(self) -> list[Route]:
        """Return the routes below `/_local`."""
        return [
            Route("/_local/health", self._health, methods=["GET"]),
            Route("/_local/requests", self._show_requests, methods=["GET"]),
            Route("/_local/requests", self._forget_requests, methods=["DELETE", "POST"]),
            Route("/_local/faults", self._set_faults, methods=["PUT"]),
        ]

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async def _show_requests(self, _: Request) -> Response:
        return JSONResponse(dict(sorted(self.requests.items())))

    async def _forget_requests(self, _: Request) -> Response:
        self.requests.clear()
        return Response(status_code=204)

    async def _set_faults(self, request: Request) -> Response:
        try:
            faults = FaultList.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"errors": error.errors(include_url=False, include_context=False)}, 400)
        self.faults.replace(faults)
        return Response(status_code=204)
