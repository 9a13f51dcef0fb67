"""The page as text: what is in it, what is not, and how large it gets."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatch
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from shared.documents.manifest_blob import ManifestBlob
from shared.documents.progress import Progress
from shared.documents.record import ManifestRef, RecordedFlow, RetryRef, RunProblem, Timings
from shared.documents.run import Run
from shared.documents.run_body import RunBody
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, Metric, OutputFile, Outputs, TaskRecord
from shared.documents.trigger import DueTime, EndedRun, StartedBy
from shared.masking import Masker
from shared.outputs.fan_outs import fan_out_record
from shared.report.listing import KeptText
from shared.report.page import TEMPLATES, Report
from tests.support.report_previews import EVIL_FILES, FILES, previewed
from tests.support.report_samples import (
    DROPPED,
    EARLIER,
    EVIL,
    EVIL_PATHS,
    FIRST,
    SAMPLES,
    STORED,
    after,
    hostile,
    kept,
    large_fan_out,
    log_end,
    manifest,
    ran,
    record,
    rejected,
    rejected_stored,
    retry,
    several_rounds,
)

ROOT = Path(__file__).parents[3]
IMPORT_STORIES = """
import sys, function_app
from shared import poll_runs, record_run, submit_run
from shared.app import get_app
print([name for name in sys.modules if name.startswith("shared.report") or name == "shared.steps._write_report"])
"""
VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """What a browser's parser finds: elements with attributes, ids, and the text of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """An element begins."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """An element without content."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """An element ends."""
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        """Text."""
        if self.open and self.open[-1] != "style":
            self.text += data

    def links(self) -> list[str]:
        """The addresses of all links."""
        return [attrs["href"] for tag, attrs in self.elements if tag == "a"]


def page(report: Report, *secrets: str) -> Page:
    return Page(html(report, *secrets))


def words(report: Report) -> str:
    """The text of the page, with one space between any two words."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html(report).partition("</style>")[2])).split())


def html(report: Report, *secrets: str) -> str:
    return report.html(Masker(secrets).mask)


WITH_FILES = {"files": lambda: previewed(FILES), "hostile-files": lambda: previewed(EVIL_FILES)}
EVERY_SAMPLE = {**SAMPLES, **WITH_FILES}


@pytest.mark.parametrize("sample", EVERY_SAMPLE.values(), ids=EVERY_SAMPLE)
def test_a_page_is_whole_html_with_nothing_to_fetch_or_execute(sample) -> None:
    found = page(sample())
    assert found.open == []
    tags = {tag for tag, _ in found.elements}
    assert not tags & {"script", "iframe", "object", "embed", "form", "base"}
    attributes = [(name, value or "") for _, attrs in found.elements for name, value in attrs.items()]
    assert not [name for name, _ in attributes if name.startswith("on")]
    ranks = [value for name, value in attributes if name == "style"]
    assert all(re.fullmatch(r"--c\d:\d+(;--c\d:\d+)*", each) for each in ranks)
    assert all(attrs["type"] == "radio" for tag, attrs in found.elements if tag == "input")
    addresses = [value for name, value in attributes if name in ("href", "src", "xlink:href")]
    assert not [
        each for each in addresses if re.match(r"[\w.+-]+:", each) and not each.startswith("data:image/svg+xml,")
    ]
    ids = [value for name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {each[1:] for each in addresses if each.startswith("#")} <= set(ids)


def test_the_policy_of_the_page_lets_pictures_in_and_nothing_else() -> None:
    metas = [attrs for tag, attrs in page(several_rounds()).elements if tag == "meta"]
    assert [each["content"] for each in metas if each.get("http-equiv") == "Content-Security-Policy"] == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
    ]


def test_hostile_names_become_links_to_their_blobs_and_to_nothing_else() -> None:
    links = page(hostile()).links()
    for path in EVIL_PATHS:
        assert f"outputs/evil/{path}" in {unquote(link) for link in links}
    assert all(re.fullmatch(r"[\w./~%-]+|#[\w-]+", link) for link in links), links


def test_the_way_to_an_earlier_run_with_a_hostile_name_is_a_path() -> None:
    folder = f"javascript:{EVIL.replace('/', '|')}/{EARLIER}"
    report = retry()
    earlier = RetryRef(run_id=EARLIER, results=folder)
    links = page(replace(report, record=report.record.model_copy(update={"retry_of": earlier}))).links()
    assert f"../../../{folder}/report.html" in {unquote(link) for link in links}
    assert all(re.fullmatch(r"[\w./~%-]+|#[\w-]+", link) for link in links), links


def test_jobs_are_linked_to_their_account_in_the_portal_where_that_is_known() -> None:
    address = "https://portal.azure.com/#@/resource/subscriptions/s/batchAccounts/b"
    report = several_rounds()
    jobs = tuple(job.model_copy(update={"portal_url": address}) for job in report.record.jobs)
    linked = replace(report, record=report.record.model_copy(update={"jobs": jobs}))
    assert page(linked).links().count(address) == len(jobs)
    assert address not in page(report).links()


def test_what_is_obeyed_instead_of_shown_is_escaped_and_colours_of_logs_are_left_out() -> None:
    text = page(hostile()).text
    assert not set(text) & set("\x00\x08\x1b\x07\r\u202e")
    assert r"\u202egnp.exe" in text
    assert r"\x00\x08</pre>\u202eabc" in text
    assert "\n100%\n" in text, "of a line that was written over, what was left of it"
    assert "[31m" not in text


SECRET = "s3cr3t<&>'\"-v4lue é"


def test_secrets_are_masked_wherever_they_appear() -> None:
    """Also where texts are cut, coloured, encoded for a link, escaped for JSON, or formatted as numbers."""
    task = TaskRecord(
        id="a",
        **ran(1, 2, node=SECRET),
        outputs=Outputs(
            vars={SECRET: SECRET, "nested": [{SECRET: SECRET}], "cut": "x" * 70 + SECRET, "number": 12345678},
            output_files={f"{SECRET}.txt": OutputFile(blob=f"outputs/a/{SECRET}.txt", bytes=1, md5=None)},
        ),
        metrics=(Metric(name=SECRET, type="gauge", value=12345678.0), Metric(name="n", type=SECRET, value=1.0)),
    )
    item = ItemRecord(index=0, value=f"{'v' * 50}{SECRET}", **ran(1, 2))
    problem = RunProblem(message=f"`{SECRET}` {SECRET}", path=SECRET, line=1, column=2)
    log = f"{'y' * 20_000}{SECRET}\n{SECRET[:6]}\x1b[31m{SECRET[6:]}\n" + "z" * (4096 - 12)
    report = Report(
        record(
            tasks=(task, fan_out_record("b", [item])),
            flow=RecordedFlow(id=SECRET, source=ManifestRef(name=SECRET, etag=SECRET, sha256=None)),
            inputs={SECRET: {SECRET: SECRET}, "cut": "x" * 70 + SECRET, "number": 12345678},
            masked_inputs=(SECRET,),
            retry_of=RetryRef(run_id=SECRET, results=f"{SECRET}/{SECRET}"),
            warnings=(problem,),
            errors=(problem,),
        ),
        items={"b": [item]},
        **manifest(f"token: {SECRET}\n"),
        flow=kept(f"token: {SECRET}\n"),
        log_ends=[log_end("a", log)],
    )
    whole = html(report, SECRET, "12345678")
    assert "******" in whole
    for part in ("s3cr3t", "v4lue", "lue+%C3%A9", "%C3%A9", "12,345", "12345"):
        assert part not in whole, part


def test_lines_of_a_rejected_manifest_are_marked_and_linked() -> None:
    found = page(rejected())
    assert "#line-4" in found.links()
    assert "comands: [python extract.py]" in found.text
    assert [tag for tag, _ in found.elements].count("mark") == 3
    assert 'Line 4, column 5: unknown property; did you mean "commands"?' in " ".join(found.text.split())


def test_every_mistake_stands_under_its_line_in_its_own_text() -> None:
    """A line of the flow is not that of the manifest with the same number."""
    found = page(rejected_stored())
    text = " ".join(found.text.split())
    manifest_text, flow_text = text.split("Flow company.analytics/daily-sales.yaml")[0:2]
    assert "day: tomorrow Line 3, column 8: expected a date" in manifest_text
    assert "Line 4" not in manifest_text.partition("team/sales.yaml As it is kept")[2]
    assert "comands: [python extract.py] Line 4, column 5: unknown property" in flow_text
    assert html(rejected_stored()).count('class="line is-wrong"') == len(rejected_stored().record.errors)
    assert [each for each in found.links() if "line-" in each] == [
        *("#line-3", "#flow-line-4", "#flow-line-5", "#flow-line-7")
    ]
    assert "flow.yaml" in found.links()
    assert "The manifest and its flow cannot be run: 4 mistakes in them." in text
    assert "Fix these, store the flow again, and drop the manifest again." in text


def test_a_manifest_that_has_its_flow_in_itself_is_the_only_text() -> None:
    found = page(rejected())
    assert "flow.yaml" not in found.links()
    assert "line 4, column 5" in found.text
    assert "column 5 of the manifest" not in found.text


def test_a_problem_whose_line_is_not_shown_has_no_link() -> None:
    """Neither one beyond the beginning of a long text, nor one after its end."""
    warnings = tuple(RunProblem(message="odd", line=line, column=1) for line in (300, 301, 9_999))
    found = page(Report(record(warnings=warnings), **manifest("# line\n" * 2_000)))
    assert [link for link in found.links() if "line-" in link] == ["#line-300"]
    assert "line 9999, column 1" in found.text


def test_a_run_says_which_trigger_started_it_and_links_the_run_that_it_follows() -> None:
    ended = EndedRun(
        run_id="etl-20261128t000000-01234567",
        results="company.team/etl/etl-20261128t000000-01234567",
        namespace="company.team",
        flow_id="etl",
        state=State.SUCCESS,
        started=DROPPED,
        ended=DROPPED,
    )
    by = StartedBy(id="after-etl", type="Flow", flow="company.team/load", ended=ended, depth=1)
    manifest = ManifestRef(name="company.team/load.yaml", etag="", sha256=None)
    follower = Report(record(trigger=by, manifest=manifest))
    text = words(follower)
    assert "Started by the trigger after-etl: company.team/etl ended as SUCCESS" in text
    assert "../../etl/etl-20261128t000000-01234567/report.html" in page(follower).links()
    due = StartedBy(id="nightly", type="Schedule", flow="a/b", due=DueTime(date=DROPPED))
    scheduled = words(Report(record(trigger=due)))
    assert f"Started by the trigger nightly, due at {DROPPED.isoformat(sep=' ')}" in scheduled
    assert "Dropped" not in scheduled


def test_a_run_links_the_runs_that_follow_it() -> None:
    by = StartedBy(id="after-etl", type="Flow", flow="company.team/load")
    followers = [
        Run(
            RunBody(
                run_id=f"{name}-20261128t000000-01234567",
                manifest=ManifestBlob(name=f"company.team/{name}.yaml", etag="", sha256=None, text=""),
                trigger=by,
                dropped=DROPPED,
                accepted=DROPPED,
            ),
            Progress(),
        )
        for name in ("load", "more")
    ]
    followed = Report(
        record(manifest=ManifestRef(name="company.team/etl.yaml", etag="", sha256=None)), followers=followers
    )
    assert (
        "Followed by company.team/load ( load-20261128t000000-01234567 ),"
        " company.team/load ( more-20261128t000000-01234567 )"
    ) in words(followed)
    assert "../../load/load-20261128t000000-01234567/report.html" in page(followed).links()
    assert "Followed by" not in words(Report(record()))


def test_a_retry_says_what_ran_in_which_run() -> None:
    found, text = page(retry()), words(retry())
    assert f"Retry of {EARLIER} : 2 tasks and 9,993 items taken over" in text
    assert f"../../../maps/tiles%20of%20%C3%9Cn%C3%AF%20%231/{EARLIER}/report.html" in found.links()
    assert "plan SUCCESS taken over from tiles-202611…ffee" in text
    assert "tile SUCCESS 9,993 taken over" in text
    assert "taken over 9,993" in text
    assert "7 of 10,000 items" in text
    assert {FIRST, EARLIER} <= {attrs.get("title") for _, attrs in found.elements}
    assert f"Taken over from {FIRST} Taken over from {EARLIER}" in text
    assert "Retry of" not in page(several_rounds()).text


def test_a_retry_of_what_is_not_there_has_no_link_to_it() -> None:
    """Its flow was not read either."""
    report = retry()
    lost = report.record.model_copy(update={"flow": RecordedFlow(), "state": State.REJECTED, "tasks": ()})
    found = page(Report(lost, manifest=report.manifest))
    assert f"Retry of {EARLIER}" in found.text
    assert not [link for link in found.links() if EARLIER in link]


def test_inputs_are_shown_with_their_values_or_why_not() -> None:
    text = words(retry())
    assert "Inputs Name Value rows 100 style satellite satellite" in text
    assert 'bounds {"north": 54.9, "south": 47.3}' in text
    assert "token masked: its value holds a secret" in text
    assert "Inputs" not in page(several_rounds()).text


def test_the_description_the_labels_and_where_the_run_came_from_are_at_the_top() -> None:
    labels = {f"label-{n}": f"<b>{n}" for n in range(40)}
    stored = record(labels=labels, flow=RecordedFlow(id="tiles", source=STORED))
    report = Report(
        stored, **manifest("flow: company.maps/tiles\n"), flow=kept("id: tiles\n"), description="Draws <tiles>.\nTwo."
    )
    top = " ".join(page(report).text.partition("Timeline")[0].split())
    assert "Draws <tiles>. Two. Request for the stored flow company.maps/tiles.yaml" in top
    assert "label-0=<b>0 label-1=<b>1" in top
    assert "label-29=<b>29 10 labels more" in top
    assert "#flow" in page(report).links()


def test_a_long_description_is_shortened() -> None:
    assert len(html(Report(record(), description="x" * 100_000))) < 30_000


def test_inputs_come_before_everything_but_what_went_wrong() -> None:
    ids = [attrs["id"] for tag, attrs in page(retry()).elements if tag == "h2"]
    assert ids[:3] == ["inputs", "timeline", "tasks"]
    failed = SAMPLES["failed"]()
    given = replace(failed, record=failed.record.model_copy(update={"inputs": {"day": "2026-11-21"}}))
    assert [attrs["id"] for tag, attrs in page(given).elements if tag == "h2" and "id" in attrs][:3] == [
        "notices",
        "inputs",
        "logs",
    ]


def test_each_attempt_has_its_exit_code_and_its_times() -> None:
    text = words(SAMPLES["failed"]())
    assert "load 1 3 3 s 12:13:46 12:13:49 load 2 3 3 s 12:13:50 12:13:53 load 3 3 3 s 12:13:54 12:13:57" in text


def test_the_outputs_of_the_flow_are_shown() -> None:
    assert 'Outputs published by the flow Name Value rows 12000 table ["a", "b"]' in words(retry())
    assert "Outputs" not in page(several_rounds()).text


def test_many_and_long_inputs_make_a_page_of_bounded_size() -> None:
    whole = html(Report(record(inputs={f"i{n}": "x" * 10_000 for n in range(1_000)}), **manifest("id: x\n")))
    assert len(whole) < 300_000
    assert "900 inputs more" in Page(whole).text


def test_the_stored_flow_is_named_with_its_version() -> None:
    text = words(retry())
    assert f"Flow {STORED.name}, version {STORED.etag}" in text.replace(" ,", ",")
    assert f"SHA-256 of the flow {STORED.sha256}" in text


def test_where_a_cut_out_credential_moved_lines_none_is_marked() -> None:
    problem = RunProblem(message="wrong", line=2, column=1)
    report = Report(record(State.REJECTED, errors=(problem,)), manifest=KeptText("a: 1\nb: 2\n", dropped_lines=4))
    found = page(report)
    assert "mark" not in [tag for tag, _ in found.elements]
    assert "the line numbers differ from those of the dropped file" in found.text


def test_a_manifest_that_is_no_text_is_linked() -> None:
    found = page(Report(record(State.REJECTED, errors=(RunProblem(message="the manifest is too large"),))))
    assert "manifest.yaml" in found.links()
    assert "not text in UTF-8" in found.text


def test_thousands_of_items_make_a_small_page_that_says_what_it_leaves_out() -> None:
    whole = html(large_fan_out(10_000))
    assert len(whole) < 220_000, "a thousand of them are listed with what they printed"
    text = " ".join(Page(whole).text.split())
    assert "9,974 items more: tasks.json has them all" in text
    assert "9,990 files more in outputs/" in text


def test_a_thousand_tasks_with_everything_make_a_page_of_bounded_size() -> None:
    tasks = tuple(
        TaskRecord(
            id=f"task-{index}",
            **ran(index, index + 2, state=State.FAILED),
            outputs=Outputs(
                vars={f"v{n}": "x" * 10_000 for n in range(10)},
                output_files={f"f{n}": OutputFile(blob=f"outputs/{index}/f{n}", bytes=1, md5=None) for n in range(200)},
            ),
            metrics=tuple(Metric(name=f"m{n}", type="gauge", value=n) for n in range(20)),
        )
        for index in range(1000)
    )
    warnings = tuple(RunProblem(message=f"{number:05}".rjust(200, "w")) for number in range(1000))
    whole = html(Report(record(tasks=tasks, warnings=warnings), **manifest("# line\n" * 50_000)))
    assert len(whole) < 1_000_000
    text = " ".join(Page(whole).text.split())
    for words in ("800 tasks more", "199,600 files more", "9,900 values more", "19,940 metrics more", "950 warnings"):
        assert words in text, words


def test_the_largest_previews_and_values_of_items_make_a_page_of_bounded_size() -> None:
    files = {f"{n}.{ending}": b"<&,'\"\n" * 20_000 for n in range(50) for ending in ("csv", "txt", "json")}
    values = {f"name {n}": "\"<'" * 1_000 for n in range(50)}
    items = [ItemRecord(index=n, value="<" * 500, **ran(0, 1), outputs=Outputs(vars=values)) for n in range(3_000)]
    made = previewed(files)
    tasks = (*made.record.tasks, fan_out_record("t", items))
    whole = html(replace(made, record=made.record.model_copy(update={"tasks": tasks}), items={"t": items}))
    assert len(whole) < 6_000_000
    assert "2,000 items more and 42 values more of each" in Page(whole).text


def test_very_many_fan_outs_make_a_page_of_bounded_size() -> None:
    items = {f"t{n}": [ItemRecord(index=i, value=i, **ran(0, 1)) for i in range(30)] for n in range(300)}
    tasks = tuple(fan_out_record(name, each) for name, each in items.items())
    whole = html(Report(record(tasks=tasks), items=items))
    assert len(whole) < 700_000
    assert "280 fan-outs more" in Page(whole).text


def test_headings_are_in_order_and_tables_and_charts_have_names() -> None:
    found = page(several_rounds())
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert levels.count(1) == 1
    assert {"header", "main", "footer", "section"} <= {tag for tag, _ in found.elements}
    headers = [attrs for tag, attrs in found.elements if tag == "th"]
    assert all(attrs.get("scope") in ("col", "row") for attrs in headers)
    regions = [attrs for _, attrs in found.elements if attrs.get("role") == "region"]
    assert all(attrs.get("aria-label") and attrs.get("tabindex") == "0" for attrs in regions)
    names = [following for (_, attrs), (following, _) in pairs(found.elements) if attrs.get("role") == "img"]
    assert names
    assert set(names) == {"title"}


def pairs(elements):
    return itertools.pairwise(elements)


def test_times_of_another_day_are_told_with_their_date() -> None:
    night = DROPPED.replace(hour=23, minute=59)
    timings = Timings(dropped=night, recorded=night + timedelta(hours=1))
    assert "2026-11-23 00:59:14" in page(Report(record(timings=timings))).text


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def luminance(colour: str) -> float:
        channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


TEXT_ON_GROUND = [
    *((ink, ground) for ink in ("ink", "soft", "link") for ground in ("page", "raised")),
    *((state, f"{state}-wash") for state in ("good", "bad", "warn", "stop", "idle")),
    *((ink, wash) for ink in ("ink", "link") for wash in ("bad-wash", "warn-wash")),
]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON_GROUND, ids="-on-".join)
def test_text_can_be_read_on_its_ground(scheme: int, ink: str, ground: str) -> None:
    """WCAG AA."""
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", css.split(":root")[1 + scheme]))
    assert contrast(colours[ink], colours[ground]) >= 4.5


def test_the_report_is_not_imported_before_a_run_is_recorded() -> None:
    """A cold start does not wait for templates."""
    run = subprocess.run([sys.executable, "-c", IMPORT_STORIES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_templates_are_deployed() -> None:
    patterns = [line for line in (ROOT / ".funcignore").read_text().splitlines() if not line.startswith(("#", "!"))]
    for template in TEMPLATES.iterdir():
        path = template.relative_to(ROOT)
        parts = [*path.parts, *(f"{part}/" for part in path.parts)]
        assert not [pattern for pattern in patterns for part in parts if fnmatch(part, pattern)]


def test_the_log_of_a_failed_task_can_be_reached_from_its_failure() -> None:
    found = page(SAMPLES["failed"]())
    assert "#log-1" in found.links()
    assert "logs/load/stderr.txt" in found.links()


def test_a_run_that_only_has_a_drop_has_a_page() -> None:
    timings = Timings(dropped=DROPPED, recorded=after(0))
    assert "There was nothing to run." in page(Report(record(timings=timings))).text


def test_a_warning_that_each_round_has_of_its_own_is_shown_once() -> None:
    warnings = tuple(RunProblem(message=message, path="tasks.a") for message in ("again", "other", "again", "again"))
    text = words(Report(record(State.WARNING, warnings=warnings)))
    assert text.count("again") == 1
    assert "again (3 times)" in text
    assert "2 warnings below" in text
