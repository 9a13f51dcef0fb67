"""The report in a real browser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from azure.storage.blob import BlobServiceClient, ContentSettings

from shared.documents.names import results_folder
from shared.documents.task_result import TaskRecord
from shared.report.page import Report
from tests.support.report_samples import EVIL, SAMPLES, hostile, ran, record, retry, several_rounds

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.sampled

PHONE = {"width": 360, "height": 740}
LINKS = "[...document.querySelectorAll('a[href]')].map(a => a.href).filter(href => !href.includes('#'))"
LUMINANCE = """element => {
  const style = getComputedStyle(document.querySelector(element));
  return [style.backgroundColor, style.color].map(rgb => rgb.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0));
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The samples on disk, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("reports")
    found = {name: folder / name / "report.html" for name in SAMPLES}
    for name, path in found.items():
        path.parent.mkdir()
        path.write_text(SAMPLES[name]().html(str), encoding="utf-8")
    return found


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_page_opens_from_disk_without_a_complaint_and_fetches_nothing(open_page, pages, sample: str) -> None:
    opened = open_page(pages[sample])
    assert opened.said == []
    fetched = [url for url in opened.fetched if not url.startswith("data:")]
    assert fetched == [pages[sample].as_uri()]
    assert opened.page.locator("h1").is_visible()


@pytest.mark.parametrize("sample", SAMPLES)
def test_on_a_phone_nothing_is_cut_off_at_the_side(open_page, pages, sample: str) -> None:
    """Tables scroll in themselves."""
    page = open_page(pages[sample], viewport=PHONE).page
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert overflow(page) == 0


BROKEN_NAMES = """() => [...document.querySelectorAll('tbody th')].filter(name => {
  const text = document.createRange();
  text.selectNodeContents(name);
  return new Set([...text.getClientRects()].map(box => Math.round(box.top))).size > 1;
}).map(name => name.textContent.trim()).filter(name => !/\\s/.test(name))"""


@pytest.mark.parametrize("width", [320, 380, 1200])
def test_the_names_of_tasks_are_not_broken_in_a_word(open_page, tmp_path: Path, width: int) -> None:
    """But a name that is longer than a phone is wide, which would push everything else off the screen."""
    names = ["environment", "preprocess_genome", "a-b", "x" * 100]
    tasks = tuple(TaskRecord(id=name, **ran(0, 1)) for name in names)
    path = tmp_path / "report.html"
    path.write_text(Report(record(tasks=tasks)).html(str), encoding="utf-8")
    page = open_page(path, viewport={"width": width, "height": 740}).page
    assert set(page.evaluate(BROKEN_NAMES)) == {"x" * 100}
    assert overflow(page) == 0


def test_five_thousand_items_open_within_two_seconds(open_page, pages) -> None:
    page = open_page(pages["fan-out"]).page
    assert "5,000" in page.locator("header").inner_text()
    milliseconds = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert 0 < milliseconds < 2000


@pytest.mark.parametrize("options", [{}, {"bypass_csp": True}], ids=["as it is", "without its content security policy"])
def test_hostile_texts_stay_text(open_page, pages, options: dict[str, bool]) -> None:
    """By escaping; the policy that forbids scripts is a second wall."""
    opened = open_page(pages["hostile"], **options)
    page = opened.page
    page.wait_for_load_state()
    assert opened.said == []
    assert page.locator("script, img, textarea").count() == 0
    assert page.title().startswith(f"FAILED · {EVIL}")
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("pre").first.inner_text().startswith(EVIL)
    assert page.locator(".line code").first.inner_text() == EVIL


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_person_who_wants_it_dark_gets_it_dark(open_page, pages, scheme: str) -> None:
    page = open_page(pages["failed"], color_scheme=scheme).page
    for element in ("body", "pre", ".badge", ".notices li"):
        ground, ink = page.evaluate(LUMINANCE, element)
        assert (ground < ink) == (scheme == "dark"), element


@pytest.mark.parametrize("report", [several_rounds, hostile])
def test_links_work_from_disk(open_page, report, tmp_path: Path) -> None:
    """The files of a run lie beside the page, under the names that they have in the record."""
    names = blobs_of(report())
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}", encoding="utf-8")
    (tmp_path / "report.html").write_text(report().html(str), encoding="utf-8")
    page = open_page(tmp_path / "report.html").page
    linked = {url2pathname(urlsplit(address).path) for address in page.evaluate(LINKS)}
    assert linked == {str(tmp_path / name) for name in names}
    page.locator("a[href$='stdout.txt']:visible").first.click()
    assert page.locator("body").inner_text().startswith("this is logs/")


def test_the_way_to_the_report_of_the_earlier_run_works_from_disk(open_page, tmp_path: Path) -> None:
    """Where the folders of runs lie as they do in the results, whatever the name of the manifest was."""
    report = retry()
    own = tmp_path / results_folder(report.record.manifest.name, report.record.run_id) / "report.html"
    before = tmp_path / report.record.retry_of.results / "report.html"
    for page, html in ((own, report.html(str)), (before, "<h1>the earlier run</h1>")):
        page.parent.mkdir(parents=True)
        page.write_text(html, encoding="utf-8")
    opened = open_page(own)
    opened.page.get_by_role("link", name=report.record.retry_of.run_id).click()
    assert opened.page.locator("h1").inner_text() == "the earlier run"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_taken_over_is_said_more_quietly_than_the_state(open_page, pages, scheme: str) -> None:
    """Smaller, below it, and in the colour of notes."""
    page = open_page(pages["retry"], color_scheme=scheme).page
    state, taken = page.locator("tbody td", has=page.locator(".taken")).first.locator("span").all()[:2]
    assert taken.inner_text() == "taken over from tiles-202611…ffee"
    assert taken.bounding_box()["y"] > state.bounding_box()["y"] + state.bounding_box()["height"] / 2
    colour = "each => [getComputedStyle(each).color, getComputedStyle(each).fontWeight]"
    assert taken.evaluate(colour) == [page.locator(".note").first.evaluate(colour)[0], "400"]


def test_a_mistake_in_the_flow_leads_to_its_line_there(open_page, pages) -> None:
    page = open_page(pages["rejected-stored"]).page
    target = "document.querySelector(':target').textContent.trim()"
    page.get_by_role("link", name="line 3, column 8 of the manifest").click()
    assert page.evaluate(target) == "day: tomorrow"
    page.get_by_role("link", name="line 5, column 14 of the flow").click()
    assert page.evaluate(target) == "timeout: 3 hours"


def blobs_of(report) -> set[str]:
    """What a run of a sample leaves below its folder, as far as its page links to it."""
    record = report.record
    results = [*record.tasks, *(item for items in report.items.values() for item in items)]
    logs = {name for result in results for name in (result.logs.stdout, result.logs.stderr) if name}
    outputs = {file.blob for result in results for file in result.outputs.output_files.values()}
    flow = {"flow.yaml"} if report.flow else set()
    return {"record.json", "manifest.yaml", *flow, *logs, *outputs, *(end.log.blob for end in report.log_ends)}


def test_links_work_from_storage(open_page, azurite) -> None:
    storage = BlobServiceClient.from_connection_string(azurite.connection_string)
    container = storage.create_container("browsed", public_access="container")
    names = sorted(blobs_of(hostile()))
    for name in names:
        container.upload_blob(f"team/run/{name}", f"this is {name}", content_settings=ContentSettings("text/plain"))
    container.upload_blob(
        "team/run/report.html", hostile().html(str), content_settings=ContentSettings("text/html; charset=utf-8")
    )
    opened = open_page(f"{container.url}/team/run/report.html")
    addresses = opened.page.evaluate(LINKS)
    texts = {opened.page.context.request.get(address).text() for address in addresses}
    assert texts == {f"this is {name}" for name in names}
    assert opened.said == []


def test_it_can_be_read_with_the_keyboard_alone(open_page, pages) -> None:
    page = open_page(pages["fan-out"]).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.locator(":focus").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    summary = page.locator("summary", has_text="stderr of")
    summary.focus()
    was_open = page.locator("pre").is_visible()
    page.keyboard.press("Enter")
    assert page.locator("pre").is_visible() != was_open
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_mistake_leads_to_its_line(open_page, pages) -> None:
    page = open_page(pages["rejected"]).page
    page.get_by_role("link", name="line 5, column 14").click()
    assert page.evaluate("document.querySelector(':target').textContent").strip() == "timeout: 3 hours"
    assert page.locator("mark").all_inner_texts() == ["comands: [python extract.py]", "3 hours", "extrct]"]


def test_charts_have_names_for_those_who_do_not_see_them(open_page, pages) -> None:
    page = open_page(pages["success"]).page
    chart = page.get_by_role("img", name="When each task ran")
    assert chart.is_visible()
    assert page.get_by_role("img", name="loss: 60 numbers").count() == 1
    assert page.get_by_role("region", name="Tasks", exact=True).get_by_role("rowheader").all_inner_texts() == [
        "extract",
        "clean",
        "train",
    ]


def test_on_paper_nothing_is_folded_away(open_page, pages) -> None:
    page = open_page(pages["success"]).page
    folded = page.locator("details:not([open]) > pre").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.is_visible()
