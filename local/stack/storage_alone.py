"""Storage alone, for those who want to read what a stack that is not running has done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from batchrun.client.apps import no_stack
from local.stack.child import Child
from local.stack.data_dir import DataDir
from local.stack.options import StackOptions
from local.stack.ports import AUTO, Ports
from local.stack.services import AZURITE, Services
from local.stack.settings import stack_settings


@contextlib.contextmanager
def storage_alone(path: Path) -> Iterator[dict[str, str]]:
    """Run Azurite on the data directory of a stack; the app settings that name it, and no Batch account.

    Raises ClientError if no stack has been up there, LocalError if one is starting or stopping.
    """
    if not (path / AZURITE).is_dir():
        raise no_stack(path)
    data_dir, options = DataDir(path), StackOptions(data_dir=path)
    data_dir.lock(private=True)
    try:
        ports = Ports.choose(AUTO, data_dir.last_ports())
        settings = stack_settings(ports, options)
        [azurite] = [each for each in Services(options, data_dir, ports, settings).all() if each.name == AZURITE]
        child = Child(azurite)
        try:
            child.wait_ready()
            yield {name: value for name, value in settings.items() if not name.startswith("BATCH_")}
        finally:
            child.stop()
    finally:
        data_dir.unlock()
