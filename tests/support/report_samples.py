"""Reports of runs that ended in different ways, made up from the models."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from shared.documents.record import JobRecord, ManifestRef, Record, RecordedFlow, RetryRef, RunProblem, Timings
from shared.documents.states import FailureCategory, JobReason, State
from shared.documents.task_result import (
    Attempt,
    Failure,
    ItemRecord,
    ItemsSummary,
    Logs,
    Metric,
    OutputFile,
    Outputs,
    TaskRecord,
)
from shared.errors import ManifestError
from shared.manifest.read import read_manifest
from shared.outputs.fan_outs import fan_out_record
from shared.report.listing import KeptText
from shared.report.log_ends import LogEnd, LogRef
from shared.report.page import Report

DROPPED = datetime(2026, 11, 22, 12, 13, 14, tzinfo=UTC)
RUN_ID = "sales-20261122t121314-3f9a1c2b"
COMMANDS_FAILED = Failure(
    category=FailureCategory.USER, code="CommandsFailed", message="the commands ended with exit code 3"
)


def after(seconds: float) -> datetime:
    """So long after the drop."""
    return DROPPED + timedelta(seconds=seconds)


def record(state: State = State.SUCCESS, **values: object) -> Record:
    """A record with what a test is about."""
    given = {
        "run_id": RUN_ID,
        "state": state,
        "manifest": ManifestRef(name="team/sales.yaml", etag="0x8D", sha256="9f2c" * 16),
        "timings": Timings(dropped=DROPPED, recorded=after(1)),
    }
    return Record.model_validate({**given, **values})


def ran(start: float, end: float, **values: object) -> dict[str, object]:
    """What a task that ran has, with the seconds from the drop to its start and end."""
    return {
        "state": State.SUCCESS,
        "exit_code": 0,
        "node": f"tvmps_{'a9cf5e1b' * 8}_d",
        "started": after(start),
        "ended": after(end),
        **values,
    }


def logs(folder: str) -> Logs:
    """The logs of a task."""
    return Logs(stdout=f"logs/{folder}/stdout.txt", stderr=f"logs/{folder}/stderr.txt")


def files(folder: str, **sizes: int) -> dict[str, OutputFile]:
    """Output files of a task, by name without extension."""
    return {
        f"{name}.csv": OutputFile(blob=f"outputs/{folder}/{name}.csv", bytes=size, md5=None)
        for name, size in sizes.items()
    }


def job(number: int, reason: JobReason, submitted: float) -> JobRecord:
    """A round."""
    return JobRecord(
        id=f"{RUN_ID}-{number}", pool="linux-d4", account="contosobatch", reason=reason, submitted=after(submitted)
    )


def log_end(owner: str, text: str, *, stream: str = "stderr", state: State = State.SUCCESS, total: int = 0) -> LogEnd:
    """The end of a log."""
    log = LogRef(owner, state, stream, f"logs/{owner}/{stream}.txt")
    content = text.encode()
    return LogEnd(log, content, total or len(content))


def kept(text: str) -> KeptText:
    """A text in which there were no credentials."""
    return KeptText(text, len(text.splitlines()))


def manifest(text: str) -> dict[str, KeptText]:
    """What a report has of a manifest without credentials."""
    return {"manifest": kept(text)}


SALES = """\
# Loads the sales of a day, cleans each region, and trains a forecast on all of them.
id: daily-sales
namespace: company.analytics
tasks:
  - id: extract
    containerImage: python:3.13-slim
    commands: [python extract.py]
    outputFiles: ["regions/*.csv"]
  - id: clean
    foreach: {files: {task: extract, glob: "regions/*.csv"}}
    commands: [python clean.py {{ item }}]
    outputFiles: [clean.csv]
  - id: train
    commands: [python train.py {{ outputs.clean }}]
    taskRunner: {accessKey: "******"}
    outputFiles: [model.bin, report.csv]
"""


def several_rounds() -> Report:
    """Three rounds, a small fan-out, values and metrics, files."""
    items = [
        ItemRecord(
            index=index,
            value=f"regions/{name}.csv",
            **ran(44 + 4 * (index % 4), 60 + 4 * (index % 4) + 7 * (index * index % 5), logs=logs(f"clean/{index}")),
            outputs=Outputs(vars={"rows": 1000 + 137 * index}, output_files=files(f"clean/{index}", clean=48_211)),
            metrics=(Metric(name="dropped rows", type="counter", value=17 + index % 5),),
        )
        for index, name in enumerate(["north", "south", "east", "west", "centre", "islands", "coast", "online"])
    ]
    loss = tuple(
        Metric(
            name="loss",
            type="gauge",
            value=0.9 * math.exp(-step / 14) + 0.02 * math.sin(step) + 0.05,
            tags={"set": "train"},
        )
        for step in range(60)
    )
    extract = TaskRecord(
        id="extract",
        **ran(21, 38, logs=logs("extract")),
        outputs=Outputs(
            vars={
                "regions": 8,
                "source": "https://data.example.com/sales/2026-11-21",
                "columns": ["day", "region", "sum"],
            },
            output_files=files("extract", north=120_000, south=98_211),
        ),
    )
    train = TaskRecord(
        id="train",
        **ran(112, 187, logs=logs("train"), retries=1),
        outputs=Outputs(vars={"accuracy": 0.9371}, output_files=files("train", model=7_340_032, report=2_113)),
        metrics=(*loss, Metric(name="epoch", type="timer", value=1.84)),
    )
    clean = fan_out_record("clean", items)
    clean = clean.model_copy(update={"items": clean.items.model_copy(update={"records": tuple(items)})})
    timings = Timings(
        dropped=DROPPED,
        submitted=after(2),
        started=after(21),
        ended=after(187),
        detected=after(196),
        recorded=after(198),
    )
    return Report(
        record(
            flow=RecordedFlow(id="daily-sales", namespace="company.analytics"),
            jobs=(job(1, JobReason.FIRST, 2), job(2, JobReason.VALUES, 41), job(3, JobReason.FAN_OUT, 104)),
            timings=timings,
            tasks=(extract, clean, train),
        ),
        items={"clean": items},
        **manifest(SALES),
        log_ends=[
            log_end("extract", "reading 8 regions\nwrote 8 files\n", stream="stdout"),
            log_end(
                "train",
                "".join(f"epoch {n}: loss {0.9 / n:.4f}\n" for n in range(1, 61)),
                stream="stdout",
                total=81_920,
            ),
        ],
    )


def failed() -> Report:
    """A task that failed, one that never ran, a warning."""
    tasks = (
        TaskRecord(id="extract", **ran(8, 31, logs=logs("extract"))),
        TaskRecord(
            id="load",
            **ran(32, 43, state=State.FAILED, exit_code=3, retries=2, logs=logs("load"), failure=COMMANDS_FAILED),
            attempts=tuple(
                Attempt(exit_code=3, started=after(start), ended=after(start + 3)) for start in (32, 36, 40)
            ),
            warnings=("the output file 'summary.csv' was not made",),
        ),
        TaskRecord(id="publish", state=State.SKIPPED),
    )
    trace = (
        "connecting to the warehouse\n\x1b[31mTraceback (most recent call last):\x1b[0m\n"
        '  File "/tmp/load.py", line 41, in <module>\n    load(rows)\n'
        '  File "/tmp/load.py", line 23, in load\n    raise SystemExit(3)\n'
        "warehouse.errors.QuotaError: the table `sales` has no space left; ask for more, or remove old partitions\n"
    )
    timings = Timings(
        dropped=DROPPED, submitted=after(1), started=after(8), ended=after(43), detected=after(50), recorded=after(51)
    )
    return Report(
        record(
            State.FAILED,
            flow=RecordedFlow(id="daily-sales"),
            jobs=(job(1, JobReason.FIRST, 1),),
            timings=timings,
            tasks=tasks,
            warnings=(
                RunProblem(
                    message="`streamLogs` has no effect here", path="tasks[1].taskRunner.streamLogs", line=9, column=7
                ),
                RunProblem(message="the output file 'summary.csv' was not made", path="tasks.load"),
            ),
        ),
        **manifest(SALES),
        log_ends=[log_end("load", trace, state=State.FAILED), log_end("extract", "8 regions\n", stream="stdout")],
    )


def large_fan_out(count: int = 5000) -> Report:
    """A fan-out of many items, some of which failed; each with a value, a metric, a file and logs."""
    items = []
    for index in range(count):
        start = 20 + (index // 64) * 9 + (index * 7 % 13) / 4
        is_bad = index % 617 == 613
        values = {
            "state": State.FAILED if is_bad else State.SUCCESS,
            "exit_code": 3 if is_bad else 0,
            "failure": COMMANDS_FAILED if is_bad else None,
        }
        items.append(
            ItemRecord(
                index=index,
                value=f"tiles/{index // 100:02}/{index:05}.png",
                **ran(start, start + 6 + (index * index % 97) / 9, logs=logs(f"tile/{index}"), **values),
                outputs=Outputs(
                    vars={"brightness": 40 + 20 * math.sin(index / 300)}, output_files=files(f"tile/{index}", out=9_001)
                ),
                metrics=(Metric(name="pixels", type="counter", value=65_536 + index % 1000),),
            )
        )
    fan_out = fan_out_record("tile", items)
    fan_out = fan_out.model_copy(update={"items": fan_out.items.model_copy(update={"blob": "tasks.json"})})
    ends = max(item.ended for item in items)
    timings = Timings(
        dropped=DROPPED,
        submitted=after(4),
        started=after(20),
        ended=ends,
        detected=ends + timedelta(seconds=5),
        recorded=ends + timedelta(seconds=31),
    )
    tasks = (fan_out, TaskRecord(id="mosaic", state=State.SKIPPED))
    return Report(
        record(
            State.FAILED,
            flow=RecordedFlow(id="tiles"),
            jobs=(job(1, JobReason.FIRST, 4),),
            timings=timings,
            tasks=tasks,
        ),
        items={"tile": items},
        **manifest("id: tiles\ntasks:\n  - id: tile\n    foreach: 5000\n    commands: [python tile.py]\n"),
        log_ends=[log_end("tile[613]", "cannot read tiles/06/00613.png: truncated file\n", state=State.FAILED)],
    )


WRONG = """\
id: daily-sales
tasks:
  - id: extract
    comands: [python extract.py]
    timeout: 3 hours
  - id: load
    dependsOn: [extrct]
    commands: [python load.py]
"""


def rejected(text: str = WRONG) -> Report:
    """A manifest with mistakes, found by reading it."""
    try:
        read_manifest(text, "sales.yaml")
    except ManifestError as error:
        errors = tuple(RunProblem.of(problem) for problem in error.problems)
    return Report(record(State.REJECTED, errors=errors), **manifest(text))


def killed() -> Report:
    """A run that was cancelled in its only task."""
    task = TaskRecord(id="sleep", **ran(5, 9, state=State.KILLED, exit_code=None))
    return Report(
        record(State.KILLED, tasks=(task,), jobs=(job(1, JobReason.FIRST, 1),)), **manifest("commands: [sleep 600]\n")
    )


EARLIER = "tiles-20261121t080000-77c0ffee"
FIRST = "tiles-20261120t080000-00c0ffee"
STORED = ManifestRef(name="company.maps/tiles.yaml", etag="0x8DE2A6F1B3C4D5E", sha256="5eed" * 16)
TILES = """\
id: tiles
namespace: company.maps
inputs:
  - {id: rows, type: INT, defaults: 100}
  - {id: style, type: STRING}
  - {id: token, type: STRING}
tasks:
  - id: plan
    commands: [python plan.py {{ inputs.rows }}]
  - id: tile
    foreach: 10000
    commands: [python tile.py {{ item }}]
  - id: mosaic
    commands: [python mosaic.py {{ outputs.tile }}]
"""
TAKEN_SECONDS = -86_400


def retry(count: int = 10_000) -> Report:
    """Two tasks are taken over from two earlier runs, and of a fan-out all items but seven."""
    items = [
        ItemRecord(index=index, value=f"tiles/{index:05}.png", **_tile(index, is_taken=index % -(-count // 7) != 3))
        for index in range(count)
    ]
    own = [item for item in items if item.taken_from is None]
    fan_out = fan_out_record("tile", items)
    summary = fan_out.items.model_copy(update={"blob": "tasks.json", "taken_over": count - len(own)})
    tasks = (
        TaskRecord(id="plan", **ran(TAKEN_SECONDS, TAKEN_SECONDS + 9, logs=logs("plan"), taken_from=FIRST)),
        TaskRecord(id="check", **ran(TAKEN_SECONDS, TAKEN_SECONDS + 2, logs=logs("check"), taken_from=EARLIER)),
        fan_out.model_copy(update={"items": summary}),
        TaskRecord(id="mosaic", **ran(40, 52, logs=logs("mosaic"))),
    )
    inputs = {"rows": 100, "style": "satellite " * 60, "bounds": {"north": 54.9, "south": 47.3}, "day": "2026-11-20"}
    timings = Timings(
        dropped=DROPPED, submitted=after(3), started=after(20), ended=after(52), detected=after(54), recorded=after(57)
    )
    return Report(
        record(
            flow=RecordedFlow(id="tiles", namespace="company.maps", source=STORED),
            inputs=inputs,
            masked_inputs=("token",),
            outputs={"rows": 12_000, "table": ["a", "b"]},
            retry_of=RetryRef(run_id=EARLIER, results=f"maps/tiles of Ünï #1/{EARLIER}"),
            jobs=(job(1, JobReason.FIRST, 3), job(2, JobReason.FAN_OUT, 33)),
            timings=timings,
            tasks=tasks,
        ),
        items={"tile": items},
        **manifest(f"retry: 'maps/tiles of Ünï #1/{EARLIER}'\n"),
        flow=kept(TILES),
        log_ends=[log_end("mosaic", "10000 tiles\n", stream="stdout")],
    )


def _tile(index: int, *, is_taken: bool) -> dict[str, object]:
    start = TAKEN_SECONDS + index / 10 if is_taken else 20 + index / 1000
    length = 400 if is_taken else 4
    return ran(start, start + length, logs=logs(f"tile/{index}"), taken_from=EARLIER if is_taken else None)


REQUEST = """\
flow: company.analytics/daily-sales
inputs:
  day: tomorrow
labels:
  team: sales
  tier: "2"
# the flow has as many lines
"""
WRONG_INPUT = RunProblem(
    message="expected a date such as 2026-01-31, as its type is DATE", path="inputs.day", line=3, column=8
)


def rejected_stored() -> Report:
    """A run request with a mistake, and a stored flow with mistakes."""
    found = rejected()
    errors = (WRONG_INPUT, *(error.model_copy(update={"file": "flow.yaml"}) for error in found.record.errors))
    flow = RecordedFlow(source=ManifestRef(name="company.analytics/daily-sales.yaml", etag="0x8DE2", sha256=None))
    return Report(record(State.REJECTED, errors=errors, flow=flow), **manifest(REQUEST), flow=found.manifest)


EVIL = (
    "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}</style></title></textarea>&amp;"
)
EVIL_PATHS = (
    "javascript:alert(1).txt",
    "a\"b'c <d>.txt",
    "100%41 sure?#frag.txt",
    "ünï/日本語 ✓.txt",
    "\u202egnp.exe",
)


def hostile() -> Report:
    """Everything that others can write, as hostile as it gets."""
    output_files = {
        path: OutputFile(blob=f"outputs/evil/{path}", bytes=1, md5=None)
        for path in (*EVIL_PATHS, EVIL.replace("/", "|"))
    }
    failure = Failure(category=FailureCategory.USER, code=EVIL, message=EVIL)
    task = TaskRecord(
        id="evil",
        **ran(1, 2, state=State.FAILED, node=EVIL, failure=failure, logs=logs("evil")),
        outputs=Outputs(vars={EVIL: EVIL, "deep": {EVIL: [EVIL]}, "long": EVIL * 100}, output_files=output_files),
        metrics=(
            Metric(name=EVIL, type=EVIL, value=1, tags={EVIL: EVIL}),
            Metric(name="m\u202e", type="gauge", value=2),
        ),
    )
    item = ItemRecord(index=0, value={EVIL: EVIL}, **ran(1, 2), outputs=Outputs(vars={EVIL: EVIL}))
    fan_out = TaskRecord(
        id="each", **ran(1, 2), items=ItemsSummary(count=1, states={State.SUCCESS: 1}, records=(item,))
    )
    problem = RunProblem(message=EVIL, path=EVIL, line=1, column=3)
    log = f"\x1b]0;{EVIL}\x07\x1b[31m{EVIL}\x1b[0m\n10%\r100%\n\x00\x08\x1b[2J</pre>\u202eabc\n"
    return Report(
        record(
            State.FAILED,
            manifest=ManifestRef(name=f"{EVIL}.yaml", etag=EVIL, sha256=None),
            flow=RecordedFlow(id=EVIL, namespace=EVIL, source=ManifestRef(name=EVIL, etag=EVIL, sha256=None)),
            inputs={EVIL: EVIL, "deep": {EVIL: [EVIL]}},
            masked_inputs=(EVIL,),
            outputs={EVIL: EVIL},
            jobs=(JobRecord(id="job", pool=EVIL, account=EVIL, reason=JobReason.FIRST),),
            timings=Timings(dropped=DROPPED, submitted=after(1), started=after(1), ended=after(2), recorded=after(3)),
            tasks=(task, fan_out),
            errors=(problem,),
            warnings=(problem,),
        ),
        items={"each": [item]},
        **manifest(f"{EVIL}\n# </code></div>{EVIL}\n"),
        flow=kept(f"{EVIL}\n"),
        log_ends=[log_end("evil", log, state=State.FAILED), log_end(EVIL, EVIL, stream="stdout")],
    )


SAMPLES = {
    "success": several_rounds,
    "failed": failed,
    "fan-out": large_fan_out,
    "rejected": rejected,
    "retry": retry,
    "rejected-stored": rejected_stored,
    "killed": killed,
    "hostile": hostile,
}
