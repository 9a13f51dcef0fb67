"""Run ids, the run document, and the table of a run's life."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from shared.documents.names import (
    dropped_at,
    follower_run_id,
    is_cancel,
    is_manifest,
    results_folder,
    run_id,
    run_to_cancel,
    scheduled_run_id,
)
from shared.documents.progress import ListedRun, Progress
from shared.documents.run_body import RunBody
from shared.documents.states import State, WaitReason
from shared.lifecycle import MAX_ANNOUNCEMENTS, MAX_ATTEMPTS, Action, next_action

NOW = datetime(2026, 11, 22, 12, 13, 14, tzinfo=UTC)


def listed(*, age: float = 0, **progress: object) -> ListedRun:
    return ListedRun("r-20261122t121314-3f9a1c2b", Progress(**progress), "etag", NOW - timedelta(seconds=age))


def test_run_id_is_slug_time_and_hash() -> None:
    """`<slug>-<time of last modification in UTC>-<8 hex of sha256(container/blob@etag)>`, as documented."""
    moment = datetime(2026, 11, 22, 13, 13, 14, tzinfo=timezone(timedelta(hours=1)))
    assert run_id("inbox", "team/Env File.yaml", "0x8D", moment) == "env-file-20261122t121314-e004a429"


def test_run_id_is_the_same_with_or_without_quotes_around_the_etag() -> None:
    assert run_id("inbox", "a.yaml", '"0x8D"', NOW) == run_id("inbox", "a.yaml", "0x8D", NOW)


@pytest.mark.parametrize(
    ("blob", "slug"),
    [
        ("日本.yaml", "run"),
        ("a" * 30 + ".yml", "a" * 20),
        ("x--y__z.json", "x-y-z"),
        ("abcdefghijklmnopqrs-tu.yaml", "abcdefghijklmnopqrs"),
    ],
)
def test_slug_is_at_most_twenty_lower_case_characters(blob: str, slug: str) -> None:
    assert run_id("inbox", blob, "e", NOW).removesuffix(run_id("inbox", blob, "e", NOW)[-25:]) == slug


def test_every_version_of_every_blob_is_a_run_of_its_own() -> None:
    ids = {run_id("inbox", name, etag, NOW) for name in ("a.yaml", "b/a.yaml") for etag in ("1", "2")}
    assert len(ids) == 4


def test_results_lie_in_the_folder_of_the_manifest() -> None:
    assert results_folder("team/env.v2.yaml", "id") == "team/env.v2/id"


def test_results_of_a_very_long_name_leave_room_for_the_names_of_files() -> None:
    """A blob's name has at most 1,024 characters."""
    assert results_folder("d/" + "x" * 900 + ".yaml", "id") == "d/" + "x" * 298 + "/id"


@pytest.mark.parametrize(
    "name", ["../x.yaml", "../runs/run-1.json", "a/../../runs/x.json", "a/./b.yaml", "../x.cancel"]
)
def test_a_name_that_clients_would_resolve_to_another_blob_means_nothing(name: str) -> None:
    """With it a drop could make the app read, and then remove, a blob of another container."""
    assert not is_manifest(name)
    assert not is_cancel(name)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("..yaml", "run"), (".yaml", ".yaml"), ("/a.yaml", "a"), ("a\\..\\b.yaml", "a_.._b"), ("a\x01\ufffe.yaml", "a__")],
)
def test_results_lie_in_one_folder_whatever_the_name(name: str, folder: str) -> None:
    assert results_folder(name, "id") == f"{folder}/id"


@pytest.mark.parametrize(
    "name", ["parts/x-20261122t121314-3f9a1c2b/1/000001", "../x", "", "x", "X-20261122t121314-3f9a1c2b"]
)
def test_only_run_ids_can_be_cancelled(name: str) -> None:
    """Whatever else lies in the runs container is not asked for."""
    assert run_to_cancel(f"{name}.cancel") is None
    assert run_to_cancel("x-20261122t121314-3f9a1c2b.cancel") == "x-20261122t121314-3f9a1c2b"


def test_a_run_id_tells_when_its_manifest_was_dropped() -> None:
    assert dropped_at(run_id("inbox", "a.yaml", "0x8D", NOW)) == NOW


def test_ids_of_runs_of_triggers_follow_from_flow_trigger_and_cause() -> None:
    berlin = datetime(2026, 11, 28, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    digest = hashlib.sha256(b"flows/company.team/daily.Report#nightly@20261128t003000").hexdigest()[:8]
    assert scheduled_run_id("company.team/daily.Report", "nightly", berlin) == f"daily-report-20261128t003000-{digest}"
    ended = "a-20261128t003000-01234567"
    digest = hashlib.sha256(f"flows/company.team/b#t@{ended}".encode()).hexdigest()[:8]
    assert follower_run_id("company.team/b", "t", ended, berlin) == f"b-20261128t003000-{digest}"
    assert run_to_cancel(f"{follower_run_id('x.y/__', 't', ended, berlin)}.cancel")


def test_a_run_that_nobody_dropped_is_submitted_by_the_next_tick_and_then_after_pauses() -> None:
    assert next_action(listed(by_tick=True), job_is_alive=False, now=NOW) is Action.SUBMIT
    assert next_action(listed(by_tick=True, attempts=1), job_is_alive=False, now=NOW) is Action.NOTHING
    assert next_action(listed(age=61, by_tick=True, attempts=1), job_is_alive=False, now=NOW) is Action.SUBMIT
    assert next_action(listed(), job_is_alive=False, now=NOW) is Action.NOTHING


def test_progress_survives_as_blob_metadata() -> None:
    progress = Progress(State.RUNNING, 3, cancelled=True, attempts=2, announced=5, waiting=WaitReason.QUOTA)
    progress = replace(progress, retry_at=NOW, is_staged=True, pool="p", by_tick=True)
    assert Progress.from_metadata(progress.to_metadata()) == progress


def test_body_survives_as_json(run_of) -> None:
    body = run_of().body
    assert RunBody.model_validate_json(body.to_json()) == body


def test_body_ignores_fields_of_a_later_version(run_of) -> None:
    """A document may gain fields."""
    text = run_of().body.to_json().replace('"runId"', '"later": 1, "runId"', 1)
    assert RunBody.model_validate_json(text) == run_of().body


@pytest.mark.parametrize(
    ("run", "alive", "step"),
    [
        pytest.param(listed(age=1), False, Action.NOTHING, id="just accepted: left to its submitter"),
        pytest.param(listed(age=31), False, Action.SUBMIT, id="queued and left alone: submitted"),
        pytest.param(
            listed(age=1, waiting=WaitReason.QUOTA), False, Action.SUBMIT, id="put off by a service: every tick"
        ),
        pytest.param(listed(age=100, attempts=2), False, Action.NOTHING, id="pauses grow with attempts"),
        pytest.param(listed(age=121, attempts=2), False, Action.SUBMIT, id="third attempt after two minutes"),
        pytest.param(listed(age=9999, attempts=MAX_ATTEMPTS), False, Action.REJECT, id="attempts are bounded"),
        pytest.param(listed(state=State.RUNNING), True, Action.NOTHING, id="its job is alive"),
        pytest.param(listed(state=State.RUNNING), False, Action.ANNOUNCE, id="its job ended: announced at once"),
        pytest.param(listed(age=29, state=State.RUNNING, announced=1), False, Action.NOTHING, id="announced just now"),
        pytest.param(listed(age=30, state=State.RUNNING, announced=1), False, Action.ANNOUNCE, id="announced again"),
        pytest.param(
            listed(age=3600, state=State.RUNNING, announced=MAX_ANNOUNCEMENTS),
            False,
            Action.ANNOUNCE_LAST,
            id="announcements are bounded",
        ),
        pytest.param(
            replace(listed(state=State.RUNNING), id="r-20261115t121313-3f9a1c2b"),
            True,
            Action.TERMINATE,
            id="alive for more than seven days: somebody keeps its job from ending",
        ),
        pytest.param(
            replace(listed(state=State.RUNNING, accepted=NOW), id="r-20261115t121313-3f9a1c2b"),
            True,
            Action.NOTHING,
            id="dropped more than seven days ago, but accepted just now",
        ),
        pytest.param(listed(age=9999, schema_version="2"), False, Action.NOTHING, id="a newer app's run is left alone"),
    ],
)
def test_table_of_life(run: ListedRun, alive: bool, step: Action) -> None:
    assert next_action(run, job_is_alive=alive, now=NOW) is step


def test_runs_sort_by_the_time_of_their_drop() -> None:
    early = replace(listed(), id="zzz-20261122t121314-00000000")
    late = replace(listed(), id="aaa-20261122t121315-00000000")
    assert sorted([late, early], key=lambda run: run.oldest_first) == [early, late]


def test_what_lay_in_the_inbox_is_not_before_those_that_were_accepted_before_it() -> None:
    """Documents of before version 0.3 do not have that time, but that of the drop."""
    dropped_long_ago = replace(listed(accepted=NOW), id="r-20261101t121314-00000000")
    before = replace(listed(), id="r-20261122t121313-00000000")
    assert sorted([dropped_long_ago, before], key=lambda run: run.oldest_first) == [before, dropped_long_ago]


def test_waiting_for_a_service_is_not_an_attempt(run_of) -> None:
    run = replace(run_of(), progress=Progress(attempts=3)).with_wait(WaitReason.BUSY)
    assert (run.progress.attempts, run.progress.waiting) == (2, WaitReason.BUSY)
