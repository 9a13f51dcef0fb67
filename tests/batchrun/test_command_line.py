"""`python -m local`: exit codes and messages when there is nothing to run."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from local.__main__ import main


@pytest.fixture
def run(capsys):
    """Run a command line; returns its exit code and what it wrote on stderr."""

    def run(*arguments: str) -> tuple[int | str | None, str]:
        try:
            code = main(arguments)
        except SystemExit as exit_:
            return exit_.code, capsys.readouterr().err
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "COMMAND"),
        (["run"], "MANIFEST"),
        (["up", "--ports", "any"], "'any' is not the first of six ports, from 1 to 65530, or auto"),
        (["run", "nowhere.yaml"], "There is no file nowhere.yaml."),
        (["check"], "MANIFEST"),
        (["check", "nowhere.yaml"], "There is no file nowhere.yaml."),
        (["check", "Makefile"], "its name must end in one of .yaml, .yml, .json"),
        (["check", "samples"], "There is no file samples."),
        (["run", "Makefile"], "its name must end in one of .yaml, .yml, .json"),
        (["run", "samples/environment-info.yaml", "samples/environment-info.yaml"], "the same name"),
        (["up", "--tick", "0"], "'0' is not a number of seconds from 1 to 59"),
        (["up", "--pool", "a b"], "'a b' is not a pool"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(run, arguments, reason):
    """Nothing has been started then."""
    code, errors = run(*arguments)

    assert code == 2
    assert reason in errors


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_manifest_that_cannot_be_read_ends_with_2_and_says_why(run, tmp_path, command, monkeypatch):
    """Somebody else's, say; root may read everything, so it is the answer of the system that is made up."""
    manifest = tmp_path / "theirs.yaml"
    manifest.touch()

    def refuse(*_arguments):
        raise PermissionError(errno.EACCES, "Permission denied", str(manifest))

    monkeypatch.setattr(Path, "open", refuse)

    assert run(command, str(manifest)) == (2, f"{manifest} cannot be read: Permission denied.\n")


def test_env_without_a_stack_says_how_to_start_one(run, tmp_path):
    """A directory that does not exist is not made; the hint can be pasted into a shell."""
    data_dir = tmp_path / "no stack"

    code, errors = run("env", "--data-dir", str(data_dir))

    hint = f"python -m local up --data-dir '{data_dir}'"
    assert (code, errors) == (3, f"No stack is running in {data_dir}. Start one with: {hint}\n")
    assert not data_dir.exists()
