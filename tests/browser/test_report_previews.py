"""The previews of files, and the tables that can be sorted, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.storage.blob import BlobServiceClient, ContentSettings

from batchrun.cli._web import RunServer
from batchrun.client.refs import RunRef
from batchrun.client.results import RunResults
from shared.documents.task_result import ItemRecord, Outputs
from shared.outputs.fan_outs import fan_out_record
from tests.support.report_previews import EVIL_FILES, FILES, previewed, written
from tests.support.report_samples import EVIL, large_fan_out, ran, several_rounds

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.sampled

PHONE = {"width": 360, "height": 740}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"
LOADED = """async () => {
  const images = [...document.images];
  images.forEach(image => image.loading = "eager");
  await Promise.allSettled(images.map(image => image.decode()));
  return images.map(image => image.naturalWidth);
}"""
BROKEN_WORDS = """() => {
  // a word is broken if the boxes of its characters are in more than one line
  const broken = [];
  const places = ".preview pre, .preview td, .preview th, .sortable td, .sortable th, figcaption .note";
  for (const place of document.querySelectorAll(places)) {
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode())
      for (const word of node.data.matchAll(/[\\p{L}\\p{N}_]+/gu)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) broken.push(word[0]);
      }
  }
  return broken;
}"""


def in_order(page: Page) -> list[str]:
    """The row headers of the sortable table from top to bottom."""
    rows = page.locator(".sortable tbody tr").evaluate_all(
        "rows => rows.map(row => [row.getBoundingClientRect().top, row.cells[0].textContent])"
    )
    return [name for _, name in sorted(rows)]


@pytest.fixture
def open_files(open_page, tmp_path: Path) -> Callable[..., object]:
    """Open the report of files, which lie beside it."""

    def open_them(files: dict[str, bytes], **options: object) -> object:
        return open_page(written(previewed(files), files, tmp_path), **options)

    return open_them


def test_pictures_are_shown_from_disk_and_nothing_else_is_fetched(open_files, tmp_path: Path) -> None:
    opened = open_files(FILES)
    assert opened.page.evaluate(LOADED) == [640, 400, 1]
    assert opened.said == []
    fetched = {url for url in opened.fetched if not url.startswith("data:")}
    assert fetched == {
        (tmp_path / name).as_uri()
        for name in ("report.html", "outputs/draw/plot.png", "outputs/draw/charts/sales.svg", "outputs/draw/photo.JPG")
    }
    assert opened.page.get_by_role("img", name="plot.png of draw").is_visible()


@pytest.mark.parametrize("options", [{}, {"bypass_csp": True}], ids=["as it is", "without its content security policy"])
def test_hostile_names_and_contents_stay_what_they_are(open_files, options: dict[str, bool]) -> None:
    """Names are addresses of files, contents are text, and a picture runs nothing and fetches nothing."""
    opened = open_files(EVIL_FILES, **options)
    page = opened.page
    assert page.evaluate(LOADED) == [20, 20, 60, 60, 0]
    page.evaluate(OPEN_ALL)
    assert opened.said == []
    assert not [url for url in opened.fetched if not url.startswith(("file:", "data:"))]
    assert page.title().startswith("SUCCESS")
    assert page.locator("main script, main iframe, main textarea, main b:has(script)").count() == 0
    assert page.locator("main img").count() == 5
    head = page.locator(".preview th").all_inner_texts()
    assert head[0] == f"{EVIL[:79]}…"
    assert head[1] == '=HYPERLINK("javascript:alert(1)")'
    assert page.locator(".preview td").all_inner_texts()[:2] == ["two\nlines", "\\u202egnp.exe"]
    assert not [
        each for each in page.locator("main a").evaluate_all("all => all.map(a => a.protocol)") if each != "file:"
    ]
    assert page.locator("pre", has_text="\\u001b").or_(page.locator("pre", has_text="\\u202e")).count() == 1


def test_a_picture_of_another_host_would_not_be_loaded(open_page, tmp_path: Path) -> None:
    """By the policy of the page, if a name ever became such an address."""
    page = written(previewed(FILES), FILES, tmp_path)
    html = page.read_text(encoding="utf-8").replace('src="outputs/draw/plot.png"', 'src="http://127.0.0.1:9/plot.png"')
    page.write_text(html, encoding="utf-8")
    opened = open_page(page)
    assert opened.page.evaluate(LOADED)[0] == 0
    assert "img-src 'self' data:" in "".join(opened.said)


@pytest.mark.parametrize("files", [FILES, EVIL_FILES], ids=["usual", "hostile"])
@pytest.mark.parametrize("width", [360, 1200])
def test_wide_files_scroll_in_themselves_and_words_stay_whole(open_files, files: dict[str, bytes], width: int) -> None:
    page = open_files(files, viewport={"width": width, "height": 740}).page
    page.evaluate(LOADED)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERFLOW) == 0
    assert page.evaluate(BROKEN_WORDS) == []
    scrolled = "all => all.some(each => each.scrollWidth > each.clientWidth)"
    assert width > PHONE["width"] or page.locator(".preview .scroll").evaluate_all(scrolled)
    assert all(picture.bounding_box()["width"] <= width for picture in page.locator("main img").all())


def test_texts_are_folded_and_tables_are_not(open_files) -> None:
    page = open_files(FILES).page
    opened = page.locator(".preview").evaluate_all(
        "all => all.map(each => [each.querySelector('span').textContent, each.open])"
    )
    assert opened == [
        ["sales.csv", True],
        ["export.csv", True],
        ["summary.json", False],
        ["README.md", False],
        ["run.log", False],
    ]
    page.locator("summary", has_text="README.md").focus()
    page.keyboard.press("Enter")
    assert "- *loaded* from <b>there</b>" in page.locator("pre:visible", has_text="# Sales").inner_text()


@pytest.mark.parametrize(("name", "folder"), [("plain", "team/m"), ("odd", "team/m of Ünï #1")])
def test_pictures_are_shown_as_open_serves_them(open_page, azurite, name: str, folder: str) -> None:
    """In the sandbox that it puts reports into; files have the type that Batch gives them, which says nothing."""
    run = RunRef("m-20261128t100000-0a1b2c3d", f"{folder}/m-20261128t100000-0a1b2c3d")
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        container = blobs.create_container(f"previews-{name}")
        for path, content in EVIL_FILES.items():
            container.upload_blob(f"{run.folder}/outputs/draw/{path}", content)
        html = ContentSettings(content_type="text/html; charset=utf-8")
        container.upload_blob(f"{run.folder}/report.html", previewed(EVIL_FILES).html(str), content_settings=html)
        with RunServer(RunResults(container), lambda run_id: run if run_id == run.id else None) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                opened = open_page(server.address(f"{run.folder}/report.html".replace("#", "%23")))
                assert opened.page.evaluate(LOADED) == [20, 20, 60, 60, 0]
                assert opened.said == []
            finally:
                server.shutdown()
                thread.join()


def values_of_items() -> object:
    """The report of a fan-out whose items have printed numbers, texts, and nothing."""
    printed = [{"n": 10, "t": "b"}, {"n": 9, "t": EVIL}, {}, {"n": 100}, {"n": 9, "t": "A"}]
    items = [
        ItemRecord(index=n, value=EVIL if n == 3 else f"v{n}", **ran(0, 1), outputs=Outputs(vars=each))
        for n, each in enumerate(printed)
    ]
    report = several_rounds()
    tasks = (fan_out_record("each", items),)
    return replace(report, record=report.record.model_copy(update={"tasks": tasks}), items={"each": items}, log_ends=())


def test_values_of_items_are_sorted_by_the_column_that_is_chosen(open_page, tmp_path: Path) -> None:
    """Numbers as numbers, equal ones in the order of the items; what is not there comes last."""
    page_file = tmp_path / "report.html"
    page_file.write_text(values_of_items().html(str), encoding="utf-8")
    opened = open_page(page_file, viewport=PHONE)
    page = opened.page
    assert in_order(page) == ["0", "1", "2", "3", "4"]
    for name, order in (
        ("n, smallest first", "14032"),
        ("n, largest first", "30142"),
        ("t, smallest first", "14023"),
        ("t, largest first", "04123"),
        ("item, largest first", "43210"),
        ("item, smallest first", "01234"),
    ):
        page.get_by_role("radio", name=f"Sort by {name}", exact=True).check()
        assert "".join(in_order(page)) == order, name
    assert page.evaluate(OVERFLOW) == 0
    assert page.evaluate(BROKEN_WORDS) == []
    assert opened.said == []


def test_a_table_is_sorted_with_the_keyboard_alone_and_is_still_a_table(open_page, tmp_path: Path) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(values_of_items().html(str), encoding="utf-8")
    page = open_page(page_file).page
    page.get_by_role("region", name="Values of the items of each").focus()
    page.keyboard.press("Tab")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    chosen = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(chosen) == "Sort by n, smallest first"
    assert "".join(in_order(page)) == "14032"
    outline = "getComputedStyle(document.activeElement.parentElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    table = page.get_by_role("region", name="Values of the items of each").get_by_role("table")
    assert table.get_by_role("row").count() == 6
    assert table.get_by_role("columnheader").count() == 4
    assert table.get_by_role("rowheader").all_inner_texts() == ["0", "1", "2", "3", "4"]


def test_where_the_style_sheet_cannot_sort_it_is_a_plain_table(open_page, tmp_path: Path) -> None:
    """In a browser without `:has()`."""
    page_file = tmp_path / "report.html"
    page_file.write_text(
        values_of_items().html(str).replace("selector(:has(a))", "selector(:unknown(a))"), encoding="utf-8"
    )
    page = open_page(page_file, viewport=PHONE).page
    assert page.locator(".sorts:visible").count() == 0
    assert page.locator(".sortable").evaluate("each => getComputedStyle(each).display") == "table"
    assert in_order(page) == ["0", "1", "2", "3", "4"]
    assert page.evaluate(OVERFLOW) == 0


def test_a_thousand_items_are_sorted_at_once(open_page, tmp_path: Path) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(large_fan_out(1_000).html(str), encoding="utf-8")
    page = open_page(page_file).page
    page.locator("summary", has_text="1,000 items").click()
    page.get_by_role("radio", name="Sort by brightness, largest first").check()
    rows = page.locator(".sortable tbody tr").evaluate_all(
        "rows => rows.map(row => [row.getBoundingClientRect().top, +row.cells[2].textContent])"
    )
    shown = [value for _, value in sorted(rows)]
    assert len(shown) == 1_000
    assert shown == sorted(shown, reverse=True)
