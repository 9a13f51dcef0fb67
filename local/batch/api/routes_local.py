"""What only the local service has, below `/_local` and without signatures; described in docs/local-batch.md.

- `GET /_local/health`: 200 once the service is ready;
- `GET /_local/requests`: how often each operation was called, by its name in the specification; `DELETE` starts anew;
- `PUT /_local/faults`: answers that fail or come late (`faults.py`);
- `PUT /_local/node-faults`: image pulls and uploads that fail (`node/faults.py`);
- `GET` and `PATCH /_local/settings`: quota, nodes that there are none of, names of blobs, late ends and statistics;
- `POST /_local/pools/{pool}/evaluate`: a pool scales by its formula now;
- `PUT /_local/pools/{pool}/nodes/{node}`: the state of a node; one that is not idle has died;
- `POST /_local/pools/{pool}/preempt`: spot nodes are taken away, and come back as soon as there are nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.batch.api.faults import FaultList, Faults
from local.batch.errors import BatchError
from local.batch.machine.limits import NEVER, NodeLimit
from local.batch.models.common import BatchModel
from local.batch.models.pool import NodeError, NodeState
from local.batch.node.blob_naming import BlobNaming
from local.batch.node.faults import NodeFaultList
from local.batch.node.resource_files import EmptyPrefix
from local.batch.service import BatchService

if TYPE_CHECKING:
    from starlette.requests import Request

M = TypeVar("M", bound=BaseModel)
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BatchModel):
    """What can be changed while the service runs; what is left out stays as it is."""

    active_job_quota: int | None = Field(default=None, ge=0)
    node_limits: tuple[NodeLimit, ...] | None = None
    blob_naming: BlobNaming | None = None
    completion_delay_seconds: Seconds | None = None
    empty_prefix: EmptyPrefix | None = None
    statistics_delay_seconds: Seconds | Literal["never"] | None = None


class NodeChange(BatchModel):
    """The state that a node has from now on, and what its `errors` say."""

    state: NodeState
    errors: tuple[NodeError, ...] = ()


class Preemption(BatchModel):
    """How many spot nodes a pool loses now; all of them if that is left out."""

    nodes: int | None = Field(default=None, ge=1)


class LocalApi:
    """The state behind `/_local`, which every call of an operation consults."""

    def __init__(self, service: BatchService, faults: FaultList) -> None:
        self.requests: Counter[str] = Counter()
        self.faults = Faults()
        self.faults.replace(faults)
        self._service = service

    def routes(self) -> list[Route]:
        """Return the routes below `/_local`."""
        return [
            Route("/_local/health", self._health, methods=["GET"]),
            Route("/_local/requests", self._show_requests, methods=["GET"]),
            Route("/_local/requests", self._forget_requests, methods=["DELETE", "POST"]),
            Route("/_local/faults", _refusing(self._set_faults), methods=["PUT"]),
            Route("/_local/node-faults", _refusing(self._set_node_faults), methods=["PUT"]),
            Route("/_local/settings", self._show_settings, methods=["GET"]),
            Route("/_local/settings", _refusing(self._change_settings), methods=["PATCH"]),
            Route("/_local/pools/{pool_id}/evaluate", _refusing(self._evaluate), methods=["POST"]),
            Route("/_local/pools/{pool_id}/nodes/{node_id}", _refusing(self._change_node), methods=["PUT"]),
            Route("/_local/pools/{pool_id}/preempt", _refusing(self._preempt), methods=["POST"]),
        ]

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async def _show_requests(self, _: Request) -> Response:
        return JSONResponse(dict(sorted(self.requests.items())))

    async def _forget_requests(self, _: Request) -> Response:
        self.requests.clear()
        return Response(status_code=204)

    async def _set_faults(self, request: Request) -> None:
        self.faults.replace(await _read(request, FaultList))

    async def _set_node_faults(self, request: Request) -> None:
        self._service.nodes.faults.replace(await _read(request, NodeFaultList))

    async def _show_settings(self, _: Request) -> Response:
        limits, nodes = self._service.limits, self._service.nodes
        settings = Settings(
            active_job_quota=limits.active_job_quota,
            node_limits=limits.node_limits,
            blob_naming=nodes.naming,
            completion_delay_seconds=nodes.completion_delay,
            empty_prefix=nodes.empty_prefix,
            statistics_delay_seconds="never" if limits.statistics_delay == NEVER else limits.statistics_delay,
        )
        return JSONResponse(settings.model_dump(mode="json", by_alias=True, exclude_none=True))

    async def _change_settings(self, request: Request) -> None:
        settings, limits = await _read(request, Settings), self._service.limits
        if settings.active_job_quota is not None:
            limits.active_job_quota = settings.active_job_quota
        if settings.node_limits is not None:
            limits.node_limits = settings.node_limits
        if settings.blob_naming is not None:
            self._service.nodes.naming = settings.blob_naming
        if settings.completion_delay_seconds is not None:
            self._service.nodes.completion_delay = settings.completion_delay_seconds
        if settings.empty_prefix is not None:
            self._service.nodes.empty_prefix = settings.empty_prefix
        if settings.statistics_delay_seconds is not None:
            delay = settings.statistics_delay_seconds
            limits.statistics_delay = NEVER if isinstance(delay, str) else delay

    async def _change_node(self, request: Request) -> None:
        change, ids = await _read(request, NodeChange), request.path_params
        self._service.do(
            lambda account: account.nodes.set_state(ids["pool_id"], ids["node_id"], change.state, change.errors)
        )

    async def _evaluate(self, request: Request) -> None:
        self._service.do(lambda account: account.auto_scale.evaluate_now(request.path_params["pool_id"]))

    async def _preempt(self, request: Request) -> None:
        preemption, pool_id = await _read(request, Preemption), request.path_params["pool_id"]
        self._service.do(lambda account: account.nodes.preempt(pool_id, preemption.nodes))


async def _read(request: Request, model: type[M]) -> M:
    return model.model_validate_json(await request.body() or b"{}")


def _refusing(change: Callable[[Request], Awaitable[None]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer 204 once a change is made; 400 or 404 if it cannot be, with what is wrong."""

    async def answer(request: Request) -> Response:
        try:
            await change(request)
        except ValidationError as error:
            return JSONResponse({"errors": error.errors(include_url=False, include_context=False)}, 400)
        except BatchError as error:
            return JSONResponse({"errors": [{"msg": error.error.message}]}, error.error.status)
        return Response(status_code=204)

    return answer
