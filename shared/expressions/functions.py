"""The functions of expressions that need nothing from outside; `render()` is in `expressions.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

from shared.errors import did_you_mean
from shared.expressions.dates import date_filter
from shared.expressions.values import ExpressionError, check_size, spend, text_of

FUNCTIONS: Mapping[str, tuple[str, str]] = {
    "secret": ("the app setting `SECRET_<name>`", "secret('API_TOKEN')"),
    "now": ("when the run was accepted; takes the arguments of `date`", "now('yyyy-MM-dd', timeZone='Europe/Paris')"),
    "fromJson": ("the value that a JSON text stands for", "fromJson(vars.config).name"),
    "json": ("the same by its old name", "json(vars.config).name"),
    "read": ("the text of a file: of a namespace, `blob://…`, or of an earlier task", "read('config/names.json')"),
    "render": ("the text rendered once more, with the same values", "render(vars.greeting)"),
}

"""Every function: what it yields, and an example."""


OTHER_FUNCTIONS: Mapping[str, str] = {
    "jsonDecode": "this is the old name of `fromJson`",
    "yaml": "write the value into `variables`, which are YAML",
    "renderOnce": "use `render`, which renders once",
    "range": "give the task a `foreach`",
    "kv": "there is no store of keys and values; use `variables`, or `secret()`",
    "http": "fetch it in the commands",
    "errorLogs": "logs are in the results",
    "currentEachOutput": "use `outputs.<fan-out>[<index>]`",
    **dict.fromkeys(
        ("uuid", "id", "ksuid", "nanoId", "randomInt", "randomPort"),
        "a run renders the same every time; make it in the commands, or use `execution.id`",
    ),
}

"""Kestra's functions that are not here, and what to do instead."""


def now_of(accepted: datetime) -> Callable[..., str | None]:
    """`now()`: when the run was accepted, so that it renders the same every time."""
    return lambda *arguments, **named: date_filter(accepted, *arguments, **named)


def from_json(text: Any) -> Any:  # noqa: ANN401 - values of any type
    """`fromJson('[1]')`. Raises ExpressionError for what is no JSON."""
    if text is None:
        return None
    text = text_of(text)
    check_size(len(text))
    spend(20 * len(text))
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise ExpressionError(f"fromJson: this is no JSON: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


_MOST_SHOWN, _MOST_COMPARED = 6, 100

_OF_A_FAN_OUT = "only a task in a ForEach, or one with `foreach`, has it"


OTHER_NAMES: Mapping[str, str] = {
    "trigger": "a run starts when the manifest is dropped; give another value, as in `trigger.date ?? now()`",
    "outputDir": "the task needs `outputDirectory: true`",
    "bucketPath": "files come and go by `inputFiles` and `outputFiles`",
    "outputFiles": "write the file into the working directory, and name it in the task's `outputFiles`",
    "taskrun": _OF_A_FAN_OUT,
    "item": _OF_A_FAN_OUT,
    "parent": "use `taskrun.value`",
    "parents": "use `taskrun.value`",
    "secrets": "write `secret('NAME')`",
    "envs": "write `secret('NAME')`, which is the app setting SECRET_NAME",
    "globals": "use `variables`",
    "namespace": "use `variables`",
    "kestra": "there is no Kestra server",
}

"""Names that no other name stands before, and what to do instead."""


def name_advice(name: str) -> str:
    """The end of a message about a name that does not exist and has no other name before it."""
    return f": {OTHER_NAMES[name]}" if name in OTHER_NAMES else ""


def part_advice(name: str, whole: object) -> str:
    """The end of a message about a name that does not exist in `whole`."""
    if not isinstance(whole, dict) or len(whole) > _MOST_COMPARED:
        return ""
    known = [str(each) for each in whole]
    listed = f"; there is {', '.join(known)}" if 0 < len(known) <= _MOST_SHOWN else ""
    return did_you_mean(name, known) or listed
