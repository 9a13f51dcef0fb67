"""Statements of SECURITY.md that no other test tries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from shared import record_run, submit_run
from shared.events import JobEnded
from tests.integration.conftest import World

SECRET = "s3cr3t-value-of-a-setting"
PRINTS = (
    "tasks:\n"
    "- id: a\n  env: {T: \"{{ secret('TOKEN') }}\"}\n"
    '  commands: [\'echo "::{\\"outputs\\": {\\"t\\": \\"$T\\"}}::"\']\n'
    "- id: b\n  commands: ['test {{ outputs.a.vars.t }} && sleep 600']\n"
)


def staged(world: World, run: str) -> str:
    """Everything that is staged for a run."""
    return "\n".join(world.text("staging", name) for name in world.names("staging") if name.startswith(run))


def test_a_run_document_keeps_expressions_and_what_tasks_printed_for_later_ones(
    make_world: Callable[..., World],
) -> None:
    """The value of a secret is there once a task has printed it, until the run is closed; the record masks it."""
    world = make_world(SECRET_TOKEN=SECRET)
    run = world.accept(text=PRINTS)
    assert "secret('TOKEN')" in world.text("runs", f"{run}.json")
    assert SECRET not in world.text("runs", f"{run}.json")
    world.await_end(run)
    record_run.record(world.app, JobEnded(run, 1))
    assert SECRET in world.text("runs", f"{run}.json")
    world.drop(f"{run}.cancel", "")
    submit_run.accept(world.app, f"{run}.cancel")
    world.finish()
    assert world.record(run)["tasks"][0]["outputs"]["vars"] == {"t": "******"}
    assert world.names("runs") == []


def test_the_addresses_of_staging_are_in_nothing_that_a_task_is_given(world: World) -> None:
    run = world.accept(text="commands: ['env; cat run.sh']\ninputFiles: {a.txt: x}\noutputFiles: ['*']")
    task = world.app.batch._client.get_task(f"{run}-1", "1")
    assert "sig=" in str(task.resource_files[0].storage_container_url)
    assert "sig=" not in str([setting.as_dict() for setting in task.environment_settings or []])
    assert "sig=" not in str(task.command_line)
    assert "sig=" not in staged(world, run)


def test_an_event_that_comes_before_the_end_or_is_of_no_run_changes_nothing(world: World) -> None:
    """What it says is not believed."""
    run = world.accept(text="commands: [sleep 600]")
    before = world.text("runs", f"{run}.json"), world.results()
    for event in (JobEnded(run, 1), JobEnded(run, 7), JobEnded(f"{run[:-8]}00000000", 1)):
        record_run.record(world.app, event)
    assert (world.text("runs", f"{run}.json"), world.results()) == before
    assert world.names("runs") == [f"{run}.json"]


def test_what_a_run_has_copied_of_uploads_is_out_of_reach(world: World) -> None:
    uploads = world.settings.containers.uploads
    name = f"{hashlib.sha256(b'good').hexdigest()}/data.txt"
    world.put("uploads", name, "good")
    run = world.accept(text=f"inputFiles: {{data.txt: 'blob://{uploads}/{name}'}}\ncommands: ['grep good data.txt']")
    world.remove("uploads", name)
    world.put("uploads", name, "changed")
    world.finish()
    assert world.record(run)["state"] == "SUCCESS"
