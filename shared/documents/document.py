"""What all documents have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Document(BaseModel):
    """A frozen model, camelCase in JSON. Unknown fields are ignored: a newer version may have added some."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    def to_json(self) -> str:
        """The document as indented JSON; times are ISO 8601 in UTC."""
        return self.model_dump_json(by_alias=True, indent=2)
