"""The HTTP endpoint that publishers post events to."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.eventgrid.events import MAX_REQUEST_BYTES, InvalidEventsError, PublishedEvent, parse_published

if TYPE_CHECKING:
    from starlette.requests import Request


def topic_app(key: str, accept: Callable[[Sequence[PublishedEvent]], None]) -> Starlette:
    """The topic as an ASGI app; a request is acknowledged when `accept` has stored its events."""

    async def publish(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("aeg-sas-key", "").encode(), key.encode()):
            return _error(401, "Unauthorized", "The request authorization key is not authorized for this topic.")
        body = await request.body()
        if len(body) > MAX_REQUEST_BYTES:
            return _error(413, "PayloadTooLarge", f"The request is larger than {MAX_REQUEST_BYTES} bytes.")
        try:
            events = parse_published(request.headers.get("content-type", ""), body)
        except InvalidEventsError as error:
            return _error(400, "BadRequest", str(error))
        accept(events)
        return Response(status_code=200)

    async def health(_request: Request) -> Response:
        return Response(status_code=200)

    return Starlette(routes=[Route("/api/events", publish, methods=["POST"]), Route("/_local/health", health)])


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
