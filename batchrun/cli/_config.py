"""The apps that a person has named with `batchrun use`: `~/.config/batchrun/config.toml`.

    app = "prod"

    [apps.prod]
    storage = "https://stprod.blob.core.windows.net"

`app` is the one of commands that name none. Only the owner can read the file: `storage` may be a connection string.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batchrun.errors import ClientError, UsageError

LOCAL = "local"
"""The name of the stack on this machine, which is in no configuration."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True)
class Config:
    """The named apps: their storage accounts by name, and which is used by commands that name none."""

    file: Path
    app: str | None = None
    apps: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Config:
        """Read the file of the user. Raises ClientError if it is not such a file."""
        base = environ.get("XDG_CONFIG_HOME") or ""
        # Relative paths are invalid, and ignored: https://specifications.freedesktop.org/basedir-spec/latest/
        folder = Path(base) if Path(base).is_absolute() else Path(environ.get("HOME") or Path.home()) / ".config"
        file = folder / "batchrun" / "config.toml"
        try:
            found = tomllib.loads(file.read_text())
            apps = {name: str(app["storage"]) for name, app in found.get("apps", {}).items()}
        except FileNotFoundError:
            return cls(file)
        except OSError as error:
            raise ClientError(f"{file} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClientError(f"{file} cannot be read: {error}. Correct it, or remove it.") from error
        return cls(file, found.get("app"), apps)

    def storage(self, name: str) -> str:
        """The storage account of a named app. Raises UsageError if there is none of this name."""
        if name not in self.apps:
            known = f" Known are: {', '.join(sorted({*self.apps, LOCAL}))}."
            raise UsageError(
                f"There is no app {name!r}.{known} To add it: batchrun use {name} --storage https://…"
                if _NAME.fullmatch(name)
                else f"{name!r} is not the name of an app: letters, digits, - and _ only.{known}"
            )
        return self.apps[name]

    def use(self, name: str, storage: str | None) -> None:
        """Let commands that name no app use this one, and remember its storage account if that is given."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be the name of an app: letters, digits, - and _ only.")
        if name == LOCAL and storage:
            raise UsageError(f"{LOCAL!r} is the stack on this machine. Choose another name for this app.")
        apps = {**self.apps, name: storage} if storage else dict(self.apps)
        if name != LOCAL:
            Config(self.file, name, apps).storage(name)
        lines = [f"app = {json.dumps(name)}"]
        lines += [f"\n[apps.{each}]\nstorage = {json.dumps(apps[each])}" for each in sorted(apps)]
        self._write("\n".join(lines) + "\n")

    def _write(self, text: str) -> None:
        draft = self.file.with_suffix(".draft")
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.touch(mode=0o600)
            draft.write_text(text)
            draft.replace(self.file)
        except OSError as error:
            raise ClientError(f"{self.file} cannot be written: {error.strerror}.") from error
