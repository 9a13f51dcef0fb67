"""Which app a command means: the one that is named, or else the one that is found."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchrun.cli._config import LOCAL, Config
from batchrun.client.addresses import Address
from batchrun.client.apps import DEFAULT_DATA_DIR, STACK_FILE, App, command_with, options_for
from batchrun.errors import Unreachable

STORAGE, STACK = "BATCHRUN_STORAGE", "BATCHRUN_STACK"
_NO_APP = (
    "No app is named, and none is found from here. Name one with `--app NAME` after `batchrun use NAME --storage"
    f" https://<account>.blob.core.windows.net`, or with {STORAGE}; or start a stack here with: python -m local up"
)
_NEEDED = ("STORAGE_ACCOUNT_NAME", "BATCH_ACCOUNT_NAME")
"""What `infra/main.bicep` puts out, and `azd` keeps: an environment without both is not of this app."""
_LAST_PORTS = "ports.json"
"""The file that a stack leaves in its data directory."""
_LINE = re.compile(r"""(?P<name>\w+)=(?P<quote>["']?)(?P<value>.*)(?P=quote)""")


@dataclass(frozen=True)
class Choice:
    """The app that is meant, by its storage account or by the description of its stack, and not looked at yet.

    `where` are the options that name it on a command line. `guess` says which it is if nobody has named it.
    """

    place: Address | Path
    where: tuple[str, ...] = ()
    guess: str = ""

    @property
    def startable(self) -> Path | None:
        """The data directory of a stack that is not running, if its storage can be started."""
        from batchrun.client.stopped import can_be_started, is_stopped  # noqa: PLC0415 - rarely needed

        is_meant = isinstance(self.place, Path) and can_be_started() and is_stopped(self.place.parent)
        return self.place.parent if isinstance(self.place, Path) and is_meant else None

    def command(self, program: str) -> Callable[..., str]:
        """Makes command lines that do something with this app."""
        return functools.partial(command_with, program, self.where)

    def open(self, program: str) -> App:
        """The app. Raises ClientError if there is none."""
        command = self.command(program)
        if isinstance(self.place, Path):
            return App.of_description(self.place, command)
        return App.of_storage(self.place, command)


def of_data_dir(data_dir: Path) -> Choice:
    """The stack in a data directory."""
    return Choice(data_dir / STACK_FILE, options_for(data_dir))


def named(name: str, environ: Mapping[str, str], folder: Path) -> Choice:
    """The app that somebody names. Raises UsageError if there is no such app."""
    where = ("--app", name)
    if name == LOCAL:
        stack = Path(environ[STACK]) if environ.get(STACK) else _nearest_stack(folder) or _nearest_stopped(folder)
        return Choice(stack or DEFAULT_DATA_DIR / STACK_FILE, where)
    return Choice(Address.of(Config.load(environ).storage(name), f"The storage of the app {name!r}"), where)


def found(environ: Mapping[str, str], folder: Path) -> Choice:
    """The app that is meant if none is named. Raises Unreachable if there is none."""
    if storage := environ.get(STORAGE):
        return Choice(Address.of(storage, STORAGE))
    if stack := environ.get(STACK):
        return Choice(Path(stack))
    if used := Config.load(environ).app:
        choice = named(used, environ, folder)
        return Choice(choice.place, guess=f"the app {used!r}, chosen with `batchrun use`")
    if choice_of_azd := _of_azd(environ, folder):
        return choice_of_azd
    if nearest := _nearest_stack(folder):
        return Choice(nearest, guess=f"the local stack in {nearest.parent}")
    if stopped := _nearest_stopped(folder):
        return Choice(stopped)
    raise Unreachable(_NO_APP)


def _of_azd(environ: Mapping[str, str], folder: Path) -> Choice | None:
    """The app of the azd environment of a folder, or of the project that it is in.

    https://learn.microsoft.com/azure/developer/azure-developer-cli/work-with-environments
    """
    for config in _upwards(folder, ".azure/config.json"):
        try:
            name = environ.get("AZURE_ENV_NAME") or str(json.loads(config.read_text())["defaultEnvironment"])
            lines = (config.parent / name / ".env").read_text().splitlines()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        values = {line["name"]: line["value"] for line in map(_LINE.fullmatch, lines) if line}
        if not all(map(values.get, _NEEDED)):
            return None
        url = f"https://{values[_NEEDED[0]]}.blob.core.windows.net"
        address = Address.of(url, f"{_NEEDED[0]} in {config.parent / name / '.env'}")
        return Choice(address, guess=f"the app of the azd environment {name!r}, {url}")
    return None


def _nearest_stack(folder: Path) -> Path | None:
    return next(_upwards(folder, str(DEFAULT_DATA_DIR / STACK_FILE)), None)


def _nearest_stopped(folder: Path) -> Path | None:
    """The description that a stack would have, if it were up where one has been."""
    ports = next(_upwards(folder, str(DEFAULT_DATA_DIR / _LAST_PORTS)), None)
    return ports.with_name(STACK_FILE) if ports else None


def _upwards(folder: Path, name: str) -> Iterator[Path]:
    """The files of this name in a folder and those above it; none that another user may have put there."""
    for each in (folder, *folder.parents):
        file = each / name
        if file.is_file() and file.stat().st_uid == os.getuid():
            yield file
