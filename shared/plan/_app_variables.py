"""`envs`, `globals` and secrets: values that all flows of an app share, which are app settings.

As in Kestra, where `envs` are the environment variables ENV_… of the server, by their names in lower case without that
(`RunContextCache`), and `globals` are of its configuration: https://github.com/kestra-io/kestra, core/…/runners.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.expressions.values import ExpressionError, LazyValue, json_of
from shared.masking import MASK
from shared.settings import ENV_PREFIX, GLOBAL_PREFIX, Settings

_PREFIXES = {"envs": ENV_PREFIX, "globals": GLOBAL_PREFIX}


def app_variables(settings: Settings) -> dict[str, Any]:
    """The values `envs` and `globals`."""
    return {name: _Hidden() if found is None else _AppVariables(name, found) for name, found in _known(settings)}


def hidden_names(settings: Settings) -> frozenset[str]:
    """The names whose values only the app knows."""
    return frozenset(name for name, found in _known(settings) if found is None)


def _known(settings: Settings) -> tuple[tuple[str, Mapping[str, str] | None], ...]:
    return ("envs", settings.envs), ("globals", settings.globals)


def env_of(settings: Settings) -> Callable[..., Any]:
    """The function `env()`, which has a default: it is also for a value that is empty, as in Kestra's `EnvFunction`."""

    def env(name: str, default: Any = None) -> Any:  # noqa: ANN401 - values of any type
        return MASK if settings.envs is None else settings.envs.get(name) or default

    return env


def secret_of(settings: Settings) -> Callable[[str], str]:
    """The function `secret()`."""

    def secret(key: str) -> str:
        value = settings.secrets.get(key)
        if value is None:
            raise ExpressionError(f"there is no secret {key!r}; define it as the app setting SECRET_{key}")
        return value

    return secret


class _Hidden(LazyValue):
    """Any value, where only the app knows which there are."""

    def as_text(self) -> str:
        """A mask."""
        return MASK

    def part(self, _: object) -> object:
        """A mask."""
        return MASK


class _AppVariables(LazyValue, Mapping[str, str]):
    """The app settings of one prefix, by what is after it, in lower case; globals are found in any case."""

    def __init__(self, kind: str, values: Mapping[str, str]) -> None:
        self._kind = kind
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower() if self._kind == "globals" else name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def as_text(self) -> str:
        """All of them, as JSON."""
        return json_of(dict(self._values))

    def part(self, name: object) -> object:
        """The value of one. Raises KeyError if there is none of this name."""
        return self[str(name)]

    def missing(self, name: str) -> str:
        """Which app setting it would be."""
        if name.lower() in self._values:
            return f"{self._kind}.{name} does not exist: write `{self._kind}.{name.lower()}`, as in Kestra"
        setting = f"{_PREFIXES[self._kind]}{name.upper()}"
        return f"{self._kind}.{name} does not exist: define it as the app setting {setting}"
