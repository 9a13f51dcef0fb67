"""The report: written for every run, once, before the record; nothing about it keeps a run from being recorded."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient

from shared import poll_runs
from shared.lifecycle import MAX_ANNOUNCEMENTS
from shared.report.log_ends import MAX_LOGS
from shared.report.page import Report
from shared.report.previews import MAX_PREVIEWS, READ_BYTES
from shared.steps import _write_report as write_report
from shared.storage.results import Results

pytestmark = pytest.mark.sampled

FAILING = "id: t\ncommands: ['echo out', 'echo the reason >&2', 'exit 3']"


def blob(world, run: str, name: str = "report.html") -> BlobClient:
    container = world.settings.containers.results
    return world._storage.get_blob_client(container, f"m/{run}/{name}")


def report(world, run: str) -> str:
    return blob(world, run).download_blob().readall().decode()


def test_a_run_has_a_page_with_the_end_of_its_logs(world) -> None:
    run = world.accept(text=FAILING)
    world.finish()
    page = report(world, run)
    assert "t failed." in page
    assert 'id="logs"' in page
    assert "<pre>the reason</pre>" in page
    assert 'href="logs/t/stderr.txt"' in page
    assert "exit 3" in page, "the manifest"
    properties = blob(world, run).get_blob_properties()
    assert properties.content_settings.content_type == "text/html; charset=utf-8"


def test_a_rejected_manifest_has_one_and_its_credentials_are_not_in_it(world) -> None:
    run = world.accept(text="id: t\ncommands: [x]\ncomand: x\ntaskRunner: {accessKey: 'a literal key'}")
    page = report(world, run)
    assert "did you mean" in page
    assert "a literal key" not in page


def test_a_run_that_was_cancelled_before_it_began_has_one(world) -> None:
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    run = world.accept()
    world.batch_fails()
    world.put("inbox", f"{run}.cancel")
    poll_runs.poll(world.app)
    assert "The run was cancelled." in report(world, run)


def test_a_run_that_could_not_be_recorded_has_one(world) -> None:
    run = world.accept()
    world.await_end(run)
    (listed,) = world.app.runs.list()
    world.app.runs.set_progress(listed, replace(listed.progress, announced=MAX_ANNOUNCEMENTS))
    poll_runs.poll(world.later(hours=2))
    world.deliver()
    assert "its results could not be collected" in report(world, run)


def test_a_manifest_that_is_no_text_has_one(world) -> None:
    run = world.accept(text="#" * (1024 * 1024 + 1))
    assert "too large to be shown" in report(world, run)


def test_every_round_is_in_the_timeline_with_its_time(world) -> None:
    text = "tasks:\n- {id: a, foreach: 2, commands: [echo]}\n- {id: b, commands: ['ls {{ outputs.a }}']}"
    run = world.accept(text=text)
    world.finish()
    jobs = world.record(run)["jobs"]
    assert jobs[0]["submitted"] < jobs[1]["submitted"]
    page = report(world, run)
    assert "Round 2 submitted" in page
    assert "its tasks follow a fan-out" in page


STORED = """\
id: etl
namespace: company.team
inputs:
  - {id: rows, type: INT, defaults: 1}
  - {id: token, type: STRING, defaults: none}
tasks:
  - {id: make, commands: ['echo a-very-secret-token {{ inputs.rows }}']}
  - {id: load, commands: ['test {{ inputs.rows }} = 2']}
"""
REQUEST = "flow: company.team/etl\ninputs: {rows: ROWS, token: TOKEN}\n"


def test_the_flow_that_a_request_names_is_listed_with_the_inputs(make_world) -> None:
    """Without secrets."""
    world = make_world(SECRET_TOKEN="a-very-secret-token")
    world.put("flows", "company.team/etl.yaml", STORED)
    run = world.accept(text=REQUEST.replace("ROWS", "2").replace("TOKEN", "a-very-secret-token"))
    world.finish()
    page = report(world, run)
    assert 'id="flow-line-7"' in page
    assert "company.team/etl.yaml" in page
    assert "masked: its value holds a secret" in page
    assert '<th scope="row">rows</th>' in page
    assert "a-very-secret-token" not in page


def test_a_mistake_in_the_stored_flow_stands_there_and_no_credential(world) -> None:
    credential = "taskRunner: {accessKey: 'a literal key'}, commands: ["
    world.put(
        "flows", "company.team/etl.yaml", STORED.replace("type: INT", "type: IN").replace("commands: [", credential)
    )
    page = report(world, world.accept(text=REQUEST.replace("ROWS", "2").replace("TOKEN", "x")))
    assert 'href="#flow-line-4">line 4, column 22 of the flow' in page
    assert 'id="flow-line-4" class="line is-wrong"' in page
    assert 'id="line-1" class="line"' in page
    assert "a literal key" not in page


def test_a_retry_leads_to_the_report_of_the_earlier_run(world) -> None:
    """It says what is taken over, and the time of the run is not that of the earlier one."""
    world.put("flows", "company.team/etl.yaml", STORED)
    run = world.accept(text=REQUEST.replace("ROWS", "3").replace("TOKEN", "x"))
    world.finish()
    again = world.accept(text=f"retry: m/{run}\n")
    world.finish()
    page = report(world, again)
    assert f'Retry of <a href="../{run}/report.html">{run}</a>: 1 task taken over' in page
    assert f'title="{run}"' in page
    record = world.record(again)
    assert record["timings"]["started"] == record["tasks"][1]["started"]


def test_secrets_that_a_task_prints_are_masked(make_world) -> None:
    world = make_world(SECRET_TOKEN="a-very-secret-token")
    run = world.accept(text="id: t\nenv: {T: \"{{ secret('TOKEN') }}\"}\ncommands: ['echo token $T']")
    world.finish()
    assert "token ******" in report(world, run)
    assert "a-very-secret-token" in blob(world, run, "logs/t/stdout.txt").download_blob().readall().decode()


def test_a_report_that_is_there_stays(world) -> None:
    run = world.accept()
    world.await_end(run)
    blob(world, run).upload_blob("written by another delivery")
    world.finish()
    assert report(world, run) == "written by another delivery"
    assert world.record(run)["state"] == "SUCCESS"


@pytest.mark.parametrize(
    "broken",
    [(Report, "html"), (write_report, "logs_to_show"), (Results, "write_page")],
    ids=["page", "logs", "upload"],
)
def test_whatever_is_wrong_with_the_report_the_run_is_recorded(world, monkeypatch, caplog, broken) -> None:
    """Loudly."""

    def fail(*_args: object) -> None:
        raise AttributeError("a bug in the report")

    monkeypatch.setattr(*broken, fail)
    run = world.accept()
    world.finish()
    assert world.record(run)["state"] == "SUCCESS"
    assert f"m/{run}/report.html" not in world.names("results")
    (logged,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    told = json.loads(logged.getMessage())
    assert (told["event"], told["run"]) == ("report-failed", run)
    assert "a bug in the report" in told["traceback"]
    assert world.names("runs") == []


def test_the_report_comes_before_the_record(world, monkeypatch) -> None:
    """Whoever waits for the record finds everything else there."""
    written = []
    for name in ("write_page", "write_record"):
        original = getattr(Results, name)

        def note(*args: object, name: str = name, original=original) -> object:
            written.append(name)
            return original(*args)

        monkeypatch.setattr(Results, name, note)
    world.accept()
    world.finish()
    assert written == ["write_page", "write_record"]


def test_of_many_logs_few_are_read_and_of_a_long_one_its_end(world, monkeypatch) -> None:
    """Two requests for a log that is long, one for a short one; the failed task's first."""
    asked = []
    download = BlobClient.download_blob

    def note(self, *args: object, **options: object):
        asked.append(self.blob_name.partition("/logs/")[2])
        return download(self, *args, **options)

    others = "".join(f"- {{id: t{number}, dependsOn: [], commands: [echo]}}\n" for number in range(20))
    run = world.accept(text=f"tasks:\n{others}- {{id: long, dependsOn: [], commands: ['seq 100000', 'exit 1']}}")
    world.await_end(run)
    monkeypatch.setattr(BlobClient, "download_blob", note)
    world.finish()
    asked_logs = [name for name in asked if name]
    assert len(asked_logs) == MAX_LOGS + 1
    assert asked_logs.count("long/stdout.txt") == 2
    page = report(world, run)
    assert "\n99962\n" in page
    assert "\n99960\n" not in page
    assert "The whole log, 575.1 KiB" in page


def test_a_log_that_cannot_be_read_is_left_out(world, caplog) -> None:
    run = world.accept(text=FAILING)
    world.await_end(run)
    reading = Results.read_end
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Results, "read_end", lambda self, run, name, size: reading(self, run, f"{name}.gone", size))
        world.finish()
    page = report(world, run)
    assert 'id="logs"' not in page
    assert 'href="logs/t/stderr.txt"' in page
    told = [json.loads(each.getMessage()) for each in caplog.records if "log-not-in-report" in each.getMessage()]
    assert "logs/t/stderr.txt" in {each["blob"] for each in told}


FILES = """\
description: Makes files of every kind.
commands:
  - printf 'day,rows\\nmonday,3\\n' > table.csv
  - seq 1 100000 > long.txt
  - printf 'binary\\000data' > binary.txt
  - printf '\\377\\376' > broken.json
  - touch empty.md
  - printf 'no picture' > plot.png
  - echo "{\\"mine\\":1}" > data.json
  - EXIT
outputFiles: ['*.*']
"""


@pytest.mark.parametrize("end", ["true", "exit 3"])
def test_files_are_shown_whether_the_task_ended_well_or_not(world, monkeypatch, end: str) -> None:
    """One request for each that is read, of no more than its beginning; none for a picture or an empty file."""
    asked = {}
    download = BlobClient.download_blob

    def note(self, *args: object, **options: object):
        name = self.blob_name.partition("/outputs/task/")[2]
        stream = download(self, *args, **options)
        if name:
            assert name not in asked
            asked[name] = stream.size
        return stream

    run = world.accept(text=FILES.replace("EXIT", end))
    world.await_end(run)
    monkeypatch.setattr(BlobClient, "download_blob", note)
    world.finish()
    page = report(world, run)
    assert asked == {"table.csv": 18, "long.txt": READ_BYTES, "binary.txt": 11, "broken.json": 2, "data.json": 11}
    assert '<img src="outputs/task/plot.png" alt="plot.png of task"' in page
    assert '<tr><td>monday</td><td class="n">3</td></tr>' in page
    assert "\n299\n300</pre>" in page
    assert "{&#34;mine&#34;:1}</pre>" in page
    previews = page.partition('id="previews"')[2].partition("</section>")[0]
    for name in ("binary", "broken", "empty"):
        assert name not in previews
    assert '<p class="description">Makes files of every kind.</p>' in page


def test_of_many_files_few_are_read(world, monkeypatch) -> None:
    asked = []
    download = BlobClient.download_blob

    def note(self, *args: object, **options: object):
        asked.append(self.blob_name.partition("/outputs/")[2])
        return download(self, *args, **options)

    run = world.accept(text="commands: ['for n in $(seq 100); do echo $n > $n.txt; done']\noutputFiles: ['*.txt']")
    world.await_end(run)
    monkeypatch.setattr(BlobClient, "download_blob", note)
    world.finish()
    assert len([name for name in asked if name]) == MAX_PREVIEWS
    assert report(world, run).count('<details class="preview"') == MAX_PREVIEWS


def test_a_file_that_cannot_be_read_is_left_out(world, caplog) -> None:
    """It is gone, say; the others and the logs are shown."""
    run = world.accept(text="commands: [echo one > a.txt, echo two > b.txt, echo three]\noutputFiles: ['*.txt']")
    world.await_end(run)
    reading = Results.read_beginning

    def without_a(self, run, name, size):
        return reading(self, run, f"{name}.gone" if name.endswith("a.txt") else name, size)

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Results, "read_beginning", without_a)
        world.finish()
    page = report(world, run)
    assert page.count('<details class="preview"') == 1
    assert "two</pre>" in page
    assert "three</pre>" in page
    told = [json.loads(each.getMessage()) for each in caplog.records if "file-not-in-report" in each.getMessage()]
    assert [each["blob"] for each in told] == ["outputs/task/a.txt"]
    assert world.record(run)["state"] == "SUCCESS"


def test_the_beginning_of_a_blob_is_read_by_one_bounded_request(world, monkeypatch) -> None:
    run = world.accept()
    opened = world.app.runs.load(run)
    for name, content in (("empty", b""), ("short", b"abc"), ("long", b"x" * 9 + b"y" * 1_000_000)):
        blob(world, run, f"outputs/{name}").upload_blob(content)
    asked = []
    download = BlobClient.download_blob
    monkeypatch.setattr(
        BlobClient, "download_blob", lambda *given, **options: asked.append(options) or download(*given, **options)
    )
    results = world.app.results
    assert results.read_beginning(opened, "outputs/empty", 10) == (b"", 0)
    assert results.read_beginning(opened, "outputs/short", 10) == (b"abc", 3)
    assert results.read_beginning(opened, "outputs/long", 10) == (b"xxxxxxxxxy", 1_000_009)
    assert [(each["offset"], each["length"], each["retry_total"]) for each in asked] == [(0, 10, 0)] * 3
    with pytest.raises(ResourceNotFoundError):
        results.read_beginning(opened, "outputs/none", 10)
    world.finish()


def test_secrets_in_files_are_masked_where_the_page_shows_them(make_world) -> None:
    world = make_world(SECRET_TOKEN='a-very;"secret"-token')
    commands = ["printf '%s' \"$T\" > t.txt", 'printf \'a;b\\n"a-very;""secret""-token";2\\n\' > t.csv']
    text = json.dumps({"env": {"T": "{{ secret('TOKEN') }}"}, "commands": commands, "outputFiles": ["t.*"]})
    run = world.accept(name="m.json", text=text)
    world.finish()
    page = report(world, run)
    assert "******</pre>" in page
    assert "<td>******</td>" in page
    for part in ("secret&", "-token", "a-very;"):
        assert part not in page.partition('id="previews"')[2].partition("</section>")[0]


def test_which_item_printed_which_value_is_in_a_table(world) -> None:
    text = 'id: t\nforeach: [b, a]\ncommands: [\'echo "::{\\"outputs\\": {\\"letter\\": \\"{{ item }}\\"}}::"\']'
    run = world.accept(text=text)
    world.finish()
    page = report(world, run)
    assert '<tr style="--c0:0;--c1:1;--c2:1"><th scope="row" class="n">0</th><td>b</td><td>b</td></tr>' in page
    assert '<tr style="--c0:1;--c1:0;--c2:0"><th scope="row" class="n">1</th><td>a</td><td>a</td></tr>' in page


def test_a_request_says_where_it_came_from_and_what_its_labels_are(world) -> None:
    world.put("flows", "company.team/etl.yaml", STORED)
    run = world.accept(text=REQUEST.replace("ROWS", "2").replace("TOKEN", "x") + "labels: {team: blue}\n")
    world.finish()
    page = report(world, run)
    assert 'Request for the stored flow <a href="#flow">company.team/etl.yaml</a>' in page
    assert '<li class="tag">team=blue</li>' in page
