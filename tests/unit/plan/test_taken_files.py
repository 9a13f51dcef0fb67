"""The files of tasks that a retry has taken over: by the names that they had, and found without a search for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.documents.earlier_run import EarlierRun
from shared.documents.manifest_blob import ManifestBlob
from shared.documents.names import is_safe
from shared.documents.run import Run
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, OutputFile, Outputs
from shared.outputs.fan_outs import fan_out_record
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import manifest_of

EARLIER = "etl-20261122t121314-3f9a1c2b"
COUNT = 40
OWN = 7
"""The item that ran in the retry itself."""


class Counted(tuple[ItemRecord, ...]):
    """Items that count how often somebody goes through all of them."""

    __slots__ = ()
    times = 0

    def __iter__(self) -> Iterator[ItemRecord]:
        Counted.times += 1
        return super().__iter__()


def item(index: int) -> ItemRecord:
    """An item that made one file, whose name is not that of the pattern as it renders now."""
    name = f"{EARLIER} #{index}.txt"
    file = OutputFile(blob=f"outputs/each/{index}/{name}", bytes=1, md5=None)
    return ItemRecord(
        index=index,
        value=index,
        state=State.SUCCESS,
        outputs=Outputs(output_files={name: file}),
        taken_from=None if index == OWN else EARLIER,
    )


@pytest.fixture
def plan_of(run_of, settings):
    def plan(command: str) -> RoundPlan:
        flow = (
            "tasks:\n- id: each\n"
            f"  foreach: {COUNT}\n  commands: [x]\n  outputFiles: ['{{{{ execution.id }}}} #{{{{ item }}}}.txt']\n"
            f"- {{id: use, commands: [{json.dumps(command)}]}}\n"
        )
        items = Counted(map(item, range(COUNT)))
        run: Run = run_of(
            f"retry: etl/{EARLIER}",
            flow=ManifestBlob(name="etl.yaml", etag="0x8D", sha256="00", text=flow),
            earlier=EarlierRun(run_id=EARLIER, results=f"etl/{EARLIER}"),
            has_taken_over=True,
            finished={"each": fan_out_record("each", items)},
            item_lists={"each": tuple(range(COUNT))},
        )
        run = replace(run, progress=replace(run.progress, round=2)).with_items({"each": items})
        Counted.times = 0
        found = plan_round(manifest_of(run), run, settings)
        assert isinstance(found, RoundPlan)
        return found

    return plan


def test_a_folder_has_the_files_of_all_items(plan_of) -> None:
    """Those that were taken over come from the results; that of the item that ran again, from where its task put it."""
    plan = plan_of("ls {{ outputs.each }}")
    [task] = plan.tasks
    assert sorted(plan.taken_files.values()) == sorted(
        f"outputs/each/{index}/{EARLIER} #{index}.txt" for index in range(COUNT) if index != OWN
    )
    assert all(is_safe(name) and "/taken/each/" in name for name in plan.taken_files)
    gathered = {index for gathering in task.commands.gatherings for index in gathering.items}
    assert gathered == set(range(COUNT))


def test_however_many_items_there_are_they_are_gone_through_a_few_times(plan_of) -> None:
    """With 10,000 items, planning took 87 s."""
    plan_of("ls {{ outputs.each }}")
    assert Counted.times < COUNT / 2


@pytest.mark.parametrize(("index", "name"), [(3, f"'{EARLIER} #3.txt'"), (OWN, "execution.id ~ ' #7.txt'")])
def test_a_file_has_the_name_that_it_had(plan_of, index: int, name: str) -> None:
    plan = plan_of(f"cat {{{{ outputs.each[{index}].outputFiles[{name}] }}}}")
    assert len(plan.taken_files) == (index != OWN)
    assert len(plan.tasks[0].commands.links) == 1
