"""A directory that tasks share, in real processes on the local Batch service: on any node and in any round."""

from __future__ import annotations

GROUP = "type: io.kestra.plugin.core.flow.WorkingDirectory"


def run(world, text: str) -> tuple[dict, dict[str, dict]]:
    """The record of a run, and its tasks by their ids."""
    run_id = world.accept(text=text)
    world.finish()
    record = world.record(run_id)
    return record, {task["id"]: task for task in record["tasks"]}


def log(world, tasks: dict[str, dict], task: str) -> str:
    """What a task printed."""
    folder = next(name for name in world.results() if name.endswith("/record.json")).removesuffix("record.json")
    return world.text("results", folder + tasks[task]["logs"]["stdout"])


def states(tasks: dict[str, dict]) -> dict[str, str]:
    return {name: task["state"] for name, task in tasks.items()}


def test_tasks_share_a_directory_in_one_round_and_over_several(world) -> None:
    """`c` uses what `b` has printed, so it is in a round of its own. Each task has its own entry and logs."""
    record, tasks = run(
        world,
        f"tasks:\n- id: wd\n  {GROUP}\n  inputFiles: {{given: hi}}\n  tasks:\n"
        "  - {id: a, commands: ['cat given; rm given; mkdir d; echo a >d/a; echo $PWD/d/a >where']}\n"
        "  - {id: b, commands: ['ls -R; echo b >d/b', 'echo ''::{\"outputs\": {\"n\": 7}}::''']}\n"
        "  - {id: c, commands: ['echo {{ outputs.b.vars.n }}; cat d/* \"$(cat where)\"; ls']}\n",
    )
    assert record["state"] == "SUCCESS", record
    assert [job["reason"] for job in record["jobs"]] == ["first", "values"]
    assert log(world, tasks, "a") == "hi"
    assert log(world, tasks, "b").startswith(".:\nd\nwhere\n\n./d:\na\n")
    assert log(world, tasks, "c") == "7\na\nb\na\nd\nwhere\n"
    assert world.names("staging") == []
