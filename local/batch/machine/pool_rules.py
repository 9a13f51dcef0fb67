"""What a pool must be like to be created or changed: https://learn.microsoft.com/rest/api/batchservice/pools."""

from __future__ import annotations

from datetime import datetime

from local.batch.autoscale.evaluation import Scope
from local.batch.autoscale.samples import Counts, History
from local.batch.errors import BatchError, ErrorCode, invalid_property
from local.batch.machine.auto_scale_rules import check_formula
from local.batch.machine.node_rules import check_machine, check_size, check_subnet
from local.batch.models.pool import Pool, PoolReplace, PoolSpecification, PoolUpdate

_CHANGED_ONLY_WITHOUT_NODES = (
    "display_name",
    "vm_size",
    "enable_inter_node_communication",
    "virtual_machine_configuration",
    "task_slots_per_node",
    "task_scheduling_policy",
    "network_configuration",
    "user_accounts",
    "mount_configuration",
    "upgrade_policy",
)
"""Of each of them is documented: "This field can be updated only when the pool is empty"."""


_TARGETS = ("target_dedicated_nodes", "target_low_priority_nodes")


def check_pool(pool: PoolSpecification, now: datetime) -> None:
    """Refuse a pool that the service refuses; its formula, if it has one, is evaluated for that."""
    if pool.enable_auto_scale:
        _check_scaling(pool, now)
    elif pool.auto_scale_formula is not None:
        reason = "It must not be specified if enableAutoScale is false."
        raise invalid_property("autoScaleFormula", pool.auto_scale_formula, reason)
    _check_nodes(pool)
    check_packages(pool)


def check_update(pool: Pool, update: PoolUpdate) -> None:
    """Refuse changes that a pool takes only while it has no nodes, and what it never takes."""
    given = [name for name in _CHANGED_ONLY_WITHOUT_NODES if getattr(update, name) is not None]
    if given and pool.nodes:
        names = ", ".join(str(type(update).model_fields[name].alias) for name in given)
        reason = f"The pool has nodes; only while it has none can these be changed: {names}."
        raise BatchError(ErrorCode.OPERATION_INVALID_FOR_CURRENT_STATE, Reason=reason)
    if given:
        _check_nodes(pool.changed(**{name: getattr(update, name) for name in given}))
    check_packages(update)


def check_packages(pool: PoolSpecification | PoolUpdate | PoolReplace) -> None:
    """Refuse references to application packages: the account has no applications."""
    if pool.application_package_references:
        raise BatchError(ErrorCode.INVALID_APPLICATION_PACKAGE_REFERENCES)


def _check_scaling(pool: PoolSpecification, now: datetime) -> None:
    for name in _TARGETS:
        if name in pool.model_fields_set:
            reason = "It must not be specified if enableAutoScale is true."
            raise invalid_property(str(type(pool).model_fields[name].alias), getattr(pool, name), reason)
    if pool.auto_scale_formula is None:
        raise BatchError(ErrorCode.MISSING_REQUIRED_PROPERTY, PropertyName="autoScaleFormula")
    check_formula(pool.auto_scale_formula, Scope(now, Counts(), History(), pool.task_slots_per_node, 0, 0))


def _check_nodes(pool: PoolSpecification) -> None:
    check_size(pool.vm_size, pool.task_slots_per_node)
    check_machine(pool.virtual_machine_configuration)
    if pool.network_configuration:
        check_subnet(pool.network_configuration.subnet_id)
