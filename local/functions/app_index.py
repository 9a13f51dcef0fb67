"""Reads the functions of an app, as the host does once when it starts.

If `function_app.py` cannot be imported, the host has no functions at all. A function whose trigger cannot be resolved
is left out, and the others are served.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import re
import sys
import typing
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.functions.decorators.function_app import Function, FunctionRegister
from azure.functions.meta import InConverter, get_binding_registry

from local.functions.blob_path import BlobPathPattern
from local.functions.ncrontab import Schedule
from local.functions.triggers import BlobTrigger, EventGridTrigger, TimerTrigger, Trigger

if typing.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

MODULE = "function_app"
_SETTING = re.compile(r"%([^%]+)%")

_log = logging.getLogger(__name__)


class IndexingError(Exception):
    """A function or the whole app cannot be served; the message says why."""


@dataclass(frozen=True)
class IndexedFunction:
    """A function that can be invoked: its trigger, the parameter for the trigger's data, and the worker's converter."""

    name: str
    call: Callable[..., object]
    trigger: Trigger
    trigger_parameter: str
    converter: type[InConverter]


def load_functions(app_root: Path, environ: Mapping[str, str]) -> list[IndexedFunction]:
    """Import the app and return its functions; a function that cannot be served is logged and left out."""
    try:
        functions = _import_app(app_root).get_functions()
    except (Exception, SystemExit):  # noqa: BLE001 - an app can fail in any way
        _log.exception("Importing %s failed: the app has no functions.", app_root / f"{MODULE}.py")
        return []
    return list(_served(functions, environ))


def _import_app(app_root: Path) -> FunctionRegister:
    sys.path.insert(0, str(app_root))
    module = importlib.import_module(MODULE)
    apps = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    if len(apps) != 1:
        raise IndexingError(f"{MODULE}.py must have exactly one function app at top level, but has {len(apps)}.")
    return apps[0]


def _served(functions: list[Function], environ: Mapping[str, str]) -> Iterator[IndexedFunction]:
    for function in functions:
        name = function.get_function_name() or ""
        try:
            yield _index(name, function, environ)
        except (IndexingError, ValueError) as error:
            _log.error("The '%s' function is in error: %s", name, error)


def _index(name: str, function: Function, environ: Mapping[str, str]) -> IndexedFunction:
    bindings = [json.loads(binding) for binding in function.get_raw_bindings()]
    if len(bindings) > 1:
        raise IndexingError("it has bindings besides its trigger, which this host does not support.")
    binding = _Binding(bindings[0], environ)
    call = function.get_user_function()
    parameters = list(inspect.signature(call).parameters)
    if parameters != [binding.name]:
        raise IndexingError(f"its parameters are {parameters}, but the name of its trigger is '{binding.name}'.")
    trigger = _trigger(binding)
    converter = get_binding_registry().get(binding.type)  # type: ignore[no-untyped-call]
    annotation = typing.get_type_hints(call).get(binding.name)
    if annotation is not None and not converter.check_input_type_annotation(annotation):
        raise IndexingError(f"a {binding.type} does not match the type {annotation} of '{binding.name}'.")
    return IndexedFunction(name, call, trigger, binding.name, converter)


class _Binding:
    """The JSON of a binding. Texts are returned with every %SETTING% resolved."""

    def __init__(self, document: Mapping[str, object], environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self.name = str(document["name"])
        self.type = str(document["type"])

    def text(self, name: str) -> str:
        """A property with %NAME% replaced by the setting of that name. Raises IndexingError if there is none."""
        return _SETTING.sub(lambda match: self._setting(match[1]), str(self._document[name]))

    def optional(self, name: str) -> object:
        return self._document.get(name)

    def flag(self, name: str) -> bool:
        return self._document.get(name) is True

    def connection_string(self) -> str:
        """The connection string that the property `connection` names.

        https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger#connections
        """
        name = self.text("connection")
        for setting in (f"AzureWebJobs{name}", name):
            if self._environ.get(setting):
                return self._environ[setting]
        raise IndexingError(f"the connection string '{name}' is not set (this host does not support identities).")

    def _setting(self, name: str) -> str:
        if name not in self._environ:
            raise IndexingError(f"'%{name}%' does not resolve to a value: there is no app setting of this name.")
        return self._environ[name]


def _trigger(binding: _Binding) -> Trigger:
    match binding.type:
        case "blobTrigger":
            path = BlobPathPattern.parse(binding.text("path"))
            return BlobTrigger(path, binding.connection_string(), by_events=binding.optional("source") == "EventGrid")
        case "timerTrigger":
            schedule = Schedule.parse(binding.text("schedule"))
            schedule.next_after(datetime.now(UTC))
            return TimerTrigger(schedule, binding.flag("runOnStartup"))
        case "eventGridTrigger":
            return EventGridTrigger()
        case other:
            raise IndexingError(f"this host does not support the trigger '{other}'.")
