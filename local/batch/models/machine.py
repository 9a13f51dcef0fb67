"""What the nodes of a pool are made of: https://learn.microsoft.com/rest/api/batchservice/pools/create-pool."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from local.batch.models.common import BatchModel
from local.batch.models.node_task import ContainerRegistry


class ContainerConfiguration(BatchModel):
    """What a pool has for containers; its registries serve tasks that name none of their own."""

    model_config = ConfigDict(extra="allow")

    container_registries: tuple[ContainerRegistry, ...] = ()


class ImageReference(BatchModel):
    """An image that nodes are made of: the marketplace's by their names, those of the client's own by an id."""

    model_config = ConfigDict(extra="allow")

    publisher: str | None = None
    offer: str | None = None
    sku: str | None = None
    version: str | None = None
    virtual_machine_image_id: str | None = None
    shared_gallery_image_id: str | None = None
    community_gallery_image_id: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether it has an id, which the marketplace's have not."""
        ids = (self.virtual_machine_image_id, self.shared_gallery_image_id, self.community_gallery_image_id)
        return any(each is not None for each in ids)


class VirtualMachineConfiguration(BatchModel):
    """The machines of a pool; all else that is given is stored and returned."""

    model_config = ConfigDict(extra="allow")

    image_reference: ImageReference | None = None
    node_agent_sku_id: str | None = Field(default=None, alias="nodeAgentSKUId")
    container_configuration: ContainerConfiguration | None = None
