"""Which app is meant: its settings, and how a person names it on a command line.

The only app that can be named is that of the local stack in a data directory. Other ways to find an app belong here.

A stack describes itself in `stack.json` in its data directory, by default `.local`. The file exists while the stack is
up, and only its owner can read it. `settings` in it holds all app settings by name, `endpoints` the URL of each
service, and `pids` the processes. Fields may be added; none is renamed or removed. `local/stack/data_dir.py` writes it.
"""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchrun.errors import ClientError, UsageError
from shared.errors import SettingsError
from shared.settings import Settings

DEFAULT_DATA_DIR = Path(".local")
LOCAL_PROGRAM = "python -m local"
_CLIENT_PROGRAM = "python -m batchrun"
_STACK_FILE = "stack.json"


@dataclass(frozen=True)
class App:
    """An app whose runs are looked at or changed.

    `settings` are its app settings by name. `command` gives the command line that does something with this app, from
    a verb and arguments. `check` raises an error if the app has failed. `ends_with_command`: it runs only as long as
    the current command.
    """

    settings: Mapping[str, str]
    command: Callable[..., str]
    check: Callable[[], None] = lambda: None
    ends_with_command: bool = False

    @classmethod
    def of_stack(cls, data_dir: Path, program: str = _CLIENT_PROGRAM) -> App:
        """The app of the local stack that is up in `data_dir`. Raises ClientError if there is none."""
        return cls(_described_settings(data_dir), functools.partial(command_line, program, data_dir))

    def checked_settings(self) -> Settings:
        """The settings as the app reads them. Raises UsageError if one is missing or malformed."""
        try:
            return Settings.from_environ(self.settings)
        except SettingsError as error:
            raise UsageError(str(error)) from error


def command_line(program: str, data_dir: Path, verb: str, *arguments: str) -> str:
    """A command for the stack in a data directory, as a person would type it."""
    where = [] if data_dir == DEFAULT_DATA_DIR else ["--data-dir", str(data_dir)]
    return f"{program} {shlex.join([verb, *where, *arguments])}"


def no_stack(data_dir: Path) -> ClientError:
    """The error for a data directory in which no stack is up; it says how to start one."""
    how = command_line(LOCAL_PROGRAM, data_dir, "up")
    return ClientError(f"No stack is running in {data_dir}. Start one with: {how}")


def _described_settings(data_dir: Path) -> dict[str, str]:
    file = data_dir / _STACK_FILE
    try:
        settings = json.loads(file.read_text())["settings"]
        return {str(name): str(value) for name, value in settings.items()}
    except FileNotFoundError:
        raise no_stack(data_dir) from None
    except OSError as error:
        raise ClientError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClientError(f"{file} does not describe a running stack: stop the stack, and start it again.") from error
