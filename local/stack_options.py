"""What a stack is asked to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_DATA_DIR = Path(".local")
DEFAULT_POOL = "local"
DEFAULT_TICK = 1
REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True)
class StackOptions:
    """How a stack is to be.

    `ports` as in `--ports` (None: the defaults); `tick` is the number of seconds between two polls; `pools` as in
    `--pool`; with `containers` container tasks run in Docker or Podman, else as processes. Other commands do not find a
    `private` stack: it ends with the one that started it. Of `environ` the settings that are meant for the app are
    passed on. For tests, `retry_scale` shortens the waits between Event Grid's attempts, and `app_root` is the folder
    of another app.
    """

    data_dir: Path = DEFAULT_DATA_DIR
    ports: str | None = None
    tick: int = DEFAULT_TICK
    pools: tuple[str, ...] = (DEFAULT_POOL,)
    functions: bool = True
    containers: bool = False
    private: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    retry_scale: float = 1.0
    app_root: Path = REPOSITORY

    @property
    def default_pool(self) -> str:
        """The id of the first pool."""
        return self.pools[0].partition(":")[0]
