"""Which values of a run's inputs its record may hold: a later run may be a retry of it, and secrets are not stored."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.masking import Masker


@dataclass(frozen=True)
class RecordedInputs:
    """The values of a run's inputs that its record may hold, and the ids of those given to it that hold a secret."""

    values: Mapping[str, Any] = field(default_factory=dict)
    masked: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any], given: Container[str], masker: Masker) -> RecordedInputs:
        """Of all values of inputs; `given` are the ids of those that are not defaults."""
        masked = [name for name, value in values.items() if masker.masks(value)]
        open_values = {name: value for name, value in values.items() if name not in masked}
        return cls(open_values, tuple(name for name in masked if name in given))
