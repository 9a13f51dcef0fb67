"""Retries of runs of every shape: what ended well does not run again, everything else does, and no file is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.storage.copies import Copies, CopySource, CopyState
from tests.integration.conftest import World

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

pytestmark = pytest.mark.sampled

BATCH = "io.kestra.plugin.ee.azure.runner.Batch"
IN_GROUPS = "io.kestra.plugin.core.flow"


@dataclass(frozen=True)
class Shape:
    """A flow that fails as long as there is no file @OK; its tasks tell in @LEDGER what they do."""

    flow: str
    first: str
    again: str
    state: str = "SUCCESS"


SHAPES = {
    "Parallel with a limit, and a Sequential in it": Shape(
        f"""
tasks:
- id: p
  type: {IN_GROUPS}.Parallel
  concurrent: 2
  tasks:
  - {{id: a, commands: ["echo a >> @LEDGER"]}}
  - id: s
    type: {IN_GROUPS}.Sequential
    tasks:
    - {{id: b1, commands: ["echo b1 >> @LEDGER"]}}
    - {{id: b2, commands: ["echo b2 >> @LEDGER; test -e @OK"]}}
    - {{id: b3, commands: ["echo b3 >> @LEDGER"]}}
  - {{id: c, dependsOn: [b2], commands: ["echo c >> @LEDGER"]}}
  - {{id: d, commands: ["echo d >> @LEDGER"]}}
- {{id: z, commands: ["echo z >> @LEDGER"]}}
""",
        first="a b1 b2",
        again="b2 b3 c d z",
    ),
    "ForEach, one at a time": Shape(
        f"""
tasks:
- id: p
  type: {IN_GROUPS}.ForEach
  values: [0, 1, 2, 3]
  tasks:
  - id: a
    commands:
    - echo a{{{{ taskrun.value }}}} >> @LEDGER
    - test {{{{ taskrun.value }}}} != 2 || test -e @OK
    - echo {{{{ taskrun.value }}}} > o.txt
    outputFiles: [o.txt]
- {{id: z, commands: ["cat {{{{ outputs.a }}}}/*/o.txt >> @LEDGER"]}}
""",
        first="a0 a1 a2",
        again="0 1 2 3 a2 a3",
    ),
    "ForEach, two at a time": Shape(
        f"""
tasks:
- id: p
  type: {IN_GROUPS}.ForEach
  concurrencyLimit: 2
  values: [0, 1, 2]
  tasks:
  - id: a
    commands: ["echo a{{{{ taskrun.value }}}} >> @LEDGER", "test {{{{ taskrun.value }}}} != 2 || test -e @OK"]
""",
        first="a0 a1 a2",
        again="a2",
    ),
    "a loop of several tasks runs again as a whole": Shape(
        f"""
tasks:
- id: p
  type: {IN_GROUPS}.ForEach
  values: [x, y]
  tasks:
  - id: a
    commands: ["echo a{{{{ taskrun.value }}}} >> @LEDGER"]
  - id: b
    commands: ["echo b{{{{ taskrun.value }}}} >> @LEDGER", "test {{{{ taskrun.value }}}} != y || test -e @OK"]
""",
        first="ax ay bx by",
        again="ax ay bx by",
    ),
    "loops that ended well are taken over with what they made": Shape(
        f"""
tasks:
- id: p
  type: {IN_GROUPS}.ForEach
  values: [x, y]
  concurrencyLimit: 0
  tasks:
  - id: q
    type: {IN_GROUPS}.ForEach
    values: [1, 2]
    concurrencyLimit: 0
    tasks:
    - id: a
      runIf: "{{{{ taskrun.value == '1' }}}}"
      commands: ["echo a{{{{ parent.taskrun.value }}}} >> @LEDGER", "echo {{{{ taskrun.value }}}} > o.txt"]
      outputFiles: [o.txt]
- id: z
  commands:
  - echo z$(cat {{{{ outputs.a['y']['1'].outputFiles['o.txt'] }}}}) >> @LEDGER
  - test -e @OK
""",
        first="ax ay z1",
        again="z1",
    ),
    "groups in groups": Shape(
        f"""
tasks:
- id: p
  type: {IN_GROUPS}.Parallel
  concurrent: 1
  tasks:
  - id: q
    type: {IN_GROUPS}.Parallel
    concurrent: 2
    tasks:
    - {{id: a, commands: ["echo a >> @LEDGER"]}}
    - id: f
      type: {IN_GROUPS}.ForEach
      concurrencyLimit: 0
      values: [x, y]
      tasks:
      - id: e
        commands: ["echo {{{{ taskrun.value }}}} >> @LEDGER", "test {{{{ taskrun.value }}}} != y || test -e @OK"]
  - {{id: c, commands: ["echo c >> @LEDGER"]}}
""",
        first="a x y",
        again="c y",
    ),
    "failures that are allowed, tasks that are disabled": Shape(
        """
tasks:
- {id: a, allowFailure: true, commands: ["echo a >> @LEDGER; exit 3"]}
- {id: f, foreach: 3, allowFailure: true, commands: ["echo f{{ item }} >> @LEDGER; exit {{ item }}"]}
- {id: off, disabled: true, commands: ["echo off >> @LEDGER"]}
- id: b
  commands: ["echo b{{ outputs.a.exitCode }}{{ outputs.f[2].exitCode }} >> @LEDGER; test -e @OK"]
""",
        first="a b32 f0 f1 f2",
        again="b32",
        state="WARNING",
    ),
    "fan-outs over a printed list, and over files of a task": Shape(
        """
tasks:
- id: make
  commands:
  - mkdir d; for i in 1 2 3; do echo $i > "d/f $i.csv"; done; echo make >> @LEDGER
  - "echo '::{\\"outputs\\": {\\"l\\": [1, \\"x y\\", {\\"k\\": 2}]}}::'"
  outputFiles: ["d/*.csv"]
- id: l
  foreach: "{{ outputs.make.vars.l }}"
  commands: ["echo l{{ taskrun.iteration }} >> @LEDGER; test {{ taskrun.iteration }} != 1 || test -e @OK"]
- id: f
  dependsOn: [make]
  foreach: {files: {task: make, glob: "d/*.csv"}}
  commands:
  - echo f{{ taskrun.iteration }} >> @LEDGER; test {{ taskrun.iteration }} != 2 || test -e @OK
  - cp '{{ outputs.make.outputFiles[item] }}' r.txt
  outputFiles: [r.txt]
- {id: z, dependsOn: [l, f], commands: ["cat {{ outputs.f }}/*/r.txt >> @LEDGER"]}
""",
        first="f0 f1 f2 l0 l1 l2 make",
        again="1 2 3 f2 l1",
    ),
    "fan-outs without items": Shape(
        """
tasks:
- {id: a, foreach: [], commands: [ls]}
- {id: b, commands: ["echo b >> @LEDGER; test -e @OK"]}
- {id: c, foreach: 0, commands: [ls]}
- {id: d, commands: ["ls {{ outputs.a }} {{ outputs.c }}; echo d >> @LEDGER"]}
""",
        first="b",
        again="b d",
    ),
    "odd names, by several patterns": Shape(
        """
tasks:
- id: a
  commands:
  - mkdir -p 'o o' 'ü%20#?x'
  - echo 1 > 'o o/a b.txt'; echo 2 > 'ü%20#?x/é#%41?.txt'; echo 3 > '[x].txt'; echo 4 > .hid; echo 5 > 'p+&=.txt'
  outputFiles: ["o o/*", "o o/a b.txt", "**/*.txt", "**", .hid]
- id: e
  foreach: 2
  commands: ["mkdir -p k/x; echo e{{ item }} > 'k/x/ü#%3F.txt'; echo h > .hid; test {{ item }} = 0 || test -e @OK"]
  outputFiles: ["k/**", "k/x/ü#%3F.txt", .hid]
- id: z
  commands:
  - cat "{{ outputs.a.outputFiles['o o/a b.txt'] }}" "{{ outputs.a.outputFiles['ü%20#?x/é#%41?.txt'] }}" >> @LEDGER
  - cat "{{ outputs.a.outputFiles['[x].txt'] }}" "{{ outputs.a.outputFiles['.hid'] }}" >> @LEDGER
  - cat "{{ outputs.a.outputFiles['p+&=.txt'] }}" {{ outputs.e }}/*/k/x/*.txt {{ outputs.e }}/*/.hid >> @LEDGER
""",
        first="",
        again="1 2 3 4 5 e0 e1 h h",
    ),
    "names that are others in the retry": Shape(
        """
tasks:
- {id: a, commands: ["echo 1 > {{ execution.id }}.txt"], outputFiles: ["{{ execution.id }}.txt"]}
- id: e
  foreach: 2
  commands: ["echo e{{ item }} > {{ execution.id }}-{{ item }}.txt; test {{ item }} != 1 || test -e @OK"]
  outputFiles: ["{{ execution.id }}-{{ item }}.txt"]
- id: z
  commands:
  - "cat {{ outputs.e }}/*/*.txt $(echo '{{ outputs.a.outputFiles }}' | sed 's/.*:\\"//; s/\\".*//') >> @LEDGER"
""",
        first="",
        again="1 e0 e1",
    ),
    "output directories, and whole working directories": Shape(
        f"""
tasks:
- id: a
  outputDirectory: true
  commands: ["mkdir {{{{ outputDir }}}}/s; echo a > {{{{ outputDir }}}}/s/y.txt"]
- id: e
  foreach: 2
  outputDirectory: true
  taskRunner: {{type: {BATCH}, syncWorkingDirectory: true}}
  commands: ["echo o{{{{ item }}}} > {{{{ outputDir }}}}/x.txt; echo w{{{{ item }}}} > w.txt; test {{{{ item }}}} != 1 || test -e @OK"]
- id: z
  commands: ["cat {{{{ outputs.a.outputFiles['s/y.txt'] }}}} {{{{ outputs.e }}}}/*/x.txt {{{{ outputs.e }}}}/*/w.txt >> @LEDGER"]
""",  # noqa: E501 - YAML has no way to break these
        first="",
        again="a o0 o1 w0 w1",
    ),
    "texts of files": Shape(
        """
tasks:
- {id: a, commands: ["echo 2 > n.json"], outputFiles: [n.json]}
- id: e
  foreach: "{{ read(outputs.a.outputFiles['n.json']) | trim }}"
  commands: ["echo e{{ item }} > o.txt; test {{ item }} != 1 || test -e @OK"]
  outputFiles: [o.txt]
- id: z
  commands: ["echo {{ read(outputs.e[0].outputFiles['o.txt']) | trim }}{{ read(outputs.a.outputFiles['n.json']) | trim }} >> @LEDGER"]
""",  # noqa: E501
        first="",
        again="e02",
    ),
    "two fan-outs that both failed, in rounds of their own": Shape(
        f"""
tasks:
- id: p
  type: {IN_GROUPS}.Parallel
  tasks:
  - id: f
    type: {IN_GROUPS}.ForEach
    values: [0, 1, 2]
    tasks:
    - id: a
      containerImage: image{{{{ taskrun.value }}}}
      commands: ["echo a{{{{ taskrun.value }}}} >> @LEDGER; test {{{{ taskrun.value }}}} != 1 || test -e @OK"]
  - id: b
    foreach: 4
    containerImage: image{{{{ item }}}}
    commands: ["echo b{{{{ item }}}} >> @LEDGER; test $(({{{{ item }}}} % 2)) = 0 || test -e @OK", "echo i{{{{ item }}}} > i.txt"]
    outputFiles: [i.txt]
- {{id: z, commands: ["cat {{{{ outputs.b }}}}/*/i.txt >> @LEDGER"]}}
""",  # noqa: E501
        first="a0 a1 b0 b1 b2 b3",
        again="a1 a2 b1 b3 i0 i1 i2 i3",
    ),
}


def entries(record: dict[str, Any]) -> list[dict[str, Any]]:
    """All tasks and items of a record."""
    items = [item for task in record["tasks"] for item in (task["items"] or {}).get("records") or []]
    return [*record["tasks"], *items]


def blobs_of(record: dict[str, Any]) -> set[str]:
    """Every blob that a record names."""
    found = {file["blob"] for entry in entries(record) for file in entry["outputs"]["outputFiles"].values()}
    return found | {log for entry in entries(record) for log in entry["logs"].values() if log}


def ran(ledger: Path, run: str) -> str:
    """What the tasks of a run have told."""
    return " ".join(sorted((ledger / run).read_text().split())) if (ledger / run).exists() else ""


@pytest.mark.parametrize("shape", SHAPES)
def test_only_what_failed_runs_again(world: World, tmp_path: Path, shape: str) -> None:
    wanted, pulls = SHAPES[shape], [{"image": "image1", "next": 2}, {"image": "image3", "next": 1}]
    text = wanted.flow.replace("@LEDGER", f"{tmp_path}/{{{{ execution.id }}}}").replace("@OK", f"{tmp_path}/ok")
    run = world.accept("etl.yaml", text)
    world.finish()
    assert world.record(run, "etl.yaml")["state"] == "FAILED"
    assert ran(tmp_path, run) == wanted.first
    (tmp_path / "ok").touch()
    world.nodes_fail(imagePulls=pulls)  # only one shape has these images
    again = world.accept("again.yaml", f"retry: etl/{run}")
    world.finish()
    record = world.record(again, "again.yaml")
    assert record["state"] == wanted.state, record
    assert ran(tmp_path, again) == wanted.again
    assert blobs_of(record) <= {name.removeprefix(f"again/{again}/") for name in world.names("results")}
    assert world.names("staging") == world.names("runs") == world.names("inbox") == []


def test_of_many_items_only_those_that_failed_run_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in tasks.json; every file and log is copied once for the results, and every file once for the nodes."""
    count, failed = 120, 7
    text = (
        "tasks:\n"
        f"- {{id: each, foreach: {count}, outputFiles: [o.txt], commands: ['echo $ITEM_INDEX > o.txt',"
        f" 'test $ITEM_INDEX -lt {count - failed} || test -e {tmp_path}/ok']}}\n"
        "- {id: all, commands: ['test $(cat {{ outputs.each }}/*/o.txt | wc -l) = 120']}\n"
    )
    run = world.accept("etl.yaml", text)
    world.finish()
    (tmp_path / "ok").touch()
    copied: list[tuple[str, str]] = []
    copy = Copies.copy

    def counted(self: Copies, source: CopySource, destination: BlobClient, **options: Any) -> CopyState:
        kind = source.blob.split("/")[2 if source.container == world.settings.containers.results else 1]
        copied.append((destination.container_name.partition("-")[0], kind))
        return copy(self, source, destination, **options)

    monkeypatch.setattr(Copies, "copy", counted)
    again = world.accept("again.yaml", f"retry: etl/{run}")
    assert len(world.app.batch.tasks(f"{again}-1")) == failed
    good = count - failed
    assert Counter(copied) == {("results", "outputs"): good, ("results", "logs"): 2 * good}
    copied.clear()
    world.finish()
    assert Counter(copied)["staging", "outputs"] == good
    record = world.record(again, "again.yaml")
    assert record["tasks"][0]["items"]["states"] == {"SUCCESS": count}
    items = world.result(again, "tasks.json", "again.yaml")["tasks"][0]["items"]
    assert [item["takenFrom"] for item in items] == [run] * good + [None] * failed
