"""The manifests that are run while things break. Each task tells in a file of the run that it has run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Story:
    """A manifest, and what it runs if nothing goes wrong.

    If it names a flow, or an earlier run, that is `stored`: the text of a flow; and it `retries` a run of that flow,
    which fails as long as there is no file `ok` in the ledger.
    """

    template: str
    ran: tuple[str, ...]
    stored: str = ""
    retries: bool = False

    def text(self, ledger: Path) -> str:
        """The manifest, whose tasks write what they do into files in the folder `ledger`, named by the run."""
        return _in_ledger(self.template, ledger)

    def stored_text(self, ledger: Path) -> str:
        """The flow that is stored."""
        return _in_ledger(self.stored, ledger)


def _in_ledger(template: str, ledger: Path) -> str:
    return template.replace("LEDGER", f"{ledger}/{{{{ execution.id }}}}").replace("FOLDER", str(ledger))


ONE_TASK = Story(
    """
id: one
commands: ["echo one >> LEDGER", echo 1 > one.txt]
outputFiles: [one.txt]
""",
    ran=("one",),
)
GATED = Story(
    """
commands:
- echo begun >> LEDGER
- until [ -e LEDGER.open ]; do sleep 0.05; done
- echo ended >> LEDGER
""",
    ran=("begun", "ended"),
)
"""It goes on when the test makes the file `<run id>.open`."""
GRAPH = Story(
    """
tasks:
- id: make
  commands:
  - echo make >> LEDGER
  - 'echo "::{\\"outputs\\": {\\"n\\": 41}}::"'
- id: side
  dependsOn: []
  commands: ["echo side >> LEDGER", mkdir -p made, echo 2 > made/side.txt]
  outputFiles: ["made/*.txt"]
- id: left
  dependsOn: [make]
  runIf: "{{ outputs.make.vars.n == 0 }}"
  commands: ["echo left >> LEDGER"]
- id: use
  dependsOn: [make, side, left]
  commands:
  - echo use >> LEDGER
  - "cat {{ outputs.side.outputFiles['made/side.txt'] }} > use.txt"
  - echo {{ outputs.make.vars.n }} >> use.txt
  outputFiles: [use.txt]
""",
    ran=("make", "side", "use"),
)
FAN_OUT = Story(
    """
tasks:
- id: each
  foreach: 8
  commands: ["echo {{ item }} >> LEDGER", "echo {{ item }} > item.txt"]
  outputFiles: [item.txt]
- id: merge
  commands: ["echo merge >> LEDGER", "cat {{ outputs.each }}/*/item.txt > all.txt"]
  outputFiles: [all.txt]
""",
    ran=(*map(str, range(8)), "merge"),
)
STOPPED = Story(
    """
tasks:
- id: group
  type: io.kestra.plugin.core.flow.Parallel
  tasks:
  - {id: bad, commands: ["echo bad >> LEDGER", exit 3]}
  - id: row
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
    - {id: may, allowFailure: true, commands: ["echo may >> LEDGER", exit 4]}
    - {id: end, commands: ["echo end >> LEDGER"]}
  - id: limited
    type: io.kestra.plugin.core.flow.ForEach
    concurrencyLimit: 2
    values: [0, 1, 2, 3]
    tasks:
    - {id: each, commands: ["echo each{{ taskrun.value }} >> LEDGER"]}
- {id: gated, dependsOn: [bad, end], commands: ["echo gated >> LEDGER"]}
- {id: free, dependsOn: [end], commands: ["echo free >> LEDGER"]}
""",
    ran=("bad", "each0", "each1", "each2", "each3", "end", "free", "may"),
)
"""A failure that skips one task, and others that have nothing to do with it, gated too."""
STORED_FLOW = """
id: stored
namespace: company.team
inputs: [{id: items, type: INT}]
tasks:
- id: make
  commands:
  - echo make >> LEDGER
  - echo data > data.csv
  - 'echo "::{\\"outputs\\": {\\"n\\": {{ inputs.items }}}}::"'
  outputFiles: [data.csv]
- id: each
  foreach: "{{ outputs.make.vars.n }}"
  commands: ["echo {{ item }} >> LEDGER", "echo {{ item }} > item.txt", "test {{ item }} != 1 || test -e FOLDER/ok"]
  outputFiles: [item.txt]
- id: use
  commands:
  - echo use >> LEDGER
  - "cat {{ outputs.each }}/*/item.txt {{ outputs.make.outputFiles['data.csv'] }} > all.txt"
  outputFiles: [all.txt]
"""
REQUEST = Story(
    "flow: company.team/stored\ninputs: {items: 3}\nlabels: {a: b}\n",
    ran=("0", "1", "2", "make", "use"),
    stored=STORED_FLOW,
)
RETRY = Story("retry: EARLIER\n", ran=("1", "use"), stored=STORED_FLOW, retries=True)
"""What ended well is taken over: one task, and two of three items."""
LIMITED = Story(
    """
id: limited
concurrency: {limit: 1}
tasks:
- id: make
  commands: ["echo make >> LEDGER", "echo 1 > one.txt"]
  outputFiles: [one.txt]
- {id: use, commands: ["echo use >> LEDGER", "echo {{ tasks.make.state }}"]}
outputs:
- {id: one, type: INT, value: "{{ read(outputs.make.outputFiles['one.txt']) | trim }}"}
""",
    ran=("make", "use"),
)
"""It waits until a tick admits it, and publishes what a task has made."""
WHOLE = Story(
    """
id: whole
tasks:
- {id: value, type: io.kestra.plugin.core.debug.Return, format: "yes"}
- id: choice
  type: io.kestra.plugin.core.flow.If
  condition: "{{ outputs.value.value == 'yes' }}"
  then:
  - id: shared
    type: io.kestra.plugin.core.flow.WorkingDirectory
    outputFiles: [both.txt]
    tasks:
    - {id: first, commands: ["echo first >> LEDGER", echo first > both.txt]}
    - {id: second, commands: ["echo second >> LEDGER", echo second >> both.txt]}
  else:
  - {id: not, commands: ["echo not >> LEDGER"]}
- id: beside
  type: io.kestra.plugin.core.flow.Parallel
  tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.ForEach
    concurrencyLimit: 0
    values: [a, b]
    tasks:
    - id: print
      commands:
      - echo print-{{ taskrun.value }} >> LEDGER
      - 'echo "::{\\"outputs\\": {\\"n\\": \\"{{ taskrun.value }}1\\"}}::"'
    - {id: use, commands: ["echo use-{{ outputs.print[taskrun.value].vars.n }} >> LEDGER"]}
  - id: branch
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
    - id: tolerant
      type: io.kestra.plugin.core.flow.AllowFailure
      tasks: [{id: may, commands: ["echo may >> LEDGER", exit 4]}]
    - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.value.value }}"}
    - {id: bad, commands: ["echo bad >> LEDGER", exit 3]}
- {id: never, commands: ["echo never >> LEDGER"]}
errors:
- {id: tell, commands: ["echo tell-{{ (tasksWithState('FAILED') | last).taskId }} >> LEDGER"]}
finally:
- {id: clean, commands: ["echo clean >> LEDGER"]}
afterExecution:
- {id: archive, commands: ["echo archive-{{ execution.state }} >> LEDGER"]}
outputs:
- {id: both, type: STRING, value: "{{ read(outputs.shared.outputFiles['both.txt']) }}"}
- {id: n, type: STRING, value: "{{ outputs.print['a'].vars.n }}"}
""",
    ran=(
        *("first", "second", "print-a", "print-b", "use-a1", "use-b1", "may", "bad"),
        *("tell-bad", "clean", "archive-FAILED"),
    ),
)
"""Conditions, a shared directory, a loop, failures, tasks without a node, and everything that comes at the end."""
CANCELLED = Story(
    """
tasks: [{id: long, commands: ["echo begun >> LEDGER", sleep 600]}]
finally: [{id: clean, commands: ["echo clean >> LEDGER"]}]
afterExecution: [{id: archive, commands: ["echo archive-{{ execution.state }} >> LEDGER"]}]
""",
    ran=("begun", "clean", "archive-KILLED"),
)
"""It is cancelled once it has begun, and goes on with the phases that come after that."""
WRONG = Story('id: wrong\ncommand: ["echo >> LEDGER"]\n', ran=())
SIXTEEN = Story(
    "tasks:\n"
    + "".join(f'- {{id: t{number}, dependsOn: [], commands: ["echo t{number} >> LEDGER"]}}\n' for number in range(16)),
    ran=tuple(f"t{number}" for number in range(16)),
)
"""All of its tasks end the round, as many as are pushed at most."""
