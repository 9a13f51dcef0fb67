"""Kestra's task types that do not run here, and what to do instead. Pure."""

from __future__ import annotations

from collections.abc import Mapping

_CORE = "io.kestra.plugin.core."
_FOR_EACH = f"use `{_CORE}flow.ForEach`, or give the task a `foreach`"
_IN_COMMANDS = "test for it in the commands, or choose by `{{ condition ? a : b }}`"
_PRINT = """print it, with `echo '::{"outputs": {"name": "value"}}::'` as a command"""
_FETCH = "fetch it in the commands, or name its https:// address in `inputFiles`"
_OUTSIDE = "let the commands of a script task do it"

_INSTEAD: Mapping[str, str] = {
    "flow.WorkingDirectory": "put the commands of its tasks into one task, or pass files by `outputFiles`",
    "flow.If": _IN_COMMANDS,
    "flow.Switch": _IN_COMMANDS,
    "flow.AllowFailure": "give its tasks `allowFailure: true`",
    "flow.Dag": "write its tasks into `tasks` themselves, each with its `dependsOn`",
    "flow.EachParallel": _FOR_EACH,
    "flow.EachSequential": _FOR_EACH,
    "flow.ForEachItem": _FOR_EACH,
    "flow.LoopUntil": "loop in the commands",
    "flow.WaitFor": "loop in the commands",
    "flow.Pause": "a run does not pause; `sleep` in the commands, or drop the rest as a manifest of its own",
    "flow.Sleep": "`sleep` in the commands",
    "flow.Subflow": "drop the other flow as a manifest of its own",
    "log.Log": "use a shell task, with `echo` as a command",
    "debug.Return": _PRINT,
    "debug.Echo": _PRINT,
    "output.OutputValues": _PRINT,
    "execution.Fail": "`exit 1` in the commands",
    "execution.Assert": "test for it in the commands, with `exit 1` where it does not hold",
    "execution.Labels": "the labels are those of the flow",
    "storage.LocalFiles": "name the files in `inputFiles` and `outputFiles`",
    "storage.PurgeCurrentExecutionFiles": "leave it out; staging is emptied when the run is recorded",
    "http.Download": _FETCH,
    "http.Request": _FETCH,
}
_OLD = {
    "io.kestra.core.tasks.flows.": f"{_CORE}flow.",
    "io.kestra.core.tasks.log.": f"{_CORE}log.",
    "io.kestra.core.tasks.debugs.": f"{_CORE}debug.",
    "io.kestra.core.tasks.storages.": f"{_CORE}storage.",
    "io.kestra.plugin.fs.http.": f"{_CORE}http.",
}
_OLD_SCRIPTS = {
    f"io.kestra.core.tasks.scripts.{old}": f"this is the old name of `io.kestra.plugin.scripts.{new}.Commands`"
    for old, new in {"Bash": "shell", "Python": "python", "Node": "node"}.items()
}


def instead_of(task_type: str) -> str | None:
    """What to do instead of a task of one of Kestra's types; None if it looks like no type of Kestra's."""
    if task_type in _OLD_SCRIPTS:
        return _OLD_SCRIPTS[task_type]
    for old, new in _OLD.items():
        if task_type.startswith(old):
            new_type = new + task_type.removeprefix(old)
            return _INSTEAD.get(new_type.removeprefix(_CORE), f"this is the old name of `{new_type}`")
    if task_type.startswith("io.kestra.plugin.scripts."):
        return None
    return _INSTEAD.get(task_type.removeprefix(_CORE), _OUTSIDE) if task_type.startswith("io.kestra.") else None
