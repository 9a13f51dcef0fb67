"""The live display: what stands on the screen, in wide and narrow terminals."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from azure.batch.models import BatchTaskState
from rich.console import Console

from batchrun.cli._display import PlainDisplay, display_on
from batchrun.cli._live import LiveDisplay
from batchrun.client.refs import RunRef
from batchrun.client.runs import RunView
from batchrun.client.tasks import TaskView
from shared.documents.states import State
from shared.documents.status import Status

RUN = RunRef("m-20261125t043509-0f3a6689", "m/m-20261125t043509-0f3a6689")
NOW = datetime.now(UTC)
BAR = "━"


def screen(*views: RunView | State, width: int = 100, height: int = 25) -> str:
    """What is drawn after a run was seen so."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, height=height)
    display = LiveDisplay(console)
    for view in views:
        if isinstance(view, State):
            display.ended(RUN, view)
        else:
            display.seen(RUN, None, view)
    plain = Console(file=file, width=width, height=height)
    plain.print(display._draw())
    return file.getvalue()


def view(*tasks: TaskView, names: tuple[str, ...] = (), status: Status | None = None) -> RunView:
    """A running run."""
    return RunView(State.RUNNING, tasks, names, status)


def test_a_bar_for_each_task_with_its_time_and_what_it_does():
    tasks = (
        TaskView("build", BatchTaskState.COMPLETED, 3, failed=True, started=NOW, ended=NOW),
        TaskView("each[0]", BatchTaskState.COMPLETED, 0, started=NOW, ended=NOW),
        TaskView("each[1]", BatchTaskState.RUNNING, started=NOW),
    )

    head, build, each, merge = screen(view(*tasks, names=("build", "each", "merge"))).splitlines()

    assert head.startswith(f"RUNNING  {RUN.id}  0:0")
    assert build.split() == ["build", BAR * 24, "0:00", "has", "ended,", "exit", "code", "3"]
    assert "1 of 2 have ended" in each
    assert merge.split()[-1] == "waits"


def test_what_is_taken_over_has_a_full_bar_and_gives_way_to_what_runs():
    retry = replace(
        view(TaskView("load", BatchTaskState.RUNNING, started=NOW), names=("make", "load")),
        taken_over=frozenset({"make"}),
    )

    make = screen(retry).splitlines()[1]
    assert make.split() == ["make", BAR * 24, "taken", "over"]
    assert "make" not in screen(retry, height=4)
    assert "load" in screen(retry, height=4)


def test_a_narrow_terminal_gets_no_bars_but_all_words():
    drawn = screen(view(TaskView("each", BatchTaskState.RUNNING, started=NOW)), width=50)

    assert BAR not in drawn
    assert "each" in drawn
    assert "runs" in drawn
    assert max(map(len, drawn.splitlines())) <= 50


def test_why_a_run_waits_stands_below_it():
    status = Status(run_id=RUN.id, state=State.QUEUED, round=1, job_id=None, waiting="quota", position=3, updated=NOW)

    drawn = screen(RunView(State.QUEUED, status=status))

    assert "waits for the account's quota of active jobs, place 3 in the queue" in drawn


def test_once_the_tasks_have_ended_the_results_are_waited_for():
    """Which can take a while for thousands of files."""
    ended = TaskView("a", BatchTaskState.COMPLETED, 0, started=NOW, ended=NOW)

    assert "results are being collected" in screen(view(ended))
    assert "results are being collected" not in screen(view(ended, TaskView("b", BatchTaskState.ACTIVE)))


def test_many_tasks_leave_room_and_those_that_run_are_seen():
    """What does not fit is counted."""
    names = tuple(f"t{n}" for n in range(200))

    drawn = screen(view(TaskView("t150", BatchTaskState.RUNNING, started=NOW), names=names), height=20)

    assert "t150" in drawn
    assert len(drawn.splitlines()) < 20
    assert "more tasks" in drawn


def test_a_complete_run_is_one_line():
    drawn = screen(view(TaskView("a", BatchTaskState.RUNNING, started=NOW)), State.SUCCESS)

    [line] = drawn.splitlines()
    assert line.startswith(f"SUCCESS  {RUN.id}")


@pytest.mark.parametrize(
    ("terminal", "term", "kind"),
    [(True, "xterm", LiveDisplay), (True, "dumb", PlainDisplay), (False, "xterm", PlainDisplay)],
)
def test_only_terminals_that_can_move_the_cursor_get_it(terminal, term, kind):
    """A pipe, a file and an editor's shell get lines."""
    console = Console(file=io.StringIO(), force_terminal=terminal, _environ={"TERM": term})

    assert isinstance(display_on(console), kind)


def test_what_tasks_and_services_say_cannot_move_the_cursor():
    status = Status(
        run_id=RUN.id, state=State.RUNNING, round=1, job_id=None, waiting="pool", message="\x1b[2Jgone", updated=NOW
    )

    assert "\x1b[2J" not in screen(view(status=status))
