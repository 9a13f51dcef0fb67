"""What Kestra's script task types bring along."""

import pytest

from shared.manifest.read import Task, read_manifest
from shared.manifest.task_types import LANGUAGES, language_of


def task(language: str, form: str, work: str) -> Task:
    text = f"type: io.kestra.plugin.scripts.{language}.{form}\n{work}\n"
    return read_manifest(text, "x.yaml").flow.tasks[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_commands_and_scripts(language: str) -> None:
    assert task(language, "Commands", "commands: [x]").language is LANGUAGES[language]
    assert task(language, "Script", "script: x").language is LANGUAGES[language]


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"shell"}))
def test_the_text_of_a_script_is_a_file_that_a_command_runs(language: str) -> None:
    assert LANGUAGES[language].script_runner
    assert LANGUAGES[language].script_suffix.startswith(".")


def test_the_shell_gets_the_text_of_a_script_itself() -> None:
    assert LANGUAGES["shell"].script_runner is None


def test_commands_go_to_the_interpreter_of_the_type_unless_the_task_names_one() -> None:
    assert task("python", "Commands", "commands: [x]").interpreter == ("/bin/sh", "-c")
    powershell = task("powershell", "Commands", "commands: [x]")
    assert powershell.interpreter == ("pwsh", "-NoProfile", "-NonInteractive", "-Command")
    assert task("powershell", "Commands", "commands: [x]\ninterpreter: [bash, -c]").interpreter == ("bash", "-c")


@pytest.mark.parametrize(
    "task_type",
    [
        "io.kestra.plugin.scripts.cobol.Commands",
        "io.kestra.plugin.scripts.python.Command",
        "xio.kestra.plugin.scripts.r.Script",
    ],
)
def test_there_are_no_other_types(task_type: str) -> None:
    assert language_of(task_type) is None
