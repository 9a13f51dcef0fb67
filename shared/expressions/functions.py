"""The functions of expressions, and advice about names that do not exist.

Here are the functions that need only their arguments. `render()` is in `render.py`; those that need the run or its
settings are passed to the renderer.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

from shared.errors import did_you_mean
from shared.expressions._calendar import CALENDAR
from shared.expressions._operators import is_number, list_between
from shared.expressions.dates import date_filter
from shared.expressions.values import Advised, ExpressionError, check_exist, check_size, spend, text_of


def _extreme(compare: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def of(*values: Any) -> Any:  # noqa: ANN401 - values of any type
        """As MaxFunction.java and MinFunction.java of Pebble: null counts as nothing, and so does no value at all."""
        check_exist(*values)
        found = None
        for value in values:
            if found is None:
                found = value
            elif value is not None:
                if not (is_number(value) and is_number(found)):
                    raise ExpressionError("max and min compare numbers; of a list write `[2, 1] | sort | last`")
                found = value if compare(value, found) else found
        return found

    return of


def _loop_outputs(outputs: object, name: object) -> list[Any]:
    """As LoopOutputsFunction.java of Kestra 2: null where an iteration has no such output."""
    check_exist(outputs, name)
    if not isinstance(outputs, list) or not isinstance(name, str):
        raise ExpressionError(
            "loopOutputs() takes the outputs of all iterations of a Loop, and the name of one of them"
        )
    found = [each.get("outputs") if isinstance(each, dict) else None for each in outputs]
    return [each.get(name) if isinstance(each, dict) else None for each in found]


_PURE: Mapping[str, tuple[Callable[..., Any], str, str]] = {
    "range": (list_between, "the list from a number or character to another one, which is in it", "range(1, 9, 2)"),
    "max": (_extreme(operator.gt), "the largest of some numbers", "max(vars.a, 10)"),
    "min": (_extreme(operator.lt), "the smallest of some numbers", "min(vars.a, 10)"),
    "loopOutputs": (
        _loop_outputs,
        "the output of this name of every iteration of a Loop, as a list",
        "loopOutputs([{'outputs': {'a': 1}}, {'outputs': {'a': 2}}], 'a')",
    ),
    **CALENDAR,
}

PURE_FUNCTIONS: Mapping[str, Callable[..., Any]] = {name: function for name, (function, _, _) in _PURE.items()}
"""The functions that need only their arguments, and that every text can call."""

FUNCTIONS: Mapping[str, tuple[str, str]] = {
    "secret": ("the app setting `SECRET_<name>`", "secret('API_TOKEN')"),
    "env": ("the app setting `ENV_<name>`, or a default; the name is in lower case", "env('region', 'westeurope')"),
    "now": (
        "the time when the run was accepted; takes the arguments of `date`",
        "now('yyyy-MM-dd', timeZone='Europe/Paris')",
    ),
    "fromJson": ("the value of a JSON text", "fromJson(vars.config).name"),
    "json": ("the old name of `fromJson`", "json(vars.config).name"),
    "read": (
        "the text of a file: a namespace file, a blob (`blob://…`), or a file of an earlier task",
        "read('config/names.json')",
    ),
    "fileExists": ("whether there is such a file, of those that read() can read", "fileExists('config/names.json')"),
    "fileSize": ("the number of bytes of a file that read() can read", "fileSize('config/names.json')"),
    "isFileEmpty": ("whether a file that read() can read is empty", "isFileEmpty('config/names.json')"),
    "currentEachOutput": (
        "in a ForEach, the outputs of an earlier task for the same value, and for those of the loops around it",
        "currentEachOutput(outputs.measure).vars.size",
    ),
    "render": ("the text, rendered with the same values until nothing changes any more", "render(vars.greeting)"),
    "renderOnce": ("the text, rendered once with the same values", "renderOnce(vars.greeting)"),
    "tasksWithState": (
        "the tasks before this one that ended in a state, each a map of `taskId`, `state` and, of a fan-out, `value`",
        "tasksWithState('FAILED')[0].taskId",
    ),
    "errorLogs": (
        "why tasks before this one failed, each a map of `taskId`, `message`, `timestamp`, `attemptNumber` and others",
        "errorLogs()[0].message",
    ),
    "uuid": ("a UUID, the same whenever this text is rendered in a run; not a secret", "uuid()"),
    "id": ("the same in letters and digits", "id()"),
    "nanoId": ("a text of some length, of the letters of an alphabet", "nanoId(10, 'abcdef01')"),
    "randomInt": ("a number from the first to before the second one", "randomInt(1, 7)"),
    "randomPort": ("the number of a port, which may be in use", "randomPort()"),
    **{name: (purpose, example) for name, (_, purpose, example) in _PURE.items()},
}

"""Every function: its result, and an example."""


OTHER_FUNCTIONS: Mapping[str, str] = {
    "jsonDecode": "this is the old name of `fromJson`",
    "yaml": "write the value into `variables`, which are YAML",
    "fromIon": "use JSON, and `fromJson`",
    "iterationOutput": "name an item of the fan-out, as in `outputs.each[0].vars`",
    "encrypt": "do it in the commands",
    "decrypt": "do it in the commands",
    "printContext": "print in the commands what is of interest",
    "fetchContext": "print in the commands what is of interest",
    "subflow": "drop the other flow as its own manifest",
    "fileURI": "read the file, as in `read('a.txt')`",
    "isPublicHoliday": "there are no calendars of holidays here; list the days, and write `'2026-12-25' in vars.list`",
    "kv": "there is no key-value store; use `variables`, or `secret('NAME')`",
    "http": "fetch it in the commands",
    "ksuid": "use `uuid()`, or make it in the commands",
}

"""Functions of Kestra that do not exist here, and what to use instead."""


OTHER_ARGUMENTS: Mapping[tuple[str, str], str] = {
    ("secret", "namespace"): "secrets are app settings, the same in all namespaces; write `secret('NAME')`",
    ("secret", "subkey"): "name the part of its JSON, as in `fromJson(secret('NAME')).name`",
    ("secret", "full"): "a secret has only a value; write `secret('NAME')`",
    **{
        (name, "namespace"): f"write the address, as in `{name}('nsfile://company.team/names.json')`"
        for name in ("read", "fileExists", "fileSize", "isFileEmpty")
    },
    ("read", "revision"): "a file has only its newest version; write `read('names.json')`",
    ("read", "version"): "a file has only its newest version; write `read('names.json')`",
}

"""Arguments of Kestra's functions that do not exist here, by function and argument, and what to use instead."""


def now_of(accepted: datetime) -> Callable[..., str | None]:
    """The function `now()`: the time when the run was accepted, so that it gives the same result every time."""
    return functools.partial(date_filter, accepted)


def from_json(text: Any) -> Any:  # noqa: ANN401 - values of any type
    """The function `fromJson()`: the value of a JSON text. Raises ExpressionError if it is not valid JSON."""
    if text is None:
        return None
    text = text_of(text)
    check_size(len(text))
    spend(20 * len(text))
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise ExpressionError(f"fromJson: this is not valid JSON: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


_MOST_SHOWN, _MOST_COMPARED = 6, 100

_OF_A_FAN_OUT = "it exists only for a task in a ForEach or with `foreach`"
_ATTEMPT = "in the commands, the environment variable ATTEMPT is the number of the attempt, 1 in the first"


OTHER_NAMES: Mapping[str, str] = {
    "trigger": "no trigger started this run; give another value, as in `trigger.date ?? now()`",
    "outputDir": "it exists only for tasks, and not with `outputDirectory: false`",
    "bucketPath": "pass files with `inputFiles` and `outputFiles`",
    "outputFiles": "write the file into the working directory, and name it in the task's `outputFiles`",
    "taskrun": "it exists only for tasks",
    "item": _OF_A_FAN_OUT,
    "parent": "it exists only in a loop in a ForEach, or in a group in a ForEach; else use `taskrun.value`",
    "parents": "they exist only in a loop in a ForEach, or in a group in a ForEach; else use `taskrun.value`",
    "secrets": "write `secret('NAME')`",
    "namespace": "use `variables`",
    "kestra": "there is no Kestra server",
}

"""Names of Kestra that do not exist here, and what to use instead. They are the first in a chain of names."""


OTHER_PARTS: Mapping[str, Mapping[str, str]] = {
    "flow": {
        "revision": "flows have no revisions; `execution.id` tells which version of a manifest is run",
        "tenantId": "there are no tenants",
    },
    "trigger": {
        "flowRevision": "flows have no revisions; `trigger.executionId` tells which run ended",
    },
    "execution": {
        "originalId": "use `execution.id`; the record of a retry names the run before it",
    },
    "taskrun": {
        "attemptsCount": f"a task with a `retry` is rendered once, before its first attempt; {_ATTEMPT}",
        "startDate": "only the node knows it; use `execution.startDate`, or `date` in the commands",
        "parentId": "use `taskrun.id`, or the id of the group",
        "value": _OF_A_FAN_OUT,
        "iteration": _OF_A_FAN_OUT,
    },
}

"""Parts of values in Kestra that do not exist here, or not for every task, and what to use instead."""


OTHER_OUTPUTS: Mapping[str, str] = {
    "stdOutLineCount": "count the lines in the commands, and print the number",
    "stdErrLineCount": "count the lines in the commands, and print the number",
    "taskRunner": "the record has the job and the node of every task",
    "outputs": "what the task printed is in `vars`",
    "uri": "the files of the task are in `outputFiles`",
    "value": "what the task printed is in `vars`",
}

"""Outputs of tasks in Kestra that do not exist here, and what to use instead."""


def name_advice(name: str) -> str:
    """The end of a message about a name that does not exist, if it is the first in a chain of names."""
    return f": {OTHER_NAMES[name]}" if name in OTHER_NAMES else ""


def part_advice(name: str, whole: object) -> str:
    """The end of a message about a name that does not exist in `whole`."""
    if not isinstance(whole, dict) or len(whole) > _MOST_COMPARED:
        return ""
    if name in OTHER_OUTPUTS and "outputFiles" in whole:
        return f": {OTHER_OUTPUTS[name]}"
    if isinstance(whole, Advised) and name in whole.advice:
        return f": {whole.advice[name]}"
    known = [str(each) for each in whole]
    listed = f"; there is {', '.join(known)}" if 0 < len(known) <= _MOST_SHOWN else ""
    return did_you_mean(name, known) or listed
