"""What breaks things: worlds to break, and the count of what was broken."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from shared import clients
from shared.storage import staging
from tests.conftest import shared_stack
from tests.integration.conftest import make_world, services, world

__all__ = ["make_world", "services", "world"]

FAULTS = "faults"
MEMORY = 1 << 30

stack = pytest.fixture(scope="package")(shared_stack)


@pytest.fixture(autouse=True)
def clocks_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's clock runs ahead of storage's here: what it signs must be valid all the same."""
    monkeypatch.setattr(staging, "CLOCK_SKEW", timedelta(days=1))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage SDK waits a second and more before it tries again."""
    monkeypatch.setattr(clients, "STORAGE_PAUSE_SECONDS", 0)


@pytest.fixture
def injected(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Tell how many faults a test has injected; all of them were survived if it passes."""
    return lambda count: record_property(FAULTS, count)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """One GiB more than there is now, and no more."""
    with open("/proc/self/statm") as statm:  # noqa: PTH123 - it has no size
        used = int(statm.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many faults were injected and survived."""
    counts = {
        outcome: sum(_faults(report) for report in terminalreporter.getreports(outcome))
        for outcome in ("passed", "failed")
    }
    if total := sum(counts.values()):
        terminalreporter.write_line(f"{total} faults injected, {counts['passed']} survived")


def _faults(report: pytest.TestReport) -> int:
    if report.when != "call":
        return 0
    return sum(int(str(value)) for name, value in report.user_properties if name == FAULTS)
