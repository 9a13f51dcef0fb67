"""What the parts of a report say and leave out."""

from __future__ import annotations

import sys
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.record import RunProblem, Timings
from shared.documents.states import FailureCategory, FailureCode, State
from shared.documents.task_result import Failure, ItemRecord, Logs, Metric, Outputs, TaskRecord
from shared.outputs.fan_outs import fan_out_record
from shared.report import _advice as advice
from shared.report import _overview as overview
from shared.report import _values as values
from shared.report import listing, log_ends, text
from shared.report._advice import notices
from shared.report._tasks import tasks, worth_a_look
from shared.report.earlier import path_to
from tests.support.report_samples import COMMANDS_FAILED, DROPPED, after, log_end, logs, ran, record, several_rounds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (1.25, "1.2 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (185, "3 min 5 s"),
        (7200, "2 h"),
        (7261, "2 h 1 min"),
        (200_000, "2 d 7 h"),
        (-1, "0 s"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert text.duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes(count: int, words: str) -> None:
    assert text.size(count) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (12345678, "12,345,678"), (0.1234567, "0.12346"), (1479.5, "1,479.5"), (1e300, "1e+300")],
)
def test_numbers(value: float, words: str) -> None:
    assert text.number(value) == words


def test_characters_that_are_obeyed_instead_of_shown_are_escaped() -> None:
    """Control characters but tabs and line breaks, private and half ones, and those that change the direction."""
    direction = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    for char in map(chr, range(sys.maxunicode + 1)):
        is_hidden = char not in "\n\t" and (unicodedata.category(char) in {"Cc", "Cs", "Co"} or char in direction)
        assert (text.visible(char) != char) == is_hidden, ascii(char)
    assert text.visible("a\x1b\u202e\n") == "a\\x1b\\u202e\n"


def test_a_terminals_colours_titles_and_rewritten_lines_are_gone() -> None:
    assert (
        text.without_terminal_sequences("\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x1b(B\r\n1%\r2%\r\n3%\r")
        == "red x\n2%\n3%"
    )


@pytest.mark.parametrize(
    ("state", "states", "words"),
    [
        (State.SUCCESS, [State.SUCCESS], "The task ended well."),
        (State.SUCCESS, [State.SUCCESS] * 3, "All 3 tasks ended well."),
        (State.SUCCESS, [], "There was nothing to run."),
        (State.FAILED, [State.SUCCESS, State.FAILED, State.SKIPPED], "b failed; c never ran; 1 task ended well."),
        (State.FAILED, [State.FAILED] * 5, "a, b, c and 2 more failed."),
        (
            State.KILLED,
            [State.KILLED, State.SKIPPED],
            "The run was cancelled. a stopped; b never ran. Drop the manifest again to run it.",
        ),
        (State.KILLED, [], "The run was cancelled. Drop the manifest again to run it."),
        (State.FAILED, [], "The run failed before any of its tasks had ended."),
    ],
)
def test_the_headline_says_what_became_of_the_run(state: State, states: list[State], words: str) -> None:
    made = tuple(TaskRecord(id="abcde"[place], state=each) for place, each in enumerate(states))
    assert overview.headline(record(state, tasks=made)) == words


def test_what_could_not_be_recorded_is_said_so() -> None:
    failure = Failure(category=FailureCategory.INTERNAL, code="NotRecorded", message="it could not")
    of = record(State.FAILED, failure=failure, tasks=(TaskRecord(id="a", state=State.SKIPPED),))
    assert overview.headline(of) == "The job ended, but its results could not be collected."
    (notice,) = advice.notices(of).errors
    assert notice.message == "it could not"
    assert "operator" in notice.advice


def test_what_was_ended_by_hand_is_not_said_to_have_never_run() -> None:
    """A task that is gone with its job may have run."""
    failure = Failure(category=FailureCategory.INFRASTRUCTURE, code="EndedByHand", message="the job a-1 was ended")
    of = record(State.FAILED, failure=failure, tasks=(TaskRecord(id="a", state=State.SKIPPED),))
    assert overview.headline(of) == "The job, or tasks of it, were ended or deleted by hand."
    assert "drop it again" in advice.notices(of).errors[0].advice


def test_phases_fill_the_whole_time_also_where_clocks_differ() -> None:
    timings = Timings(dropped=DROPPED, submitted=after(1), started=after(0.5), ended=after(50), recorded=after(100))
    found = overview.phases(record(timings=timings))
    assert [phase.time.total_seconds() for phase in found] == [1, 0, 49.5, 50]
    assert found[0].left == 0
    assert found[-1].left + found[-1].width == pytest.approx(100)
    assert all(phase.width > 0.5 for phase in found)


def test_events_tell_every_round_and_why_it_was_needed() -> None:
    found = overview.events(several_rounds().record)
    assert [event.name for event in found] == [
        "Dropped",
        "Round 1 submitted",
        "First task started",
        "Round 2 submitted",
        "Round 3 submitted",
        "Last task ended",
        "End noticed",
        "Recorded",
    ]
    assert found[4].note == "pool linux-d4: its tasks follow a fan-out, or run one after the other"


@pytest.mark.parametrize("category", FailureCategory)
def test_every_failure_comes_with_what_to_do(category: FailureCategory) -> None:
    assert "rop" in advice.what_to_do(Failure(category=category, code="NobodyKnows", message="x"))


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_code_of_the_app_has_advice(code: FailureCode) -> None:
    failure = Failure(category=FailureCategory.INTERNAL, code=code, message="x")
    assert advice.what_to_do(failure) == advice.ADVICE[code]


@pytest.mark.parametrize("code", ["TaskEnded", "ContainerInvalidImage", "ContainerInvalidSettings"])
def test_codes_of_batch_that_people_meet_have_advice(code: str) -> None:
    failure = Failure(category=FailureCategory.INFRASTRUCTURE, code=code, message="x")
    assert advice.what_to_do(failure) == advice.BATCH_ADVICE[code]


def test_a_failure_that_is_allowed_is_no_call_for_action() -> None:
    task = TaskRecord(id="a", state=State.WARNING, failure=COMMANDS_FAILED)
    (notice,) = advice.notices(record(State.WARNING, tasks=(task,))).errors
    assert "allowFailure" in notice.advice


@pytest.mark.parametrize(("state", "count"), [(State.KILLED, 0), (State.FAILED, 1)])
def test_a_task_that_a_cancel_stopped_did_not_go_wrong(state: State, count: int) -> None:
    ended = Failure(category=FailureCategory.USER, code="TaskEnded", message="the job was terminated")
    task = TaskRecord(id="a", state=State.KILLED, failure=ended)
    assert len(advice.notices(record(state, tasks=(task,))).errors) == count


def test_mistakes_found_after_the_first_round_keep_their_places() -> None:
    """The record's failure is only their messages in one line."""
    failure = Failure(category=FailureCategory.USER, code="InvalidManifest", message="one; two")
    errors = (RunProblem(message="one", line=3, column=1), RunProblem(message="two", line=5, column=2))
    found = advice.notices(record(State.FAILED, failure=failure, errors=errors)).errors
    assert [(notice.message, notice.line) for notice in found] == [("one", 3), ("two", 5)]


def item(index: int, seconds: float, state: State = State.SUCCESS, **more: object) -> ItemRecord:
    return ItemRecord(index=index, value=index, **ran(0, seconds, state=state, **more))


def test_what_did_not_end_well_comes_first_then_what_took_longest_each_once() -> None:
    made = [item(0, 5), item(1, 9), item(2, 1, State.FAILED), item(3, 8), item(4, 99, State.KILLED)]
    assert [each.index for each in worth_a_look(made, 2, 2)] == [2, 4, 1, 3]
    assert [each.index for each in worth_a_look(made, 1, 1)] == [2, 4]


def test_what_is_taken_over_comes_after_what_ran() -> None:
    """Also if it took longer, or ended with a warning."""
    made = [
        item(0, 9, State.WARNING, taken_from="earlier"),
        item(1, 1),
        item(2, 8, taken_from="earlier"),
        item(3, 1, State.WARNING),
    ]
    assert [each.index for each in worth_a_look(made, 1, 9)] == [3, 1, 0, 2]


def test_logs_of_what_is_taken_over_are_read_last() -> None:
    made = (
        TaskRecord(id="a", **ran(0, 1, state=State.WARNING, logs=logs("a"), taken_from="earlier")),
        TaskRecord(id="b", **ran(0, 1, logs=logs("b"))),
    )
    assert [log.owner for log in log_ends.logs_to_show(record(tasks=made), {})] == ["b", "b", "a", "a"]


@pytest.mark.parametrize(
    ("blob", "folder", "path"),
    [
        ("etl/etl-1/report.html", "etl/etl-2", "../etl-1/report.html"),
        ("a/b/x-1/report.html", "a/c/x-2", "../../b/x-1/report.html"),
        ("x-1/report.html", "a/b/x-2", "../../../x-1/report.html"),
        ("a/b/c/x-1/report.html", "a/x-2", "../b/c/x-1/report.html"),
        ("a:b/x-1/report.html", "a/x-2", "../../a:b/x-1/report.html"),
    ],
)
def test_a_path_leads_from_one_run_to_another(blob: str, folder: str, path: str) -> None:
    assert path_to(blob, folder) == path


@pytest.mark.parametrize(
    ("files", "is_retry", "what", "advice"),
    [
        ([None, None], False, "manifest", "Fix these, and drop the manifest again."),
        (["flow.yaml"], False, "flow", "Fix this, store the flow again, and drop the manifest again."),
        (
            ["flow.yaml", None],
            True,
            "manifest and its flow",
            "A retry runs the flow of the earlier run as it was: drop the corrected flow instead.",
        ),
    ],
)
def test_mistakes_are_mended_where_they_are(files: list[str | None], is_retry: bool, what: str, advice: str) -> None:
    errors = tuple(RunProblem(message="wrong", file=file) for file in files)
    earlier = {"run_id": "e-1", "results": "e/e-1"} if is_retry else None
    found = notices(record(State.REJECTED, errors=errors, retry_of=earlier))
    assert (found.mistaken, found.advice) == (what, advice)


def test_a_fan_out_is_summed_up() -> None:
    made = [item(index, index, State.FAILED if index == 7 else State.SUCCESS) for index in range(100)]
    (found,) = tasks(record(tasks=(fan_out_record("t", made),)), {"t": made}).fan_outs
    assert [(share.state, share.count, share.left, share.width) for share in found.shares] == [
        (State.FAILED, 1, 0, 1),
        (State.SUCCESS, 99, 1, 99),
    ]
    assert found.items[0].index == 7
    assert found.left_out == 100 - len(found.items)
    assert (found.shortest, found.median, found.longest) == tuple(timedelta(seconds=s) for s in (0, 49.5, 99))


def shown(content: str, total: int = 0) -> log_ends.LogText:
    return log_ends.log_text(log_end("a", content, total=total), mask=lambda text: text)


def test_of_a_log_the_last_lines_are_shown() -> None:
    end = shown("".join(f"line {number}\n" for number in range(100)))
    assert end.text.split("\n") == [f"line {number}" for number in range(60, 100)]
    assert not end.is_whole
    assert shown("all\nof it\n").is_whole


def test_a_line_that_was_cut_at_its_beginning_is_left_out() -> None:
    """Half a secret could not be recognised."""
    end = shown("tail of a line\nwhole line\n", total=1_000_000)
    assert (end.text, end.is_whole) == ("whole line", False)


def test_of_a_log_without_lines_the_last_characters_are_shown() -> None:
    end = shown("x" * 9_000 + "end", total=9_003)
    assert len(end.text) == log_ends.MAX_CHARACTERS
    assert end.text.endswith("end")
    assert not end.is_whole


def test_logs_of_what_failed_are_read_first_and_few_in_all() -> None:
    made = [
        item(index, 1, State.FAILED if index > 90 else State.SUCCESS, logs=logs(f"t/{index}")) for index in range(100)
    ]
    others = tuple(TaskRecord(id=f"o{n}", **ran(0, 1, logs=logs(f"o{n}"))) for n in range(50))
    bad = TaskRecord(id="bad", **ran(0, 1, state=State.FAILED, logs=Logs(stdout="logs/bad/stdout.txt")))
    found = log_ends.logs_to_show(record(tasks=(*others, fan_out_record("t", made), bad)), {"t": made})
    assert len(found) == log_ends.MAX_LOGS
    assert [(log.owner, log.stream) for log in found[:8]] == [
        *((f"t[{index}]", stream) for index in (91, 92, 93) for stream in ("stderr", "stdout")),
        ("bad", "stdout"),
        ("o0", "stderr"),
    ]


def test_a_long_manifest_is_shown_at_its_beginning_and_around_its_mistakes() -> None:
    content = "\n".join(f"line: {number}" for number in range(1, 2001))
    found = listing.listing(content, [RunProblem(message="wrong", line=1000, column=7), RunProblem(message="no place")])
    assert [(line.number, line.skipped) for line in found if line.skipped] == [(301, 696), (1004, 997)]
    (marked,) = (line for line in found if line.problems)
    assert (marked.number, marked.text, marked.wrong) == (1000, "line: ", "1000")


def test_a_mistake_at_the_end_of_a_line_or_of_the_file_marks_what_there_is() -> None:
    found = listing.listing(
        "a:\nb: 1", [RunProblem(message="x", line=1, column=3), RunProblem(message="y", line=3, column=1)]
    )
    assert [(line.text, line.wrong, len(line.problems)) for line in found] == [("a:", "", 1), ("b: 1", "", 0)]


def test_metrics_of_the_same_name_are_one_series() -> None:
    metrics = (
        *(Metric(name="loss", type="gauge", value=n) for n in (3, 1, 2)),
        Metric(name="n", type="counter", value=5),
    )
    task = TaskRecord(id="t", state=State.SUCCESS, metrics=metrics)
    loss, n = values.values(record(tasks=(task,)), {}).series
    assert (loss.count, loss.last, loss.lowest, loss.mean, loss.highest, loss.total) == (3, 2, 1, 2, 3, None)
    assert loss.points == "0,0 80,32 160,16"
    assert (n.count, n.total, n.points) == (1, 5, "")


def test_numbers_that_items_print_are_one_series() -> None:
    """Other values, and those too large for a chart, are only in the table of the items."""
    made = [item(n, 1, outputs=Outputs(vars={"n": n, "name": f"x{n}", "huge": 10**400})) for n in range(9)]
    found = values.values(record(tasks=(fan_out_record("t", made),)), {"t": made})
    assert [(series.name, series.count) for series in found.series] == [("n", 9)]
    assert found.values == ()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=300))
def test_any_finite_numbers_have_figures_and_a_chart_inside_its_box(numbers: list[float]) -> None:
    series = values.series_of("t", "n", "counter", numbers)
    assert [text.number(figure) for figure in (series.last, series.mean, series.total or 0)]
    points = [tuple(map(float, point.split(","))) for point in series.points.split()]
    assert len(points) <= values.CHART_POINTS
    assert all(0 <= x <= values.CHART_WIDTH and 0 <= y <= values.CHART_HEIGHT for x, y in points)
