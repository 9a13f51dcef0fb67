"""The images that `Pools_ListSupportedImages` names, and of which pools can be made.

Nodes here are this machine, whatever image a pool names: this is a choice of the service's own entries. Those of Ubuntu
20.04 and older are retired: https://github.com/Azure/Batch/issues/174. Images with a container runtime are
`DockerCompatible`; microsoft-dsvm's are those that Batch's own team advises: https://github.com/Azure/Batch/issues/200.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from local.batch.models.common import BatchModel

DOCKER_COMPATIBLE = "DockerCompatible"


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
    os_type: Literal["linux", "windows"] = "linux"
    capabilities: tuple[str, ...] = ()
    verification_type: Literal["verified", "unverified"] = "verified"

    @property
    def id(self) -> str:
        """What the listing is ordered by."""
        image = self.image_reference
        return f"{image.publisher}/{image.offer}/{image.sku}"


def _image(agent: str, publisher: str, offer: str, sku: str, *capabilities: str) -> SupportedImage:
    reference = ImageReference(publisher=publisher, offer=offer, sku=sku)
    return SupportedImage(node_agent_sku_id=agent, image_reference=reference, capabilities=capabilities)


def _windows(sku: str) -> SupportedImage:
    reference = ImageReference(publisher="microsoftwindowsserver", offer="windowsserver", sku=sku)
    return SupportedImage(node_agent_sku_id=WINDOWS, image_reference=reference, os_type="windows")


WINDOWS = "batch.node.windows amd64"
UBUNTU_22 = "batch.node.ubuntu 22.04"
UBUNTU_24 = "batch.node.ubuntu 24.04"
PLAIN_IMAGE = _image(UBUNTU_24, "canonical", "ubuntu-24_04-lts", "server")
CONTAINER_IMAGE = _image(UBUNTU_24, "microsoft-dsvm", "ubuntu-hpc", "2404", DOCKER_COMPATIBLE)
"""The image that is deployed, by infra/batch.bicep."""
SUPPORTED_IMAGES = (
    _image(UBUNTU_22, "canonical", "0001-com-ubuntu-server-jammy", "22_04-lts"),
    PLAIN_IMAGE,
    _image(UBUNTU_24, "canonical", "ubuntu-24_04-lts", "server-gen1"),
    _image(UBUNTU_22, "microsoft-dsvm", "ubuntu-hpc", "2204", DOCKER_COMPATIBLE),
    CONTAINER_IMAGE,
    _windows("2016-datacenter-smalldisk"),
    _windows("2022-datacenter-g2"),
)
"""Those of Windows are of Microsoft's own tests of azure-batch; no node is made of them here."""


def find_image(publisher: str, offer: str, sku: str) -> SupportedImage | None:
    """The image of these names, in upper or lower case."""
    wanted = f"{publisher}/{offer}/{sku}".lower()
    return next((image for image in SUPPORTED_IMAGES if image.id == wanted), None)
