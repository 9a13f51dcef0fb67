"""An app whose runs are looked at or changed, and what is known of its settings.

An app in Azure is known by its storage account; the rest is on its card, `results/_app.json`. A stack on this machine
describes itself in `stack.json` in its data directory, by default `.local`. The file exists while the stack is up, and
only its owner can read it. `settings` in it holds all app settings by name, `endpoints` the URL of each service, and
`pids` the processes. Fields may be added; none is renamed or removed. `local/stack/data_dir.py` writes it.
"""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from batchrun.client._secrets import UnknownSecrets
from batchrun.client._services import Services, is_loopback, settings_of_card
from batchrun.client.addresses import Address
from batchrun.errors import ClientError, Unreachable, UsageError
from shared.errors import SettingsError
from shared.masking import MASK, Masker
from shared.settings import SECRET_PREFIX, Settings

DEFAULT_DATA_DIR = Path(".local")
STACK_FILE = "stack.json"
LOCAL_PROGRAM = "python -m local"
_CLIENT_PROGRAM = "batchrun"
_UNKNOWN = "https://not-known.invalid"
_NOT_ON_THE_CARD = {"EVENTGRID_TOPIC_ENDPOINT": _UNKNOWN, "RunStorage__queueServiceUri": _UNKNOWN}


@dataclass(frozen=True)
class App:
    """An app whose runs are looked at or changed.

    `settings` are its app settings by name: all of them, unless `knows_all` is false; then only what its card says. It
    can be asked for more if it `is_there`.
    `command` gives the command line that does something with this app, from a verb and arguments. `check` raises an
    error if the app has failed. `ends_with_command`: it runs only as long as the current command. `results` is the
    folder for results that a person does not put elsewhere. `version` is the app's, if its card says it.
    """

    settings: Mapping[str, str]
    command: Callable[..., str]
    check: Callable[[], None] = lambda: None
    ends_with_command: bool = False
    results: Path = DEFAULT_DATA_DIR / "results"
    version: str | None = None
    knows_all: bool = True
    is_there: bool = True

    @classmethod
    def unknown(cls) -> App:
        """Stands for any app, where none is reached: its accounts, its secrets and its default pool are not known."""
        settings = {"RunStorage__blobServiceUri": f"https://{MASK}", "BATCH_ACCOUNT_ENDPOINT": f"https://{MASK}"}
        command = functools.partial(command_with, _CLIENT_PROGRAM, ())
        return cls({**settings, "BATCH_POOL_ID": MASK}, command, knows_all=False, is_there=False)

    @classmethod
    def of_stack(cls, data_dir: Path, program: str = _CLIENT_PROGRAM) -> App:
        """The app of the local stack that is up in `data_dir`. Raises ClientError if there is none."""
        command = functools.partial(command_line, program, data_dir)
        return cls.of_description(data_dir / STACK_FILE, command)

    @classmethod
    def of_description(cls, file: Path, command: Callable[..., str]) -> App:
        """The app of the stack that a file describes. Raises ClientError if there is none."""
        return cls(_described_settings(file), command, results=file.parent / "results")

    @classmethod
    def of_storage(cls, address: Address, command: Callable[..., str]) -> App:
        """The app of a storage account. Raises ClientError if its card cannot be read or trusted."""
        from batchrun.client._card import read_card  # noqa: PLC0415 - loads the SDK of storage

        services = Services.of({**address.settings, "RESULTS_CONTAINER": address.results})
        card = read_card(services)
        settings = {**address.settings, **settings_of_card(card)}
        return cls(settings, command, results=Path("results"), version=card.version, knows_all=False)

    @property
    def services(self) -> Services:
        """Where its services are. Raises UsageError if a setting is missing or malformed."""
        return Services.of(self.settings)

    @property
    def masker(self) -> Masker:
        """Masks the secrets that are known here."""
        return Masker(value for name, value in self.settings.items() if name.startswith(SECRET_PREFIX))

    def checked_settings(self) -> Settings:
        """The settings as the app reads them; what is not known of them refuses nothing.

        Raises UsageError if one is missing or malformed.
        """
        try:
            if self.knows_all:
                return Settings.from_environ(self.settings)
            settings = Settings.from_environ({**_NOT_ON_THE_CARD, **self.settings})
        except SettingsError as error:
            raise UsageError(str(error)) from error
        return replace(settings, secrets=UnknownSecrets(), envs=None, globals=None, allowed_containers=("*",))


def command_line(program: str, data_dir: Path, verb: str, *arguments: str) -> str:
    """A command for the stack in a data directory, as a person would type it."""
    return command_with(program, options_for(data_dir), verb, *arguments)


def command_with(program: str, options: Sequence[str], verb: str, *arguments: str) -> str:
    """A command with the options that name an app, as a person would type it."""
    return f"{program} {shlex.join([verb, *options, *arguments])}"


def options_for(data_dir: Path) -> tuple[str, ...]:
    """The options that name the stack in a data directory."""
    return () if data_dir == DEFAULT_DATA_DIR else ("--data-dir", str(data_dir))


def no_stack(data_dir: Path) -> Unreachable:
    """The error for a data directory in which no stack is up; it says how to start one."""
    how = command_line(LOCAL_PROGRAM, data_dir, "up")
    read = f"\nWhat was run there is listed by: {command_line(LOCAL_PROGRAM, data_dir, 'ls')}"
    return Unreachable(
        f"No stack is running in {data_dir}. Start one with: {how}" + (read if (data_dir / "azurite").is_dir() else "")
    )


def storage_is_started(data_dir: Path) -> str:
    """What is told when the storage of a stack that is not running is started."""
    return f"No stack is running in {data_dir}: its storage is started for this command."


def _described_settings(file: Path) -> dict[str, str]:
    try:
        settings = json.loads(file.read_text())["settings"]
        found = {str(name): str(value) for name, value in settings.items()}
    except FileNotFoundError:
        raise no_stack(file.parent) from None
    except OSError as error:
        raise ClientError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClientError(f"{file} does not describe a running stack: stop the stack, and start it again.") from error
    services = Services.of(found)
    addresses = [services.storage.blob_endpoint, *([services.batch.endpoint] if services.batch else [])]
    if not services.storage.connection_string or not all(map(is_loopback, addresses)):
        raise ClientError(f"{file} names services that are not on this machine: it is not of a local stack.")
    return found
