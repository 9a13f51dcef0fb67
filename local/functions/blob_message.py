"""The message about a blob in the host's queue, and the receipt that it was queued."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.functions.meta import Datum

from local.functions.storage import HOST_ID

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties


@dataclass(frozen=True)
class BlobMessage:
    """One version of a blob, for which a function must be invoked."""

    function: str
    container: str
    blob: str
    etag: str

    @property
    def receipt(self) -> str:
        """The name of the blob that exists once this message has been queued."""
        return f"blobreceipts/{HOST_ID}/{_function_id(self.function)}/{self.etag}/{self.container}/{self.blob}"

    def to_json(self) -> str:
        """The message as the real host writes it, also to the poison queue."""
        return json.dumps(
            {
                "Type": "BlobTrigger",
                "FunctionId": _function_id(self.function),
                "BlobType": "BlockBlob",
                "ContainerName": self.container,
                "BlobName": self.blob,
                "ETag": self.etag,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> BlobMessage:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        function = fields["FunctionId"].removeprefix("Host.Functions.")
        return cls(function, fields["ContainerName"], fields["BlobName"], fields["ETag"])


def trigger_metadata(message: BlobMessage, properties: BlobProperties, uri: str) -> dict[str, Datum]:
    """The metadata that a function gets with the content of a blob.

    It has no usable ETag: the real host's serialiser turns the SDK's ETag type into `{}`.
    """
    described = {
        "LastModified": properties.last_modified.isoformat(),
        "ContentLength": properties.size,
        "ContentType": properties.content_settings.content_type,
        "ETag": {},
    }
    return {
        "BlobTrigger": Datum(f"{message.container}/{message.blob}", "string"),
        "Uri": Datum(json.dumps(uri), "json"),
        "Properties": Datum(json.dumps(described), "json"),
        "Metadata": Datum(json.dumps(properties.metadata), "json"),
    }


def _function_id(function: str) -> str:
    return f"Host.Functions.{function}"
