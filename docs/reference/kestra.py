"""The chapter on what differs from Kestra, and why."""

from __future__ import annotations

from collections.abc import Iterator

from shared.manifest.task_types import instead_of

_CORE = "io.kestra.plugin.core."
_REFUSED_TYPES = (
    "flow.Subflow", "flow.ForEachItem", "flow.LoopUntil", "flow.Pause", "flow.Sleep", "execution.Exit",
    "execution.Labels", "kv.Get", "http.Request",
)  # fmt: skip

_HEAD = """\
## What differs from Kestra

Flows of Kestra 1 and of Kestra 2 are taken as they are written: what one of them has removed or renamed is understood,
and `batchrun check my.yaml --kestra 2` names what Kestra 2 refuses of a flow. What the tables above call *accepted,
without effect* is a warning, and what they call *not supported* an error, with what to do instead. All else does what
Kestra's source says, but for this:

| | in Kestra | here, and why |
| --- | --- | --- |"""

_DIFFERENCES = (
    (
        "`triggers`",
        "start executions of their flow",
        (
            "Those of a [stored flow](running.md) do; in a flow that is dropped they are a warning. There is Schedule, "
            "and Flow for the runs of one other flow: sets of flows, windows of time and other triggers are errors "
            "that say what to do instead."
        ),
    ),
    (
        "Schedule",
        "in the server's time zone; waits for the execution that it started before",
        (
            "In UTC, unless `timezone` says otherwise. A run starts whatever others are under way: `concurrency` of "
            "the flow limits how many are."
        ),
    ),
    (
        "`when`, `inputs` of a trigger",
        "see inputs, variables and tasks of the execution that ended; a Schedule's `inputs` see no dates",
        (
            "All of `trigger`, also in `inputs`. Of a run that ended, what its flow publishes in `outputs`: its record "
            "has no more that is sure to be whole. No `secret()` in `inputs`, which are stored."
        ),
    ),
    (
        "`taskRunner` of other types",
        "processes, Docker, Kubernetes, other clouds",
        "Every task runs on Azure Batch, in its image, on Linux; a warning says so. `targetOS: WINDOWS` is an error.",
    ),
    (
        "A cancel",
        "begins no `finally`, only `afterExecution`",
        (
            "Both run, each job of them for an hour at most, so that what `finally` removes does not stay. A cancel "
            "while they run, or a second one, ends the run."
        ),
    ),
    (
        "`SKIPPED`",
        "left out by a condition",
        (
            "Also what did not run because of a failure or a cancel, which has no task run in Kestra: `skipped` in the "
            "record tells them apart."
        ),
    ),
    (
        "A name in `outputFiles` that was not made",
        "nothing",
        "The task is `WARNING`: nothing that was asked for is left out silently. `allowWarning` makes it `SUCCESS`.",
    ),
    (
        "`concurrent`, `concurrencyLimit`",
        "the next one begins when any has ended",
        "The next one begins when the *n*-th before it has ended: Azure Batch is told the order before anything runs.",
    ),
    (
        "`concurrencyLimit: 1`",
        "other branches go on meanwhile",
        "Nothing else of the run runs meanwhile: a value that fails ends the job, and nothing else may end with it.",
    ),
    (
        "`ForEach` with several tasks, `concurrencyLimit: 0`",
        "once a task fails, no further one begins",
        "The tasks of the other values run to their ends: they are told to Azure Batch before anything runs.",
    ),
    (
        "A file as the `values` of a loop",
        "a value for each line",
        (
            "A list or map, as in `{{ read(outputs.a.outputFiles['a.txt']) \\| trim \\| split('\\n') }}`: "
            "what a task prints is text, also if it is the name of a file."
        ),
    ),
    (
        "`taskrun.value.name`",
        "an error, the value is a text",
        "The part of a map; as a whole, the value is the same text as there.",
    ),
    (
        "`transmitFailed: false`",
        "a Loop ends well although values failed",
        "An error: give the tasks `allowFailure`, with which the record shows what failed.",
    ),
    (
        "`fetchType: STORE`",
        "a Loop's outputs are a file",
        "An error: they are where expressions find them, and no server keeps them in its memory.",
    ),
    (
        "`errors`, `finally` of a Loop",
        "for each value",
        "An error: put the Loop into a Sequential that has them. There they run once, when all values have ended.",
    ),
    (
        "WorkingDirectory in a loop",
        "a directory for each value",
        "An error: its tasks pass on one directory, from job to job. Loop in the commands of one task instead.",
    ),
    (
        "Outputs of an If or a Switch",
        "`evaluationResult`, `value`, `defaults`",
        "An error: a group is not run by anything that could have outputs; write its condition again.",
    ),
    (
        "`timeout`, `retry` of groups, `retry` of a flow",
        "for the group, or the flow, as a whole",
        (
            "An error: a job cannot be run again in part. Give the tasks a `retry`; a [run request](running.md) runs "
            "again what failed."
        ),
    ),
    (
        "`retry` of a task",
        "a new container for each attempt",
        (
            "The same container with an emptied directory: Azure Batch's own retries know neither pauses nor which "
            "exit codes are the commands' own."
        ),
    ),
    (
        "`taskCache`, `cache` of a WorkingDirectory",
        "results and files of earlier executions are used",
        "Without effect: nothing is kept from run to run, so that a run needs nothing but its manifest.",
    ),
    (
        "Log, Return, OutputValues, Fail, Assert",
        "run by a worker at their turn",
        (
            "Evaluated by the app between jobs, since a container for each would take longer than they do. What "
            "follows them may have run before, unless it uses what they yield, or they can stop the flow."
        ),
    ),
    (
        "`now()`, `uuid()` and the like",
        "new with every rendering",
        "The time of acceptance, and values that follow from the run: planning a run again must give the same run.",
    ),
    (
        "`date` without a time zone",
        "that of the server",
        "UTC: there is no server.",
    ),
    (
        "`jq`, regular expressions",
        "all of jq, all of Java's",
        (
            "Paths of jq, and [what can be matched in bounded time](#patterns-of-files): nobody's text may keep the "
            "app busy for others."
        ),
    ),
    (
        "Credentials written into the flow",
        "taken",
        "An error: manifests are kept in the results. Write `secret('NAME')`.",
    ),
    (
        "`SECRET` and `FORM` inputs",
        "asked for in a form",
        "An error: nobody is asked when a manifest is dropped. `secret('NAME')`; inputs with a dot in their ids.",
    ),
    (
        "`encryptedOutputs`, `assets`, `logs` in what is printed",
        "secrets, a catalogue, log lines",
        "Not taken: there is no key to encrypt with, and no catalogue. What is printed is kept as it is.",
    ),
    (
        "`stdOutLineCount`, `stdErrLineCount`, `taskRunner` in outputs",
        "what the worker counted",
        "An error: nobody reads along. The commands can count and print it.",
    ),
    (
        "`disabled: true` of a flow",
        "the flow cannot be started",
        "An error: who drops a manifest means it to run.",
    ),
)


def differences() -> Iterator[str]:
    """The chapter."""
    yield f"\n{_HEAD}"
    yield from (f"| {what} | {there} | {here} |" for what, there, here in _DIFFERENCES)
    yield "\nOf Kestra's other tasks, which are no scripts, these are often seen; each is an error:\n"
    yield "| type | instead |\n| --- | --- |"
    yield from (f"| `{_CORE}{name}` | {instead_of(_CORE + name)} |" for name in _REFUSED_TYPES)
    yield ""
