"""The images that `Pools_ListSupportedImages` names.

Nodes here are this machine, whatever image a pool names: this is a choice of the service's own entries, so that clients
that look for an image before they create a pool find one.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from local.batch.models.common import BatchModel


class ImageReference(BatchModel):
    """An image of the marketplace."""

    publisher: str
    offer: str
    sku: str
    version: str = "latest"


class SupportedImage(BatchModel):
    """An image, and the node agent that runs on it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    node_agent_sku_id: str = Field(alias="nodeAgentSKUId")
    image_reference: ImageReference
    os_type: Literal["linux"] = "linux"
    capabilities: tuple[str, ...] = ()
    verification_type: Literal["verified", "unverified"] = "verified"

    @property
    def id(self) -> str:
        """What the listing is ordered by."""
        image = self.image_reference
        return f"{image.publisher}/{image.offer}/{image.sku}"


SUPPORTED_IMAGES = (
    SupportedImage(
        node_agent_sku_id="batch.node.ubuntu 22.04",
        image_reference=ImageReference(publisher="canonical", offer="0001-com-ubuntu-server-jammy", sku="22_04-lts"),
    ),
    SupportedImage(
        node_agent_sku_id="batch.node.ubuntu 24.04",
        image_reference=ImageReference(publisher="canonical", offer="ubuntu-24_04-lts", sku="server"),
    ),
    SupportedImage(
        node_agent_sku_id="batch.node.ubuntu 22.04",
        image_reference=ImageReference(publisher="microsoft-dsvm", offer="ubuntu-hpc", sku="2204"),
        capabilities=("DockerCompatible",),
    ),
)
