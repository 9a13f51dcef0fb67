"""What the expressions of all tasks of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shared.documents.run import Run
from shared.documents.states import State
from shared.expressions.functions import OTHER_PARTS, from_json, now_of
from shared.expressions.values import Advised, Budget, Unknown
from shared.manifest.read import Flow
from shared.plan._app_variables import app_variables, env_of, hidden_names, secret_of
from shared.plan._loop_values import current_each_output
from shared.plan._trigger_values import values_of_trigger
from shared.settings import Settings


@dataclass(frozen=True)
class Context:
    """What the expressions of all tasks of a run share.

    `inputs` are the values of the flow's inputs, of which some, or all, may not be known because of mistakes.
    """

    flow: Flow
    run: Run
    settings: Settings
    budget: Budget = field(default_factory=Budget)
    inputs: Mapping[str, Any] | Unknown = field(default_factory=dict)

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """The values that every expression can use."""
        return {
            "vars": self.flow.variables,
            "inputs": self.inputs,
            "labels": self.flow.labels,
            "flow": Advised({"id": self.flow.id, "namespace": self.flow.namespace}, OTHER_PARTS["flow"]),
            "execution": {"id": self.run.id, "startDate": self.run.body.accepted, "state": State.RUNNING},
            **({"trigger": values_of_trigger(by)} if (by := self.run.body.trigger) else {}),
            **app_variables(self.settings),
        }

    @property
    def hidden(self) -> frozenset[str]:
        """The names whose values only the app knows; or, where a manifest is only checked, only its trigger."""
        by = self.run.body.trigger
        return hidden_names(self.settings) | ({"trigger"} if by and not by.is_known else frozenset())

    @cached_property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The functions that every expression can call."""
        return {
            "secret": secret_of(self.settings),
            "now": now_of(self.run.body.accepted),
            "fromJson": from_json,
            "json": from_json,
            "env": env_of(self.settings),
            "currentEachOutput": current_each_output,
        }
