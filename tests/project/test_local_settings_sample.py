"""`local.settings.sample.json` is what `func start` needs beside `python -m local up --without-functions`."""

import json
from pathlib import Path

from local.stack.options import StackOptions
from local.stack.ports import DEFAULT_BASE, DEFAULT_FUNCTIONS_PORT, Ports
from local.stack.settings import stack_settings
from shared.settings import Settings

SAMPLE = json.loads((Path(__file__).parents[2] / "local.settings.sample.json").read_text())


def test_sample_holds_the_settings_of_a_stack_on_its_usual_ports() -> None:
    own = {"FUNCTIONS_WORKER_RUNTIME": "python", "POLL_SCHEDULE": "*/5 * * * * *"}
    ports = Ports(*range(DEFAULT_BASE, DEFAULT_BASE + 5), DEFAULT_FUNCTIONS_PORT)
    assert SAMPLE["Values"] == {**stack_settings(ports, StackOptions(functions=False)), **own}


def test_the_app_starts_with_it() -> None:
    assert Settings.from_environ(SAMPLE["Values"]).batch.pool_id == "local"
