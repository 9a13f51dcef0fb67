"""Runs of every kind, made up from the models, and their crates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from batchrun.client.crate.metadata import METADATA, RunDocuments, crate_metadata
from shared.documents.record import FanOutItems, ManifestRef, Record, RecordedFlow, RetryRef, RunProblem, Timings
from shared.documents.states import FailureCategory, SkippedBy, State
from shared.documents.task_result import (
    Failure,
    ItemRecord,
    ItemsSummary,
    OutputFile,
    Outputs,
    TaskRecord,
    TaskResult,
)
from tests.support import report_samples
from tests.support.report_samples import COMMANDS_FAILED, DROPPED, after, logs

RUN_ID = "etl-20261122t121314-3f9a1c2b"
EARLIER_ID = "etl-20261121t080000-77aa00ff"
FAILED = COMMANDS_FAILED
HOSTILE = 'a "b" <c> #1 ?x=%20 ../up {"@id": "./"} `\\ 面试 \x07\n\u2028\u202e\ud800'
SIGNATURE = "sv=2025&sig=c2VjcmV0"

FLOW = """\
id: etl
namespace: company.team
description: Loads the orders of a day.
labels: {team: data}
inputs:
  - {id: day, type: DATE}
  - {id: rows, type: INT, required: false, displayName: How many rows}
  - {id: sizes, type: ARRAY, itemType: INT}
  - {id: options, type: JSON}
  - {id: orders, type: FILE}
  - {id: again, type: FILE}
  - {id: prices, type: FILE}
  - {id: token, type: STRING}
outputs:
  - {id: total, type: INT, value: "{{ outputs.load.vars.total }}"}
  - {id: table, type: FILE, value: "{{ outputs.load.outputFiles['all.csv'] }}"}
tasks:
  - id: extract
    description: Fetches the orders.
    type: io.kestra.plugin.scripts.python.Script
    containerImage: myregistry.azurecr.io/team/extract:1.2
    inputFiles: {"lib.py": "nsfile:///lib.py", "x.csv": "{{ inputs.orders }}", "note.txt": "a text"}
    script: print(1)
    outputFiles: ["*.csv"]
  - id: clean
    foreach: [north, south]
    containerImage: "{{ inputs.token }}/clean"
    commands: [clean]
    outputFiles: [clean.csv]
  - id: load
    type: io.kestra.plugin.scripts.shell.Commands
    commands: [load]
    outputFiles: ["**"]
  - id: tell
    type: io.kestra.plugin.core.log.Log
    message: done
"""
REQUEST = 'flow: company.team/etl\ninputs: {"day": "2026-11-22"}\n'
SINGLE = "id: single\ncontainerImage: python@sha256:" + "ab" * 32 + "\ncommands: [make]\noutputFiles: ['*.png']\n"


def record(state: State = State.SUCCESS, **values: object) -> Record:
    """A record with what a test is about."""
    given = {
        "run_id": RUN_ID,
        "manifest": ManifestRef(name="team/etl.yaml", etag="0x8D", sha256="9f2c" * 16),
        "timings": Timings(dropped=DROPPED, started=after(5), ended=after(90.25), recorded=after(91)),
    }
    return report_samples.record(state, **{**given, **values})


def ran(start: float, end: float, **values: object) -> dict[str, object]:
    """What a task that ran has, with the seconds from the drop to its start and end."""
    return {"state": State.SUCCESS, "exit_code": 0, "started": after(start), "ended": after(end), **values}


def made(folder: str, *names: str) -> Outputs:
    """Output files of a task, and a value that it printed."""
    files = {name: OutputFile(blob=f"outputs/{folder}/{name}", bytes=len(name), md5="0f" * 16) for name in names}
    return Outputs(vars={"total": 3}, output_files=files)


def flow_run() -> RunDocuments:
    """A retry of a stored flow, in WARNING: files, values, a fan-out, a task that was taken over, one that failed."""
    items = (
        ItemRecord(index=0, value="north", **ran(20, 30, outputs=made("clean/0", "clean.csv"), logs=logs("clean/0"))),
        ItemRecord(
            index=1, value="south", key="S", **ran(20, 31, state=State.WARNING, exit_code=3, failure=FAILED), retries=2
        ),
        ItemRecord(index=2, value="west", state=State.SKIPPED),
    )
    tasks = (
        TaskRecord(id="extract", **ran(6, 15, taken_from=EARLIER_ID, outputs=made("extract", "x.csv"))),
        TaskRecord(
            id="clean",
            state=State.WARNING,
            failure=FAILED,
            items=ItemsSummary(count=3, states={State.SUCCESS: 1, State.WARNING: 1, State.SKIPPED: 1}, records=items),
        ),
        TaskRecord(id="load", **ran(40, 80, outputs=made("load", "all.csv", "d/ü #1%.parquet"), logs=logs("load"))),
        TaskRecord(id="tell", state=State.SUCCESS),
        TaskRecord(id="never", state=State.SKIPPED, skipped=SkippedBy.FAILURE),
    )
    root = f"https://acct.blob.core.windows.net/results/team/etl/{RUN_ID}"
    found = record(
        State.WARNING,
        flow=RecordedFlow(
            id="etl",
            namespace="company.team",
            source=ManifestRef(name="company.team/etl.yaml", etag="0x9", sha256="aa"),
        ),
        labels={"team": "data"},
        inputs={
            "day": "2026-11-22",
            "rows": 10,
            "sizes": [1, 2],
            "options": {"@id": "./", "deep": True},
            "orders": "blob://uploads/9f2c/orders of today.csv",
            "again": "blob://uploads/9f2c/orders of today.csv",
            "prices": f"https://user:pw@data.example.com:8443/p%20q/prices.csv.gz?{SIGNATURE}",
        },
        masked_inputs=("token",),
        outputs={"total": 3, "table": f"{root}/outputs/load/all.csv"},
        retry_of=RetryRef(run_id=EARLIER_ID, results=f"team/etl/{EARLIER_ID}"),
        tasks=tasks,
        warnings=(RunProblem(message="a pattern matched nothing"),),
    )
    return RunDocuments(found, manifest=REQUEST, flow=FLOW)


def single_run(**values: object) -> RunDocuments:
    """A manifest in task form."""
    task = TaskRecord(id="single", **{**ran(6, 15, outputs=made("single", "plot.png"), logs=logs("single")), **values})
    return RunDocuments(record(tasks=(task,)), manifest=SINGLE)


def rejected_run() -> RunDocuments:
    """A manifest that cannot be read."""
    problems = (RunProblem(message="this is not valid YAML", line=1, column=3), RunProblem(message="no", path="tasks"))
    timings = Timings(dropped=DROPPED, recorded=after(1))
    return RunDocuments(record(State.REJECTED, errors=problems, timings=timings), manifest="tasks: [")


def killed_run() -> RunDocuments:
    """A flow whose run was cancelled: a task was running, one had not begun."""
    tasks = (
        TaskRecord(id="load", **ran(6, 15, state=State.KILLED, exit_code=None)),
        TaskRecord(id="tell", state=State.KILLED),
    )
    return RunDocuments(record(State.KILLED, tasks=tasks), manifest=FLOW)


def wide_run(count: int) -> RunDocuments:
    """A fan-out with so many items that they stand beside the record."""
    items = tuple(
        ItemRecord(index=index, value={"n": index}, **ran(6, 7, outputs=made(f"clean/{index}", "clean.csv")))
        for index in range(count)
    )
    summary = ItemsSummary(count=count, states={State.SUCCESS: count}, blob="tasks.json")
    found = record(tasks=(TaskRecord(id="clean", state=State.SUCCESS, items=summary),))
    return RunDocuments(found, items=(FanOutItems(id="clean", items=items),), manifest=FLOW)


def hostile_run() -> RunDocuments:
    """Texts of all kinds wherever others may put one."""
    task = {
        "outputs": Outputs(
            vars={HOSTILE: HOSTILE, "@id": {"@id": "./"}, "@type": ["File"], "nan": float("nan"), "large": 10**30},
            output_files={
                name: OutputFile(blob=f"outputs/task/{name}", bytes=1, md5=None)
                for name in ("a b#c?d%e.csv", "'\"<x>|{}^`.txt", "面试.mp4", "c:d", "x\u0085y\ue000", METADATA)
            },
        ),
        "warnings": (HOSTILE,),
    }
    tasks = (
        TaskRecord(
            id=HOSTILE.replace("\ud800", ""),
            **ran(6, 7, failure=Failure(category=FailureCategory.USER, code="x", message=HOSTILE)),
        ),
        TaskRecord(id="a/b", **ran(6, 7)),
        TaskRecord(
            id="a",
            state=State.SUCCESS,
            items=ItemsSummary(
                count=1,
                states={State.SUCCESS: 1},
                records=(ItemRecord(index=0, value=HOSTILE, key=HOSTILE, **ran(6, 7, **task)),),
            ),
        ),
    )
    labels = {HOSTILE: HOSTILE}
    found = record(State.FAILED, tasks=tasks, labels=labels, inputs={HOSTILE: HOSTILE}, outputs={HOSTILE: HOSTILE})
    return RunDocuments(found, manifest=FLOW)


def results(run: RunDocuments) -> list[tuple[TaskResult, OutputFile]]:
    """All output files of a run."""
    tasks = [item for task in run.record.tasks for item in (task, *((task.items and task.items.records) or ()))]
    every = [*tasks, *(item for fan_out in run.items for item in fan_out.items)]
    return [(result, file) for result in every for file in result.outputs.output_files.values()]


def sizes(run: RunDocuments) -> dict[str, int]:
    """The files that a run has left."""
    own = {"record.json": 100, "report.html": 200, "manifest.yaml": 10, **({"flow.yaml": 20} if run.flow else {})}
    every = [run.record.tasks, *((task.items and task.items.records) or () for task in run.record.tasks)]
    streams = [(each.logs.stdout, each.logs.stderr) for some in every for each in some]
    return {
        **own,
        **({"tasks.json": 300} if run.items else {}),
        **{path: 5 for pair in streams for path in pair if path},
        **{file.blob: file.bytes for _, file in results(run)},
    }


class Crate:
    """The crate of a run, with all of its files or with those that are given."""

    def __init__(self, run: RunDocuments, files: dict[str, int] | None = None) -> None:
        self.files = sizes(run) if files is None else files
        self.text = crate_metadata(run, self.files)
        self.graph: list[dict[str, Any]] = json.loads(self.text)["@graph"]
        self._by_id = {each["@id"]: each for each in self.graph}
        assert len(self._by_id) == len(self.graph)

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self._by_id[name]

    def of_type(self, name: str) -> list[dict[str, Any]]:
        """The entities of a type."""
        return [
            each
            for each in self.graph
            if name in (each["@type"] if isinstance(each["@type"], list) else [each["@type"]])
        ]

    def action(self, name: str) -> dict[str, Any]:
        """The action of a name."""
        [found] = [each for each in self.of_type("CreateAction") if each["name"] == name]
        return found

    @property
    def run(self) -> dict[str, Any]:
        """The action of the run."""
        return self.action(f"Run {RUN_ID}")

    def of(self, entity: dict[str, Any], name: str) -> list[str]:
        """The ids that a property of an entity refers to."""
        value = entity.get(name, [])
        return [each["@id"] for each in (value if isinstance(value, list) else [value])]

    def write(self, folder: Path) -> Path:
        """Write it, and all of its files, into a folder."""
        for name in self.files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        (folder / METADATA).write_text(self.text, encoding="utf-8")
        return folder
