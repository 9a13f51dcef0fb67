"""The nearest known name."""

from shared.errors import did_you_mean


def test_the_nearest_name_is_suggested() -> None:
    assert did_you_mean("comands", ["commands", "beforeCommands", "env"]) == '; did you mean "commands"?'


def test_what_is_near_to_nothing_has_no_suggestion() -> None:
    assert did_you_mean("xyz", ["commands", "env"]) == ""


def test_very_long_names_are_not_compared() -> None:
    assert did_you_mean("a" * 99, ["a" * 98]) == ""
