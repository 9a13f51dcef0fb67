"""pydantic's errors → problems for a person to read: path, place, what was expected, the nearest known name."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from shared.errors import Problem, did_you_mean
from shared.manifest._source import Layout
from shared.manifest.flow import FOR_EACH, PARALLEL, SEQUENTIAL, Flow
from shared.manifest.retry import Retry
from shared.manifest.task_runner import RUNNER_TYPE, canonical_runner_type
from shared.manifest.task_types import all_types
from shared.manifest.types import NoEffect, PropertyPath

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

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


def problems_of(error: ValidationError, layout: Layout, model: type[BaseModel]) -> list[Problem]:
    """The problems of a validation of `model`, each once, in the order of the file; at most MAX_PROBLEMS."""
    errors = error.errors(include_url=False)
    parents = {details["loc"][:length] for details in errors for length in range(len(details["loc"]))}
    of_wrong_type = {
        details["loc"][:-1]
        for details in errors
        if details["loc"][-1:] == ("type",) and details["type"] != "extra_forbidden"
    }
    causes = [details for details in errors if not _is_consequence(details, parents, of_wrong_type)]
    # A value of `pluginDefaults` is wrong in many tasks, but in one place.
    by_place = {(_problem(details, layout, ""), details["type"]): details for details in reversed(causes)}
    placed = sorted(by_place, key=lambda place: in_file_order(place[0]))
    shown = [by_place[place] for place in placed[: MAX_PROBLEMS + 1]]
    return first_problems(
        [_problem(details, layout, _message(details, _names_at(model, details["loc"][:-1]))) for details in shown]
    )


def in_file_order(problem: Problem) -> tuple[int, int]:
    """The key that sorts problems by place."""
    return problem.line or 0, problem.column or 0


def first_problems(problems: list[Problem]) -> list[Problem]:
    """At most MAX_PROBLEMS problems; if there are more, one more problem says so."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    left = problems[MAX_PROBLEMS]
    return [*problems[:MAX_PROBLEMS], Problem("there are more problems from here on", None, left.line, left.column)]


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


def _problem(details: ErrorDetails, layout: Layout, message: str) -> Problem:
    path = tuple(part for part in details["loc"] if not _is_tag(part))
    return layout.problem(path, message, at_key=details["type"] in ("extra_forbidden", "unsupported"))


def _is_tag(part: str | int) -> bool:
    """Whether a part of pydantic's path is not in the file: the tag of an alternative, or the mark of a name."""
    return isinstance(part, str) and (part == "[key]" or (part.startswith("<") and part.endswith(">")))


def _message(  # noqa: PLR0911 - one return for each kind of error
    details: ErrorDetails, known: list[str]
) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return "unknown property" + did_you_mean(str(details["loc"][-1]), known)
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
            return f"{_EXPECTED[kind]}, found {_shown(details['input'])}"
    return details["msg"][0].lower() + details["msg"][1:]


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


def _names_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The names of the properties that exist at a path, for suggestions."""
    models = [model]
    for part in path:
        if isinstance(part, str) and _is_tag(part):
            models = [each for each in models if f"<{each.__name__}>" == part]
        elif isinstance(part, str):
            fields = [field for each in models for field in each.model_fields.values() if field.alias == part]
            models = [each for field in fields for each in _models(field)]
    return [field.alias for each in models for field in each.model_fields.values() if field.alias]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - a type expression
    annotation = getattr(annotation, "annotation", annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models(argument)


_KNOWN_TYPES = (
    RUNNER_TYPE, SEQUENTIAL, PARALLEL, FOR_EACH,
    *all_types(),
)  # fmt: skip


def warnings_of(flow: Flow) -> Iterator[tuple[PropertyPath, str]]:
    """Every property of the flow that has no effect, or one that its author may not expect: its path, and why."""
    yield from _warnings(flow, ())
    for index, default in enumerate(flow.plugin_defaults):
        if not any(known.startswith(canonical_runner_type(default.type)) for known in _KNOWN_TYPES):
            yield ("pluginDefaults", index, "type"), "without effect: there is no task and no task runner of this type"


def _warnings(value: object, path: PropertyPath) -> Iterator[tuple[PropertyPath, str]]:
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _warnings(item, (*path, index))
    elif isinstance(value, BaseModel):
        if isinstance(value, Retry):
            yield from ((path, warning) for warning in value.warnings())
        for name in value.model_fields_set:
            field = type(value).model_fields[name]
            here = (*path, field.alias or name)
            item = getattr(value, name)
            reasons = [note.reason for note in field.metadata if isinstance(note, NoEffect)]
            if not reasons:
                yield from _warnings(item, here)
            elif item != field.default:
                yield here, f"without effect: {reasons[0]}"
