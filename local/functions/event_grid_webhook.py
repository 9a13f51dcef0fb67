"""The host's endpoint for Event Grid: the handshakes of both schemas, and one invocation for each event.

It answers as the extension of the real host:
https://github.com/Azure/azure-sdk-for-net/tree/main/sdk/eventgrid/Microsoft.Azure.WebJobs.Extensions.EventGrid
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from azure.functions.meta import Datum
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.functions.app_index import IndexedFunction
from local.functions.background import BackgroundTasks
from local.functions.invocation import Invoker
from local.functions.triggers import EventGridTrigger

if TYPE_CHECKING:
    from starlette.requests import Request

PATH = "/runtime/webhooks/eventgrid"


def event_grid_route(functions: Iterable[IndexedFunction], invoker: Invoker, background: BackgroundTasks) -> Route:
    """The route of Event Grid's webhook; the query names the function."""
    by_name = {function.name: function for function in functions if isinstance(function.trigger, EventGridTrigger)}

    async def handle(request: Request) -> Response:
        name = request.query_params.get("functionName", "")
        function = by_name.get(name)
        if function is None:
            return PlainTextResponse(f"cannot find function: '{name}'", 404)
        if request.method == "OPTIONS":
            return _allow_origin(request)
        match request.headers.get("aeg-event-type", "").lower():
            case "subscriptionvalidation":
                return JSONResponse({"validationResponse": _validation_code(await request.body())})
            case "notification":
                invocations = _invoke_for_each(function, await request.body(), invoker)
                return await asyncio.shield(background.start(invocations))
            case "unsubscribe":
                return Response(status_code=202)
            case _:
                return Response(status_code=400)

    return Route(PATH, handle, methods=["POST", "OPTIONS"])


def _allow_origin(request: Request) -> Response:
    origin = request.headers.get("WebHook-Request-Origin")
    return Response(headers={"WebHook-Allowed-Origin": origin}) if origin else Response(status_code=400)


def _validation_code(body: bytes) -> str:
    """The validation code of a handshake event, whose data is JSON in a string in the schema of CloudEvents."""
    document = json.loads(body)
    data = document[0]["data"] if isinstance(document, list) else json.loads(document["data"])
    return str(data["validationCode"])


async def _invoke_for_each(function: IndexedFunction, body: bytes, invoker: Invoker) -> Response:
    """Invoke the function for all events at the same time; answers 500 if one fails, so that all are sent again."""
    document = json.loads(body)
    events = document if isinstance(document, list) else [document]
    results = await asyncio.gather(
        *(invoker.invoke(function, "EventGrid trigger fired", Datum(json.dumps(event), "json")) for event in events)
    )
    failures = [str(result.exception) for result in results if not result.succeeded]
    return PlainTextResponse(failures[0], 500) if failures else Response(status_code=202)
