"""How long the Functions host waits for the functions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

from local.stack.options import REPOSITORY
from tests.benchmarks.target import Measured, medians, ratio

SDKS = "import azure.functions, azure.batch, azure.storage.blob, azure.eventgrid"
LIBRARIES = f"{SDKS}, pydantic, yaml, jinja2"
APP = "import function_app"
STORIES = "import function_app; from shared import app, poll_runs, record_run, submit_run"


def function_app(quick: bool) -> Iterator[Measured]:
    """The import of `function_app.py`, and of all that the first invocations add, beside that of their packages."""
    app, sdks = medians(3 if quick else 11, _importing(APP), _importing(SDKS))
    yield ratio("import of function_app.py / of its SDKs", app, sdks, 1.1)
    stories, libraries = medians(3 if quick else 11, _importing(STORIES), _importing(LIBRARIES))
    yield ratio("import of the stories too / of their packages", stories, libraries)


def _importing(statement: str) -> Callable[[int], object]:
    return lambda _: subprocess.run([sys.executable, "-c", statement], cwd=REPOSITORY, check=True)
