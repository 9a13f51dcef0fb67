"""The nearest known name."""

import pytest

from shared.errors import did_you_mean


def test_the_nearest_name_is_suggested() -> None:
    assert did_you_mean("comands", ["commands", "beforeCommands", "env"]) == '; did you mean "commands"?'


def test_what_is_near_to_nothing_has_no_suggestion() -> None:
    assert did_you_mean("xyz", ["commands", "env"]) == ""


def test_very_long_names_are_not_compared() -> None:
    assert did_you_mean("a" * 99, ["a" * 98]) == ""


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("namespace", "namespaceFiles", False),
        ("volumes", "values", False),
        ("io.kestra.plugin.scripts.jq.Commands", "io.kestra.plugin.scripts.r.Commands", False),
        ("ab", "cd", False),
        ("lower", "upper", False),
        ("container_image", "containerImage", True),
        ("OUTPUTFILES", "outputFiles", True),
        ("toUpper", "upper", True),
        ("frist", "first", True),
        ("io.kestra.plugin.scripts.pyhton.Script", "io.kestra.plugin.scripts.python.Script", True),
    ],
)
def test_only_what_differs_in_few_letters_is_suggested(name: str, known: str, near: bool) -> None:
    assert bool(did_you_mean(name, [known])) is near
