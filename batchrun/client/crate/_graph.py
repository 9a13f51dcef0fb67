"""The graph of a crate: its entities by their ids; and how ids and values are made of texts that may hold anything.

The form is JSON-LD as RO-Crate wants it, flat and compact: https://www.researchobject.org/ro-crate/specification/1.1
(appendix/jsonld). Texts of others are only values, which none of the contexts reads as ids, or are encoded in ids.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from shared.masking import MASK

Entity = dict[str, Any]

CONTEXTS = ("https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context")
_PLANES = "".join(f"{chr(plane << 16)}-{chr((plane << 16) + 0xFFFD)}" for plane in range(1, 14))
_NOT_IN_IDS = re.compile(
    r"[^A-Za-z0-9._~!$&'()*+,;=@/\xa0-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
    rf"{_PLANES}\U000e1000-\U000efffd]"
)
"""What is no `ipchar` or slash, and what turns the direction of text or ends a line, as sections 2.2 and 4.1 of
https://www.rfc-editor.org/rfc/rfc3987 have it. A colon would begin a scheme."""
_LARGEST_EXACT = 2**53
"""From here on, a number of JSON is not the same for every reader: https://www.rfc-editor.org/rfc/rfc8259#section-6."""


class Graph:
    """The entities of a crate, in the order in which they were added."""

    def __init__(self) -> None:
        self._entities: dict[str, Entity] = {}

    def add(self, entity: Entity) -> str:
        """Add an entity, unless there is one with its id; returns the id."""
        self._entities.setdefault(entity["@id"], entity)
        return str(entity["@id"])

    def add_all(self, entities: Iterable[Entity]) -> list[str]:
        """The same with several."""
        return [self.add(entity) for entity in entities]

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._entities.values())

    def to_json(self) -> str:
        """The document. What UTF-8 cannot have, a lone surrogate, stays an escape of JSON."""
        document = {"@context": list(CONTEXTS), "@graph": list(self)}
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
        return text.encode(errors="backslashreplace").decode()


def entity(name: str, types: str | list[str], properties: Mapping[str, object]) -> Entity:
    """An entity with the id `name`, without what is None or empty; a list of one is that one, as RO-Crate 1.1 wants."""
    compact = {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in properties.items()
    }
    return {
        "@id": name,
        "@type": types,
        **{key: value for key, value in compact.items() if value not in (None, [], "")},
    }


def refs(names: Iterable[str]) -> list[Entity]:
    """References to entities, each once."""
    return [{"@id": name} for name in dict.fromkeys(names)]


def ref(name: str | None) -> Entity | None:
    """A reference to an entity, if there is one."""
    return None if name is None else {"@id": name}


def path_id(path: str) -> str:
    """The id of a file by its path below the crate.

    Characters that are not ASCII stay as they are, as the specification prefers ("Encoding file paths" in
    https://www.researchobject.org/ro-crate/specification/1.1/data-entities.html).
    """
    return _NOT_IN_IDS.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), path)


def local_id(*parts: str | int) -> str:
    """The id of what is described in the crate alone; different parts make different ids."""
    return "#" + "/".join(path_id(str(part)).replace("/", "%2F") for part in parts)


def property_value(name: str, properties: Mapping[str, object], value: object) -> Entity | None:
    """The entity of a value, which is text where it is no number and no boolean. None if it is null or has a mask."""
    if value is None or is_masked(properties) or is_masked(value):
        return None
    described = entity(name, "PropertyValue", properties)
    described["value"] = _plain(value)
    return described


def is_masked(value: object) -> bool:
    """Whether a secret was masked in a value."""
    return MASK in json.dumps(value, ensure_ascii=False, default=str)


def _plain(value: object) -> object:
    """A value of JSON as a text, a number or a boolean: maps and lists would be read as entities."""
    match value:
        case bool() | str():
            return value
        case int() if abs(value) < _LARGEST_EXACT:
            return value
        case float() if math.isfinite(value) and abs(value) < _LARGEST_EXACT:
            return value
    return json.dumps(value, ensure_ascii=False)


def moment(time: datetime | None) -> str | None:
    """A time in the only form that the checks of the profiles take: with an offset, with milliseconds or without."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds") if time else None
