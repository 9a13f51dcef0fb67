"""What all triggers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from shared.manifest._labels import Labels
from shared.manifest.conditions import Condition
from shared.manifest.types import NoEffect, Properties, PropertyPath, Unsupported

TRIGGERS, OLD_TRIGGERS = "io.kestra.plugin.core.trigger", "io.kestra.core.models.triggers.types"
SCHEDULE, FLOW_TRIGGER = f"{TRIGGERS}.Schedule", f"{TRIGGERS}.Flow"
_NOT_LOGGED = NoEffect("what the app does is logged by the app")


def _concurrent(value: bool) -> bool:
    if not value:
        how = "write `concurrency: {limit: 1}` at the top of the flow, and leave this out"
        raise ValueError(f"a trigger starts its runs whatever others are under way: {how}")
    return value


@dataclass(frozen=True)
class TypeOf:
    """Marks the type of a trigger, which may have its old name."""

    name: str

    def __get_pydantic_json_schema__(self, *_: object) -> dict[str, Any]:
        """The type, or its old name."""
        return {"type": "string", "enum": [f"{TRIGGERS}.{self.name}", f"{OLD_TRIGGERS}.{self.name}"]}


def canonical(written: str) -> str:
    """The type of a trigger for any of the names that it has had; other texts stay as they are."""
    return written.replace(f"{OLD_TRIGGERS}.", f"{TRIGGERS}.")


class TriggerProperties(Properties):
    """What all triggers have in common."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", max_length=100)]
    """Its name, and a part of the names of its runs: with another id it is another trigger."""
    type: str
    """Kestra's type."""
    description: str | None = None
    """For readers."""
    disabled: bool = False
    """Whether it starts nothing."""
    labels: Labels = Field(default_factory=dict)
    """Labels of the runs that it starts, beside those of the flow. The values may have the expressions of `inputs`."""
    log_level: Annotated[Any, _NOT_LOGGED] = None
    min_log_level: Annotated[Any, _NOT_LOGGED] = None
    log_to_file: Annotated[Any, _NOT_LOGGED] = None
    version: Annotated[Any, NoEffect("triggers have no versions")] = None
    worker_group: Annotated[Any, NoEffect("the app itself looks at triggers")] = None
    worker_selector: Annotated[Any, NoEffect("the app itself looks at triggers")] = None
    assets: Annotated[Any, NoEffect("there are no assets")] = None
    allow_concurrent: Annotated[bool, AfterValidator(_concurrent)] = True
    """Whether a run starts while an earlier one is under way: `false` is an error, `concurrency` of the flow limits how
    many are."""
    fail_on_trigger_error: Annotated[
        Any, NoEffect("a trigger that cannot be evaluated starts a run that is rejected")
    ] = None
    stop_after: Annotated[
        None,
        Unsupported("let a task in `errors` tell somebody, who puts the flow with `disabled: true` of the trigger"),
    ] = None

    def texts(self, when: str | None, conditions: Iterable[Condition]) -> Iterator[tuple[PropertyPath, str]]:
        """The texts that must hold: `when`, and the conditions."""
        if when is not None:
            yield ("when",), when
        for index, condition in enumerate(conditions):
            if expression := condition.expression():
                yield ("conditions", index), f"{{{{ {expression} }}}}"
