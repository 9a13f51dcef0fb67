"""The ports of nodes that a pool opens: https://learn.microsoft.com/rest/api/batchservice/pools/create-pool."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from local.batch.models.network import PoolNetwork

NAT_POOL = {
    "name": "ssh",
    "protocol": "tcp",
    "backendPort": 22,
    "frontendPortRangeStart": 15000,
    "frontendPortRangeEnd": 15100,
}
OTHER = {**NAT_POOL, "name": "other", "backendPort": 23, "frontendPortRangeStart": 16000, "frontendPortRangeEnd": 16039}


def network(*nat_pools: dict[str, object], **more: object) -> PoolNetwork:
    """A network that opens ports."""
    return PoolNetwork.model_validate({"endpointConfiguration": {"inboundNATPools": nat_pools}, **more})


def test_what_is_allowed_is_kept():
    """Forty ports suffice, and what nothing here depends on comes back."""
    made = network(NAT_POOL, OTHER, dynamicVNetAssignmentScope="none")
    dumped = made.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert dumped["dynamicVNetAssignmentScope"] == "none"
    assert [each["name"] for each in dumped["endpointConfiguration"]["inboundNATPools"]] == ["ssh", "other"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "-ssh"},
        {"name": "ssh-"},
        {"name": "s" * 78},
        {"backendPort": 29876},
        {"backendPort": 0},
        {"frontendPortRangeStart": 15062},
        {"frontendPortRangeStart": 49000, "frontendPortRangeEnd": 50000},
        {"frontendPortRangeStart": 55000, "frontendPortRangeEnd": 55100},
        {"frontendPortRangeEnd": 65535},
        {"protocol": "icmp"},
        {"networkSecurityGroupRules": [{}] * 26},
    ],
)
def test_a_port_that_cannot_be_opened_is_refused(changes):
    """Names, reserved ports, ranges that are too small, too many rules."""
    with pytest.raises(ValidationError):
        network({**NAT_POOL, **changes})


@pytest.mark.parametrize(
    "changes", [{"name": "ssh"}, {"backendPort": 22}, {"frontendPortRangeStart": 15100, "frontendPortRangeEnd": 15200}]
)
def test_what_two_ports_cannot_share_is_refused(changes):
    """Their name, the port of the node, a port outside."""
    with pytest.raises(ValidationError):
        network(NAT_POOL, {**OTHER, **changes})


def test_ports_need_addresses():
    """And there are five at most."""
    with pytest.raises(ValidationError):
        network(NAT_POOL, publicIPAddressConfiguration={"provision": "noPublicIPAddresses"})
    many = [
        {
            **NAT_POOL,
            "name": f"p{n}",
            "backendPort": n,
            "frontendPortRangeStart": n * 100,
            "frontendPortRangeEnd": n * 100 + 50,
        }
        for n in range(1, 7)
    ]
    assert network(*many[:5])
    with pytest.raises(ValidationError):
        network(*many)
