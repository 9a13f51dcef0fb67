"""The network of a pool: which ports of its nodes can be reached from outside, and how.

https://learn.microsoft.com/rest/api/batchservice/pools/create-pool#inboundnatpool
"""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from local.batch.models.common import BatchModel, Json, WireEnum

RESERVED_BACKEND_PORTS = frozenset({29876, 29877})
RESERVED_FRONTEND_PORTS = range(50000, 55001)
FEWEST_FRONTEND_PORTS = 40
MOST_RULES = 25

_FrontendPort = Annotated[int, Field(ge=1, le=65534)]


class Protocol(WireEnum):
    """The protocol of an endpoint."""

    TCP = "tcp"
    UDP = "udp"


class IpFamily(WireEnum):
    """A version of the internet protocol."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


class InboundNatPool(BatchModel):
    """A port of all nodes, and the ports outside of which each node gets one."""

    name: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,75}[A-Za-z0-9_])?$")
    protocol: Protocol
    backend_port: int = Field(ge=1, le=65535)
    frontend_port_range_start: _FrontendPort
    frontend_port_range_end: _FrontendPort
    network_security_group_rules: tuple[Json, ...] = ()

    @property
    def frontend_ports(self) -> range:
        """The ports outside."""
        return range(self.frontend_port_range_start, self.frontend_port_range_end + 1)

    @model_validator(mode="after")
    def _has_ports_that_are_free(self) -> Self:
        ports = self.frontend_ports
        if self.backend_port in RESERVED_BACKEND_PORTS or _overlap(ports, RESERVED_FRONTEND_PORTS):
            msg = "The ports 29876 and 29877 of nodes, and 50000 to 55000 outside, are reserved."
            raise ValueError(msg)
        if len(ports) < FEWEST_FRONTEND_PORTS:
            msg = f"A range must contain at least {FEWEST_FRONTEND_PORTS} ports."
            raise ValueError(msg)
        return self


class EndpointConfiguration(BatchModel):
    """The ports of nodes that can be reached from outside."""

    inbound_nat_pools: tuple[InboundNatPool, ...] = Field(max_length=5, alias="inboundNATPools")

    @model_validator(mode="after")
    def _has_distinct_ports(self) -> Self:
        for one, other in combinations(self.inbound_nat_pools, 2):
            if one.name == other.name or one.backend_port == other.backend_port:
                msg = "Names and backend ports must be unique within a pool."
                raise ValueError(msg)
            if _overlap(one.frontend_ports, other.frontend_ports):
                msg = "Ranges of frontend ports must not overlap."
                raise ValueError(msg)
        if sum(len(pool.network_security_group_rules) for pool in self.inbound_nat_pools) > MOST_RULES:
            msg = f"There can be {MOST_RULES} rules in a pool at most."
            raise ValueError(msg)
        return self


class PublicIpAddressConfiguration(BatchModel):
    """The public addresses of a pool; what nothing here depends on is stored and returned."""

    model_config = ConfigDict(extra="allow")

    provision: str | None = None
    ip_families: tuple[IpFamily, ...] = ()


class PoolNetwork(BatchModel):
    """The network of a pool; what nothing here depends on is stored and returned."""

    model_config = ConfigDict(extra="allow")

    subnet_id: str | None = None
    endpoint_configuration: EndpointConfiguration | None = None
    public_ip_address_configuration: PublicIpAddressConfiguration | None = Field(
        default=None, alias="publicIPAddressConfiguration"
    )

    @property
    def has_ipv6(self) -> bool:
        """Whether its nodes have addresses of both families."""
        public = self.public_ip_address_configuration
        return public is not None and IpFamily.IPV6 in public.ip_families

    @model_validator(mode="after")
    def _has_addresses_for_its_endpoints(self) -> Self:
        public = self.public_ip_address_configuration
        if self.endpoint_configuration and public and (public.provision or "").lower() == "nopublicipaddresses":
            msg = "endpointConfiguration cannot be specified without public IP addresses."
            raise ValueError(msg)
        return self


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
