"""What tests of `batchrun` on the stack that is up have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from batchrun.__main__ import main
from batchrun.client.apps import App
from batchrun.client.runs import Runs
from tests.conftest import shared_stack

stack = pytest.fixture(scope="package")(shared_stack)


@pytest.fixture
def runs(stack) -> Iterator[Runs]:
    with Runs.of(App.of_stack(stack.data_dir.path)) as found:
        yield found


@pytest.fixture
def command(stack, tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Run a command in a folder of its own; its exit code, and what it wrote on stdout and stderr."""
    monkeypatch.setenv("BATCHRUN_STACK", str(stack.data_dir.description.resolve()))
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        return code, *capsys.readouterr()

    return command
