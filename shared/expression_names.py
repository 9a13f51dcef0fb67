"""Names that expressions have in Kestra and not here, and what to do instead. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2.utils import missing

from shared.suggestions import did_you_mean

_MOST_SHOWN, _MOST_COMPARED = 6, 100
_OF_A_FAN_OUT = "only a task in a ForEach, or one with `foreach`, has it"

ELSEWHERE: Mapping[str, str] = {
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


def advice(name: str, whole: object) -> str:
    """The end of a message about a name that does not exist, in `whole` or (if it is Jinja's `missing`) by itself."""
    if whole is missing:
        return f": {ELSEWHERE[name]}" if name in ELSEWHERE else ""
    if not isinstance(whole, dict) or len(whole) > _MOST_COMPARED:
        return ""
    known = [str(each) for each in whole]
    listed = f"; there is {', '.join(known)}" if 0 < len(known) <= _MOST_SHOWN else ""
    return did_you_mean(name, known) or listed
