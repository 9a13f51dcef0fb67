"""What the expressions of all tasks of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shared.documents.run import Run
from shared.documents.states import State
from shared.expressions.functions import OTHER_PARTS, from_json, now_of
from shared.expressions.values import Advised, Budget, ExpressionError, Unknown
from shared.manifest.read import Flow
from shared.plan._app_variables import app_variables, env_of
from shared.plan._loop_values import current_each_output
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
            **app_variables(self.settings),
        }

    @cached_property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The functions that every expression can call."""
        return {
            "secret": self._secret,
            "now": now_of(self.run.body.accepted),
            "fromJson": from_json,
            "json": from_json,
            "env": env_of(self.settings),
            "currentEachOutput": current_each_output,
        }

    def _secret(self, key: str) -> str:
        value = self.settings.secrets.get(key)
        if value is None:
            raise ExpressionError(f"there is no secret {key!r}; define it as the app setting SECRET_{key}")
        return value
