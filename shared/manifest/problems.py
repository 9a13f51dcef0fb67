"""pydantic's errors → problems for a person to read: path, place, what was expected, the nearest known name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydantic import BaseModel

from shared.errors import Problem, nearest
from shared.manifest._layout import Layout
from shared.manifest._names import is_tag, names_beside, unknown_property
from shared.manifest._source import quoted
from shared.manifest.flow import Flow
from shared.manifest.task import Task
from shared.manifest.task_runner import RUNNER_TYPE, canonical_runner_type
from shared.manifest.task_types import ALL_GROUP_TYPES, APP_TASK_TYPES, all_types
from shared.manifest.types import CREDENTIALS, NoEffect, Properties, PropertyPath

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_KNOWN_TYPES = (RUNNER_TYPE, *ALL_GROUP_TYPES, *APP_TASK_TYPES, *all_types())

MAX_PROBLEMS = 50  # more than a person corrects at once


_EXPECTED = {
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "dict_type": "expected a map (name: value)",
    "model_type": "expected a map (name: value)",
    "tuple_type": "expected a list",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
}


def problems_of(errors: Sequence[ErrorDetails], layout: Layout, model: type[BaseModel]) -> list[Problem]:
    """The problems of a validation of `model`, each once, in the order of the file; few more than MAX_PROBLEMS."""
    parents = {details["loc"][:length] for details in errors for length in range(len(details["loc"]))}
    of_wrong_type = {
        details["loc"][:-1]
        for details in errors
        if details["loc"][-1:] == ("type",)
        and details["type"] not in ("extra_forbidden", "missing")
        and not nearest(str(details["input"]), all_types())
    }
    lacks = any(details["type"] == "missing" for details in errors)
    meant = set(_meant_names(errors, layout, model) if lacks else ())  # to compare names takes long
    causes = [
        details
        for details in errors
        if not _is_consequence(details, parents, of_wrong_type)
        and not (details["type"] == "missing" and details["loc"] in meant)
    ]
    # A value of `pluginDefaults` is wrong in many tasks, but in one place.
    by_place = {(_problem(details, layout, ""), details["type"]): details for details in reversed(causes)}
    placed = sorted(by_place, key=lambda place: in_file_order(place[0]))
    shown = [by_place[place] for place in placed[: MAX_PROBLEMS + 1]]
    return [_problem(details, layout, _message(details, layout, model)) for details in shown]


def in_file_order(problem: Problem) -> tuple[str, int, int]:
    """The key that sorts problems by place."""
    return problem.file or "", problem.line or 0, problem.column or 0


def each_once(problems: Iterable[Problem]) -> list[Problem]:
    """The problems in the order of the file; one that a YAML alias repeats at other paths is told once."""
    found: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        name = (problem.path or "").rpartition(".")[2]
        found.setdefault((problem.message, *in_file_order(problem), name if problem.line else problem.path), problem)
    return sorted(found.values(), key=in_file_order)


def first_problems(problems: list[Problem]) -> list[Problem]:
    """At most MAX_PROBLEMS problems; if there are more, one more problem says so."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    left = problems[MAX_PROBLEMS]
    return [*problems[:MAX_PROBLEMS], replace(left, message="there are more problems from here on", path=None)]


def _is_consequence(
    details: ErrorDetails, parents: set[tuple[str | int, ...]], of_wrong_type: set[tuple[str | int, ...]]
) -> bool:
    """Whether an error only follows from another one.

    This is the case for a list that is too short because an entry is wrong, for a default that depends on a wrong
    value, and for an unknown property beside a wrong type.
    """
    match details["type"]:
        case "too_short":
            return details["loc"] in parents
        case "extra_forbidden":
            return details["loc"][:-1] in of_wrong_type
    return details["type"] == "default_factory_not_called"


def path_in_flow(details: ErrorDetails) -> PropertyPath:
    """The path of what is wrong in the flow."""
    return tuple(part for part in details["loc"] if not is_tag(part))


def _problem(details: ErrorDetails, layout: Layout, message: str) -> Problem:
    return layout.problem(path_in_flow(details), message, at_key=details["type"] in ("extra_forbidden", "unsupported"))


def _message(  # noqa: PLR0911 - one return for each kind of error
    details: ErrorDetails, layout: Layout, model: type[BaseModel]
) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return unknown_property(details["loc"], layout, model)
        case "missing" if details["loc"] == ("tasks",):
            return "a manifest has `tasks`, or for one task `commands` or `script` at top level; this has none of them"
        case "missing":
            return "this property is missing"
        case "literal_error" | "enum":
            return f"expected {context['expected']}, found {_shown(details['input'])}"
        case "too_long":
            return f"expected at most {context['max_length']} entries, found {context['actual_length']}"
        case "too_short":
            return f"expected at least {context['min_length']} entry"
        case "value_error":
            return str(context["error"])
        case "string_pattern_mismatch":
            return f"{_shown(details['input'])} does not match {context['pattern']}"
        case kind if kind in _EXPECTED:
            return f"{_EXPECTED[kind]}, found {_shown(details['input'])}{_meant_as_text(details, layout)}"
    return details["msg"][0].lower() + details["msg"][1:]


def _meant_as_text(details: ErrorDetails, layout: Layout) -> str:
    """The advice about a list or a map where text was expected: brackets, or a colon, make one of a text."""
    if details["type"] != "string_type" or details["loc"][-1] in CREDENTIALS:
        return ""
    if written := layout.source.written(layout.in_file(path_in_flow(details))):
        return f"; if it is text, put it in quotes, as it begins with {written[0]}: {quoted(written)}"
    match details["input"]:
        case dict() as pairs if len(pairs) == 1:
            [(name, value)] = pairs.items()
            if value is None or isinstance(value, str | int | float):
                text = f"{name}: {'' if value is None else getattr(value, 'text', value)}".strip()
                return f"; if it is text, put it in quotes, as it has a colon: {quoted(text)}"
    return ""


def _meant_names(errors: Iterable[ErrorDetails], layout: Layout, model: type[BaseModel]) -> Iterator[PropertyPath]:
    """The places of properties that stand there under a wrong or an old name: they are not missing."""
    for details in errors:
        *above, name = details["loc"] or ("",)
        if details["type"] == "unsupported" and (old := _OLD_NAME.search(str(details["ctx"]["reason"]))):
            yield (*above, old[1])
        elif details["type"] == "extra_forbidden" and (
            near := nearest(str(name), names_beside(details["loc"], layout, model))
        ):
            yield (*above, near)
            if near in ("commands", "script"):
                yield (*above, "tasks")


_OLD_NAME = re.compile(r"the old name of .(\w+)")


def _shown(value: object) -> str:
    match value:
        case dict():
            return "a map"
        case list() | tuple():
            return "a list"
        case None:
            return "nothing"
    text = repr(getattr(value, "text", value))
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - what fits in a line


_SERIAL = (
    "its values run one after the other, as in Kestra; `concurrencyLimit: 0` runs all of them side by side, "
    "`concurrencyLimit: 1` says that this is meant"
)


def warnings_of(flow: Flow) -> Iterator[tuple[PropertyPath, str]]:
    """Every property that has no effect, another than it seems, or one that its author may not expect, and why."""
    yield from _warnings(flow, ())
    yield from _texts_that_look_like_files(flow)
    for placed in flow.placed_tasks:
        yield from ((each.path, _SERIAL) for each in placed.loops if each.is_serial_by_default)
    for index, default in enumerate(flow.plugin_defaults):
        if not any(known.startswith(canonical_runner_type(default.type)) for known in _KNOWN_TYPES):
            yield ("pluginDefaults", index, "type"), "without effect: there is no task and no task runner of this type"


_LOCAL_PATH = re.compile(r"(?:\.{1,2}/|~/|/(?!/)|[A-Za-z]:\\)[^\s{}]+")


def _texts_that_look_like_files(flow: Flow) -> Iterator[tuple[PropertyPath, str]]:
    """Every input file whose text is nothing but the path of a local file, which is not read."""
    for placed in flow.placed_tasks:
        files = placed.task.input_files if isinstance(placed.task, Task) else None
        for name, text in files.items() if isinstance(files, dict) else ():
            ending = PurePosixPath(name).suffix
            looks_alike = ending and PurePosixPath(text).suffix == ending and not re.search(r"[\s{}:]", text)
            if looks_alike or _LOCAL_PATH.fullmatch(text):
                base = re.split(r"[/\\]", text)[-1] or name
                how = f"write its text, or put it into the namespace and write `nsfile:///{base}`"
                message = f"{text!r} is the text of this file, not the place of one: no local file is read; {how}"
                yield (*placed.path, "inputFiles", name), message


def _warnings(value: object, path: PropertyPath) -> Iterator[tuple[PropertyPath, str]]:
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _warnings(item, (*path, index))
    elif isinstance(value, BaseModel):
        if isinstance(value, Properties):
            yield from (((*path, *below), warning) for below, warning in value.warnings())
        for name, field in type(value).model_fields.items():
            if name not in value.model_fields_set:
                continue
            here = (*path, field.alias or name)
            item = getattr(value, name)
            reasons = [note.reason for note in field.metadata if isinstance(note, NoEffect)]
            if not reasons:
                yield from _warnings(item, here)
            elif item != field.default:
                yield here, f"without effect: {reasons[0]}"
