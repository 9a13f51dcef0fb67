"""`function_app.py` as the Functions host indexes it."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
INDEX = """
import json, function_app
functions = function_app.app.get_functions()
bindings = {f.get_function_name(): [b.get_dict_repr() for b in f.get_bindings()] for f in functions}
print(json.dumps(bindings, default=str))
"""

IMPORT_ALL = """
import importlib, pkgutil, sys, shared
for module in pkgutil.walk_packages(shared.__path__, "shared."):
    importlib.import_module(module.name)
print([name for name in sys.modules if name.split(".")[0] == "local"])
"""


def index(**environ: str) -> dict[str, list[dict]]:
    path = {"PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "-c", INDEX], cwd=ROOT, env={**path, **environ}, capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


def test_without_any_setting_there_are_three_functions() -> None:
    """An exception at import would leave the host with none."""
    functions = index()
    assert set(functions) == {"submit_run", "poll_runs", "record_run"}
    (blob,) = functions["submit_run"]
    assert (blob["path"], blob["connection"], blob["source"]) == ("inbox/{name}", "RunStorage", "EventGrid")
    assert functions["poll_runs"][0]["schedule"] == "*/15 * * * * *"


def test_no_function_answers_requests_from_the_internet() -> None:
    """Of SECURITY.md."""
    triggers = {binding["type"] for bindings in index().values() for binding in bindings}
    assert triggers == {"blobTrigger", "timerTrigger", "eventGridTrigger"}


def test_settings_decide_on_triggers() -> None:
    functions = index(INBOX_CONTAINER="drops", INBOX_SOURCE="LogsAndContainerScan", POLL_SCHEDULE="0 * * * * *")
    assert (functions["submit_run"][0]["path"], functions["submit_run"][0]["source"]) == (
        "drops/{name}",
        "LogsAndContainerScan",
    )
    assert functions["poll_runs"][0]["schedule"] == "0 * * * * *"


def test_shared_never_imports_the_local_stack() -> None:
    run = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
