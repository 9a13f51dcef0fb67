"""The operations on pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.batch.api.call import Call, json_response
from local.batch.api.conditions import Version
from local.batch.api.operation import Operation
from local.batch.api.views import auto_scale_run_view, pool_view
from local.batch.machine.pool_rules import check_packages, check_pool, check_update
from local.batch.models.auto_scale import PoolEnableAutoScale, PoolEvaluateAutoScale
from local.batch.models.pool import Pool, PoolCreate, PoolReplace, PoolResize, PoolUpdate
from local.batch.service import utc_now

if TYPE_CHECKING:
    from starlette.responses import Response


def create_pool(call: Call) -> Response:
    """Add a pool."""
    spec = call.read(PoolCreate)
    check_pool(spec, utc_now())
    pool = call.service.do(lambda account: account.pools.create(spec))
    return call.created(f"pools/{pool.id}", _version_of(pool))


def get_pool(call: Call) -> Response:
    """Show a pool; for HEAD, say whether there is one."""
    pool = _checked_pool(call)
    return call.entity("pools", pool_view(pool, call.base_url), _version_of(pool))


def list_pools(call: Call) -> Response:
    """List all pools."""
    pools = call.service.do(lambda account: account.pools.all())
    return call.listing("pools", pools, lambda pool: pool_view(pool, call.base_url))


def update_pool(call: Call) -> Response:
    """Change some properties of a pool."""
    update = call.read(PoolUpdate)
    pool = _checked_pool(call)
    check_update(pool, update)
    call.service.do(lambda account: account.pools.update(pool.id, update))
    return call.done(200, _version(call))


def replace_pool_properties(call: Call) -> Response:
    """Replace the properties of a pool that may be replaced as a whole."""
    replacement = call.read(PoolReplace)
    pool = _pool(call)
    check_packages(replacement)
    call.service.do(lambda account: account.pools.replace(pool.id, replacement))
    return call.done(204, _version(call))


def resize_pool(call: Call) -> Response:
    """Change the number of nodes."""
    resize = call.read(PoolResize)
    pool = _checked_pool(call)
    call.service.do(lambda account: account.pools.resize(pool.id, resize))
    return call.done(202, _version(call))


def delete_pool(call: Call) -> Response:
    """Remove a pool."""
    pool = _checked_pool(call)
    call.service.do(lambda account: account.pools.delete(pool.id))
    return call.done(202)


def stop_pool_resize(call: Call) -> Response:
    """Leave a pool with the nodes that it has."""
    pool = _checked_pool(call)
    call.service.do(lambda account: account.pools.stop_resize(pool.id))
    return call.done(202, _version(call))


def enable_pool_auto_scale(call: Call) -> Response:
    """Let a pool scale by a formula."""
    request = call.read(PoolEnableAutoScale)
    pool = _checked_pool(call)
    call.service.do(lambda account: account.auto_scale.enable(pool.id, request))
    return call.done(200, _version(call))


def disable_pool_auto_scale(call: Call) -> Response:
    """Leave a pool with the nodes that it should have now."""
    pool = _pool(call)
    call.service.do(lambda account: account.auto_scale.disable(pool.id))
    return call.done(200, _version(call))


def evaluate_pool_auto_scale(call: Call) -> Response:
    """Say what a formula would make of a pool now."""
    request, pool = call.read(PoolEvaluateAutoScale), _pool(call)
    run = call.service.do(lambda account: account.auto_scale.evaluate(pool.id, request))
    return json_response({"odata.metadata": f"{call.base_url}/$metadata#autoscalerun", **auto_scale_run_view(run)})


def list_pool_usage_metrics(call: Call) -> Response:
    """List nothing: what pools have used is aggregated by Azure for its bills, and nobody pays for this machine."""
    return call.listing("poolusagemetrics", (), dict)


def _pool(call: Call) -> Pool:
    return call.service.do(lambda account: account.state.pool(call.params["pool_id"]))


def _checked_pool(call: Call) -> Pool:
    pool = _pool(call)
    call.check_conditions(_version_of(pool))
    return pool


def _version(call: Call) -> Version:
    return _version_of(_pool(call))


def _version_of(pool: Pool) -> Version:
    return Version(pool.e_tag, pool.last_modified)


OPERATIONS = [
    Operation("Pools_CreatePool", "POST", "/pools", create_pool),
    Operation("Pools_ListPools", "GET", "/pools", list_pools),
    Operation("Pools_PoolExists", "HEAD", "/pools/{pool_id}", get_pool),
    Operation("Pools_GetPool", "GET", "/pools/{pool_id}", get_pool),
    Operation("Pools_UpdatePool", "PATCH", "/pools/{pool_id}", update_pool),
    Operation("Pools_ReplacePoolProperties", "POST", "/pools/{pool_id}/updateproperties", replace_pool_properties),
    Operation("Pools_ResizePool", "POST", "/pools/{pool_id}/resize", resize_pool),
    Operation("Pools_StopPoolResize", "POST", "/pools/{pool_id}/stopresize", stop_pool_resize),
    Operation("Pools_EnablePoolAutoScale", "POST", "/pools/{pool_id}/enableautoscale", enable_pool_auto_scale),
    Operation("Pools_DisablePoolAutoScale", "POST", "/pools/{pool_id}/disableautoscale", disable_pool_auto_scale),
    Operation("Pools_EvaluatePoolAutoScale", "POST", "/pools/{pool_id}/evaluateautoscale", evaluate_pool_auto_scale),
    Operation("Pools_ListPoolUsageMetrics", "GET", "/poolusagemetrics", list_pool_usage_metrics),
    Operation("Pools_DeletePool", "DELETE", "/pools/{pool_id}", delete_pool),
]
