"""The application: every request's way from the socket to the function of its operation and back."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPMethod
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from local.batch.api import (
    routes_files,
    routes_job_schedules,
    routes_jobs,
    routes_node_users,
    routes_nodes,
    routes_pools,
    routes_software,
    routes_tasks,
)
from local.batch.api.auth import SignedRequest, verify
from local.batch.api.call import Call, json_response
from local.batch.api.error_body import error_body
from local.batch.api.faults import Fault, FaultList
from local.batch.api.operation import Operation
from local.batch.api.request_rules import check_request
from local.batch.api.routes_local import LocalApi
from local.batch.errors import BatchError, ErrorCode
from local.batch.service import BatchService, utc_now

if TYPE_CHECKING:
    from starlette.requests import Request

OPERATIONS: Sequence[Operation] = (
    *routes_jobs.OPERATIONS,
    *routes_job_schedules.OPERATIONS,
    *routes_tasks.OPERATIONS,
    *routes_files.OPERATIONS,
    *routes_pools.OPERATIONS,
    *routes_nodes.OPERATIONS,
    *routes_node_users.OPERATIONS,
    *routes_software.OPERATIONS,
)


def create_app(service: BatchService, faults: FaultList) -> Starlette:
    """Return the ASGI application for one account that misbehaves like this from the start."""
    local = LocalApi(service, faults)
    endpoints = [_Endpoint(operation, service, local) for operation in OPERATIONS]
    routes = [
        Route(endpoint.operation.path, endpoint.handle, methods=[endpoint.operation.method]) for endpoint in endpoints
    ]
    app = Starlette(
        routes=[*local.routes(), *routes],
        exception_handlers={404: _unknown_uri, 405: _wrong_verb, Exception: _internal_error},
    )
    app.router.redirect_slashes = False  # `/jobs/` is no resource of the service, and it redirects nobody
    return app


@dataclass(frozen=True)
class _Endpoint:
    """One operation, as the service answers it."""

    operation: Operation
    service: BatchService
    local: LocalApi

    async def handle(self, request: Request) -> Response:
        """Count the request, let it fail if it shall, otherwise answer it."""
        name = self.operation.name
        self.local.requests[name] += 1
        call = await _call(request, self.service)
        faults = self.local.faults.take(name)
        await asyncio.sleep(sum(fault.latency_seconds for fault in faults))
        failing = next((fault for fault in faults if fault.status), None)
        if failing and not failing.afterwards:
            return _with_headers(_failing(failing, call), call.request_id, request)
        response = self._answer(request, call)
        return _with_headers(_failing(failing, call) if failing else response, call.request_id, request)

    def _answer(self, request: Request, call: Call) -> Response:
        try:
            _check(request, call, self.operation)
            return self.operation.handler(call)
        except BatchError as error:
            if error.error is ErrorCode.CONDITION_NOT_MET_ON_READ:
                return Response(status_code=error.error.status)  # has no body in HTTP
            return json_response(error_body(error, call.request_id), error.error.status)


async def _call(request: Request, service: BatchService) -> Call:
    return Call(
        service=service,
        request_id=str(uuid.uuid4()),
        method=request.method,
        base_url=f"{request.url.scheme}://{request.headers.get('host', '')}",
        path=request.url.path,
        params=request.path_params,
        query=request.query_params,
        headers=request.headers,
        body=await request.body(),
    )


def _check(request: Request, call: Call, operation: Operation) -> None:
    """Refuse what no operation takes: a wrong signature, and what `request_rules` says."""
    path, query = request.scope["raw_path"].decode(), request.scope["query_string"].decode()
    verify(SignedRequest(request.method, path, query, dict(call.headers)), utc_now())
    check_request(call.method, call.query, call.headers, call.body)
    if request.method != operation.method:
        raise BatchError(ErrorCode.UNSUPPORTED_HTTP_VERB)


def _failing(fault: Fault, call: Call) -> Response:
    message = {"lang": "en-US", "value": f"This failure was asked for.\nRequestId:{call.request_id}"}
    response = json_response({"code": fault.code, "message": message}, fault.status or 500)
    if fault.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(fault.retry_after_seconds)
    return response


def _with_headers(response: Response, request_id: str, request: Request) -> Response:
    response.headers["request-id"] = request_id
    response.headers["DataServiceVersion"] = "3.0"
    if request.headers.get("return-client-request-id", "").lower() == "true":
        response.headers["client-request-id"] = request.headers.get("client-request-id", "")
    return response


async def _unknown_uri(request: Request, _: Exception) -> Response:
    return _error(BatchError(ErrorCode.INVALID_URI), request)


async def _wrong_verb(request: Request, _: Exception) -> Response:
    known = request.method in HTTPMethod.__members__
    code = ErrorCode.UNSUPPORTED_HTTP_VERB if known else ErrorCode.INVALID_HTTP_VERB
    return _error(BatchError(code, Verb=request.method), request)


async def _internal_error(request: Request, _: Exception) -> Response:
    return _error(BatchError(ErrorCode.INTERNAL_ERROR), request)


def _error(error: BatchError, request: Request) -> Response:
    request_id = str(uuid.uuid4())
    return _with_headers(json_response(error_body(error, request_id), error.error.status), request_id, request)
