"""Commands of the documents that no other test runs: each is one, as it stands there.

Those of `batchrun` are parsed in `test_batchrun_docs.py`, those of README run in `tests/e2e/test_readme.py`, those for
Azure in `test_deploy_docs.py`, `test_events_docs.py` and here, with stand-ins for Azure's programs.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

from batchrun.__main__ import VERBS as VERBS_OF_RUNS
from batchrun.command_line import verb_parser
from local.__main__ import BATCH, VERBS
from local.batch.__main__ import _parser as parser_of_batch
from local.runs import PROGRAM, VerbOfRuns

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "samples").glob("*.md")])
TEXTS = {str(file.relative_to(ROOT)): file.read_text() for file in DOCUMENTS}
BLOCK = re.compile(r"^ *```(?:sh|bash)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SHELL = [(name, dedent(block)) for name, text in TEXTS.items() for block in BLOCK.findall(text)]
OPERATE = [block for name, block in SHELL if name == "docs/operate.md"]
AZURE = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "$NOTES"
case "$*" in *--query*) echo "/value" ;; esac
"""


def typed(program: str) -> list[str]:
    """Every command line that begins so: in blocks, without their comments, and in sentences."""
    found: set[str] = set()
    for text in TEXTS.values():
        found |= set(re.findall(rf"^(?:\.venv/bin/)?({program}[^#\n]*)", text, re.MULTILINE))
        found |= set(re.findall(rf"`(?:[A-Z_]+=\S+ |\.venv/bin/)?({program}[^`]*)`", text))
    return sorted(each.strip().rstrip("\\") for each in found)


@pytest.mark.parametrize("command", typed("python -m local"))
def test_commands_of_the_local_stack_are_taken_as_they_stand_there(command: str) -> None:
    """What has only a verb, or not even that, is the name of it in a sentence."""
    _, _, _, *words = shlex.split(command)
    if len(words) < 2:
        assert set(words) <= set(VERBS)
        return
    name, *arguments = words
    if name == BATCH:
        parser = parser_of_batch()
    else:
        verb = VerbOfRuns(name) if name in VERBS_OF_RUNS else import_module(f"local.{name}")
        parser = verb_parser(PROGRAM, name, VERBS[name])
        verb.add_arguments(parser)
    parser.parse_args(arguments)


@pytest.mark.parametrize("command", typed("make "))
def test_targets_exist(command: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [word for word in command.split()[1:] if "=" not in word and word not in targets] == []


@pytest.mark.parametrize("command", typed(r"python (?:infra|samples|docs)") + typed(r"python -m (?:tests|docs)"))
def test_programs_exist(command: str) -> None:
    _, name, *more = shlex.split(command)
    module = ROOT / more[0].replace(".", "/") if name == "-m" else ROOT / name
    assert module.is_file() or module.with_suffix(".py").is_file() or module.is_dir()


def test_there_are_such_commands() -> None:
    assert len(typed("python -m local")) > 5
    assert len(typed("make ")) > 5
    assert len(typed("python infra")) > 2


@pytest.mark.parametrize(("name", "block"), SHELL, ids=[f"{name}: {block[:30]}" for name, block in SHELL])
def test_blocks_are_shell(name: str, block: str) -> None:
    without_names = re.sub(r"=<([a-z ]+)>", r"='a \1'", block)
    done = subprocess.run(["bash", "-n"], input=without_names, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (name, done.stderr)


def test_steps_of_operating_run_in_one_shell(tmp_path: Path) -> None:
    """To the end, with no variable unset."""
    for name in ("az", "azd", "curl", "git", "python"):
        (tmp_path / name).write_text(AZURE)
        (tmp_path / name).chmod(0o755)
    steps = "\n".join(["set -euo pipefail", *(re.sub(r"=<([a-z ]+)>", r"='a \1'", block) for block in OPERATE)])
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NOTES": str(tmp_path / "notes")}
    done = subprocess.run(["bash"], input=steps, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    called = (tmp_path / "notes").read_text()
    for command in ("az functionapp restart", "azd up", "python infra/prices.py"):
        assert f"{command} " in called or f"{command}\n" in called
    assert not (tmp_path / "master-key").exists()
