"""The list of runs in a real browser, as `open` serves it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from batchrun.cli._runs_page import runs_page
from batchrun.cli._web import Page as ServedPage
from batchrun.cli._web import RunServer
from batchrun.client.listing import Entry
from batchrun.client.refs import RunRef
from shared.documents.ledger import TaskCounts
from shared.documents.record import FlowRef
from shared.documents.states import State
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

PHONE = {"width": 360, "height": 740}
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[2J & <!-- ${x}"
STATES = [State.SUCCESS] * 7 + [State.WARNING, State.FAILED, State.KILLED]
FIRST = datetime(2026, 11, 28, 12, tzinfo=UTC)
LUMINANCE = """() => {
  const style = getComputedStyle(document.body);
  return [style.backgroundColor, style.color].map(rgb => rgb.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0));
}"""


def entry(number: int, state: State | None = None, **values: object) -> Entry:
    """The run before `number` others."""
    dropped = FIRST - timedelta(minutes=number)
    run = f"job-{number % 20}-{dropped:%Y%m%dt%H%M%S}-{number:08x}"
    state = state or STATES[number % len(STATES)]
    given = {
        "manifest": f"sales/job-{number % 20}.yaml",
        "flow": FlowRef(id=f"flow-{number % 20}", namespace="acme.sales"),
        "ended": dropped + timedelta(seconds=5 + number % 600),
        "tasks": TaskCounts(ended=2, total=3),
        "note": "extract: the commands ended with exit code 3" if state is State.FAILED else "",
    }
    return Entry(RunRef(run, f"job-{number % 20}/{run}"), state, **{**given, **values})


@pytest.fixture
def serve() -> Iterator[object]:
    """Serve a list of runs; returns its address."""
    servers: list[tuple[RunServer, threading.Thread]] = []

    def serve(entries: Sequence[Entry], *, is_all: bool = True) -> str:
        server = RunServer(
            None, lambda _: None, lambda: ServedPage(runs_page(entries, "nonce", is_all=is_all), "nonce")
        )
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return server.address()

    yield serve
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def names(page: Page) -> list[str]:
    """The runs that are drawn, by the part of their ids before the time."""
    return page.eval_on_selector_all("#runs tbody small", "all => all.map(each => each.textContent)")


def lead(page: Page) -> str:
    return page.inner_text("#lead")


def test_ten_thousand_runs_are_drawn_and_filtered_without_waiting(open_page, serve) -> None:
    """Only as many rows are drawn as are looked at; a filter answers while somebody types."""
    opened = open_page(serve([entry(number) for number in range(10_000)], is_all=False))
    page = opened.page

    assert lead(page) == "10,000 runs, the newest that the ledger has"
    assert len(names(page)) < 1_000
    took = page.evaluate(
        """() => { const begin = performance.now(); const text = document.getElementById("text");
        text.value = "flow-7 exit"; text.dispatchEvent(new Event("input")); return performance.now() - begin; }"""
    )
    assert took < 1_000
    page.get_by_role("button", name="FAILED").click()
    assert lead(page).startswith("0 of 10,000 runs")
    assert opened.said == []
    assert len(opened.fetched) == 1


def test_runs_are_filtered_by_state_flow_and_text(open_page, serve) -> None:
    """Together; the counts of states are those of what else fits; the address keeps the filters."""
    page = open_page(serve([entry(number) for number in range(400)])).page
    assert page.inner_text("#states").split("\n") == ["FAILED 40", "KILLED 40", "WARNING 40", "SUCCESS 280"]

    page.get_by_role("button", name="FAILED").click()
    page.get_by_role("button", name="KILLED").click()
    assert lead(page) == "80 of 400 runs"
    page.select_option("#flow", "flow-8")
    assert lead(page) == "20 of 400 runs"
    assert all(name.startswith("job-8-") for name in names(page))
    page.fill("#text", "EXIT code  20261128t1052")
    assert lead(page) == "1 of 400 runs"
    assert page.inner_text("#states").split("\n") == ["FAILED 1", "KILLED 0", "WARNING 0", "SUCCESS 0"]

    page.reload()
    assert lead(page) == "1 of 400 runs"
    assert page.get_by_role("button", name="KILLED").get_attribute("aria-pressed") == "true"
    page.fill("#text", "nothing like this")
    page.get_by_role("button", name="Clear the filters").click()
    assert lead(page) == "400 runs"


def test_more_runs_are_drawn_on_the_way_down(open_page, serve) -> None:
    page = open_page(serve([entry(number) for number in range(1_000)])).page
    before = len(names(page))
    page.mouse.move(200, 400)

    def scroll_down() -> bool:
        page.mouse.wheel(0, 100_000)
        return page.is_hidden("#rest")

    wait_for(scroll_down)
    assert before < 1_000
    assert len(names(page)) == 1_000
    assert page.is_hidden("#rest")


def test_bars_show_how_long_runs_took(open_page, serve) -> None:
    """As parts of the longest one that fits."""
    ended = {0: 600, 1: 300, 2: 30}
    entries = [
        entry(number, State.SUCCESS, ended=FIRST - timedelta(minutes=number) + timedelta(seconds=seconds))
        for number, seconds in ended.items()
    ]
    page = open_page(serve(entries)).page
    widths = page.eval_on_selector_all(".bar", "all => all.map(each => each.getBoundingClientRect().width)")
    assert [round(width / widths[0], 2) for width in widths] == [1, 0.5, 0.05]
    assert page.eval_on_selector_all("td.time", "all => all.map(each => each.textContent)") == [
        "10 min",
        "5 min",
        "30 s",
    ]
    page.fill("#text", "job-2")
    [alone] = page.eval_on_selector_all(".bar", "all => all.map(each => each.getBoundingClientRect().width)")
    assert alone == widths[0]


def test_it_is_used_with_the_keyboard_alone(open_page, serve) -> None:
    """Also without knowing its keys: everything is a button, a field or a link."""
    page = open_page(serve([entry(0, State.RUNNING, ended=None), *(entry(number) for number in range(1, 30))])).page
    active = "document.activeElement.parentElement.querySelector('small')?.textContent"
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate(active) == names(page)[1]
    page.keyboard.press("k")
    assert page.evaluate(active) == names(page)[0]
    page.keyboard.press("/")
    page.keyboard.type("job-3-")
    assert lead(page) == "2 of 30 runs"
    page.keyboard.press("Escape")
    assert lead(page) == "30 runs"
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith("/report.html")


def test_an_open_run_has_no_link(open_page, serve) -> None:
    page = open_page(serve([entry(0, State.RUNNING, ended=None), entry(1, State.SUCCESS)])).page
    assert page.locator("#runs tbody a").count() == 1
    assert page.locator("tr.RUNNING a").count() == 0


def test_texts_of_others_are_texts(open_page, serve) -> None:
    """Names and notes come from manifests and tasks."""
    opened = open_page(serve([entry(0, State.FAILED, note=EVIL, flow=FlowRef(id=EVIL, namespace="a"))]))
    note = opened.page.inner_text("td.note")
    assert opened.said == []
    assert note.startswith("</script><script>alert(1)</script><img src=x onerror=alert(2)>\\u202e\\x1b[2J & <!-- ${x}")
    assert opened.page.locator("img").count() == 0


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_it_is_light_or_dark_as_the_person_likes(open_page, serve, scheme, is_dark) -> None:
    page = open_page(serve([entry(0)]), color_scheme=scheme).page
    background, text = page.evaluate(LUMINANCE)
    assert (background < text) is is_dark


def test_on_a_phone_nothing_is_cut_off_at_the_side(open_page, serve) -> None:
    long = entry(5, State.FAILED, note="w" * 300, flow=FlowRef(id="f" * 100), manifest="m" * 200)
    page = open_page(serve([long, *(entry(number) for number in range(100))]), viewport=PHONE).page
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.is_visible("tr:nth-child(2) .badge")


def test_without_runs_it_says_so(open_page, serve) -> None:
    page = open_page(serve([])).page
    assert lead(page) == "0 runs"
