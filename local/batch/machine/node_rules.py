"""What the nodes of a pool can be made of: sizes, images, node agents, subnets.

Where Azure's words are known they are used; the others are this service's own, with the code of the service. That a
pair of image and node agent that does not go together is InvalidPropertyValue: hashicorp/terraform#36698.
"""

from __future__ import annotations

import re

from local.batch.errors import BatchError, ErrorCode, invalid_property
from local.batch.models.common import Json
from local.batch.models.machine import ImageReference, VirtualMachineConfiguration
from local.batch.models.pool import MAX_SLOTS_PER_NODE
from local.batch.models.supported_images import DOCKER_COMPATIBLE, SUPPORTED_IMAGES, SupportedImage, find_image
from local.batch.models.vm_sizes import SLOTS_PER_CORE, cores_of

_VERSION = re.compile(r"latest|\d+\.\d+\.\d+", re.IGNORECASE)
_SUBNET = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
    re.IGNORECASE,
)
_GALLERY_IMAGE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Compute/galleries/[^/]+/images/[^/]+(/versions/[^/]+)?",
    re.IGNORECASE,
)
_NO_SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000/"


def check_size(vm_size: str, slots: int) -> None:
    """Refuse sizes that do not exist, and more slots than their cores allow."""
    cores = cores_of(vm_size)
    if cores is None:
        raise invalid_property("vmSize", vm_size, "There is no such size of virtual machines, or not in Azure Batch.")
    most = min(cores * SLOTS_PER_CORE, MAX_SLOTS_PER_NODE)
    if slots > most:
        reason = f"A node of {vm_size} has {cores} cores, and at most {SLOTS_PER_CORE} slots for each: {most}."
        raise invalid_property("taskSlotsPerNode", slots, reason)


def check_machine(machine: VirtualMachineConfiguration | None) -> None:
    """Refuse images that are not supported, another node agent than theirs, and containers where they have no runtime.

    An image of the client's own, which has an id, is not known here: it may be anything, with any node agent that
    there is.
    """
    if machine is None:
        raise BatchError(ErrorCode.MISSING_REQUIRED_PROPERTY, PropertyName="virtualMachineConfiguration")
    image, agent = machine.image_reference, machine.node_agent_sku_id
    for name, value in (("imageReference", image), ("nodeAgentSKUId", agent)):
        if value is None:
            raise BatchError(ErrorCode.MISSING_REQUIRED_PROPERTY, PropertyName=f"virtualMachineConfiguration.{name}")
    assert image is not None  # noqa: S101 - see above
    own = image.virtual_machine_image_id
    if own is not None and not _GALLERY_IMAGE.fullmatch(own):
        form = "/subscriptions/…/resourceGroups/…/providers/Microsoft.Compute/galleries/…/images/…[/versions/…]"
        raise invalid_property(
            "virtualMachineImageId", own, f"It is not the resource id of an image in a gallery: {form}."
        )
    supported = None if image.is_own else _supported(image)
    agents = {each.node_agent_sku_id for each in ([supported] if supported else SUPPORTED_IMAGES)}
    if agent not in agents:
        reason = f"It does not run on the specified image; what does: {', '.join(sorted(agents))}."
        raise invalid_property("nodeAgentSKUId", agent, reason)
    if supported and machine.container_configuration and DOCKER_COMPATIBLE not in supported.capabilities:
        # azure-sdk-for-java, PoolTests.shouldFailOnCreateContainerPoolWithRegularImage
        raise _refused(image, "does not support container feature")


def check_network(network: Json) -> None:
    """Refuse a network of a job whose subnet is none."""
    check_subnet(network.get("subnetId") if isinstance(network, dict) else None)


def check_subnet(subnet: object) -> None:
    """Refuse a subnet that is not given by its resource id: NetworkConfiguration.subnetId in the SDKs says its form.

    One of the subscription that no one has is there for nobody; the words are Azure's: microsoft/ga4gh-tes#80.
    """
    if subnet is not None and not _SUBNET.fullmatch(str(subnet)):
        form = "/subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/…/subnets/…"
        raise invalid_property("subnetId", subnet, f"It is not the resource id of a subnet: {form}.")
    if subnet is not None and str(subnet).startswith(_NO_SUBSCRIPTION):
        reason = "Either the specified VNet does not exist, or the Batch service does not have access to it"
        raise invalid_property("subnetId", subnet, reason)


def _supported(image: ImageReference) -> SupportedImage:
    for name in ("publisher", "offer", "sku"):
        if getattr(image, name) is None:
            raise BatchError(ErrorCode.MISSING_REQUIRED_PROPERTY, PropertyName=f"imageReference.{name}")
    supported = find_image(str(image.publisher), str(image.offer), str(image.sku))
    if supported is None:
        # quoted so in the documentation of the project dmsbatch
        raise _refused(image, "is not supported")
    if image.version is not None and not _VERSION.fullmatch(image.version):
        raise invalid_property(
            "version", image.version, "It is neither latest nor three numbers, such as 24.04.20260101."
        )
    return supported


def _refused(image: ImageReference, why: str) -> BatchError:
    names = f"publisher {image.publisher} offer {image.offer} sku {image.sku}"
    return invalid_property("imageReference", names, f"The specified imageReference with {names} {why}.")
