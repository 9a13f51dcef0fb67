"""Which packages are planned for a task, and which image it has."""

from __future__ import annotations

import json

import pytest

from shared.errors import ManifestError
from shared.plan.plan_round import plan_round
from shared.plan.run_manifest import manifest_of
from shared.script.packages import Installer, Packages

TYPE = "io.kestra.plugin.scripts.{}.Commands"
IMPORT = "from kestra import Kestra"
KESTRA = Packages(Installer.UV, (), import_kestra=True)


@pytest.fixture
def task(run_of, settings):
    """The planned task of a task form."""

    def planned(language: str = "python", **properties: object):
        form = {"type": TYPE.format(language), "commands": ["x"], **properties}
        if "script" in form:
            form = {**form, "type": form["type"].replace("Commands", "Script")}
            del form["commands"]
        run = run_of(json.dumps(form), name="m.json")
        [task] = plan_round(manifest_of(run), run, settings).tasks
        return task

    return planned


def packages(task) -> Packages | None:
    return task.commands.packages


def test_what_a_task_names_is_installed_with_the_expressions_rendered(task) -> None:
    named = packages(task(dependencies=["pandas==2.3.3", " ", "{{ 'requests' }} "], packageManager="PIP"))
    assert named == Packages(Installer.PIP, ("pandas==2.3.3", "requests"))
    assert packages(task(dependencies=["a"])).installer is Installer.UV
    assert packages(task("node", dependencies=["axios@1"])) == Packages(Installer.NPM, ("axios@1",))


@pytest.mark.parametrize("properties", [{}, {"dependencies": []}, {"dependencies": ["{{ '' }}"]}])
@pytest.mark.parametrize("language", ["python", "node"])
def test_a_task_that_names_none_installs_nothing(task, language, properties) -> None:
    assert packages(task(language, **properties)) is None


def test_what_is_wrong_in_a_dependency_is_told(task) -> None:
    with pytest.raises(ManifestError, match=r"dependencies\[1\]: 'nope' does not exist"):
        task(dependencies=["a", "{{ nope }}"])


@pytest.mark.parametrize(
    "properties",
    [
        {"script": f"{IMPORT}\nKestra.outputs({{}})"},
        {"script": "import kestra"},
        {"script": "import os, kestra as k"},
        {"script": "def main():\n    from kestra.i import x"},
        {"commands": [f'python -c "{IMPORT}; Kestra.outputs({{}})"']},
        {"commands": [f"python - <<EOF\n{IMPORT}\nEOF"]},
        {"commands": [f"python -c 'import os;{IMPORT}'"]},
        {"inputFiles": {"main.py": f"import os\n{IMPORT}\n"}},
        {"beforeCommands": ["pip install requests"], "inputFiles": {"main.py": IMPORT}},
    ],
)
def test_a_task_whose_own_texts_import_kestra_gets_it(task, properties) -> None:
    """Whether the image has it, as Kestra's own have, the script finds out: images may have it under any name."""
    assert packages(task(**properties)) == KESTRA
    assert packages(task(**properties, containerImage="ghcr.io/kestra-io/kestrapy:latest")) == KESTRA


@pytest.mark.parametrize(
    "properties",
    [
        {"script": "# from kestra import Kestra\nprint('import kestra')\nimport kestra_tools, kestras"},
        {"commands": ["python main.py"]},
        {"inputFiles": {"README.md": IMPORT}},
        {"script": IMPORT, "beforeCommands": ["pip install kestra==0.23"]},
        {"script": IMPORT, "beforeCommands": ["pip install -q -r requirements.txt"]},
        {"script": IMPORT, "beforeCommands": ["uv pip install --system requests kestra"]},
        {"inputFiles": {"main.py": IMPORT}, "commands": ["pip install .", "python main.py"]},
    ],
)
def test_a_task_that_does_not_import_kestra_or_installs_it_itself_is_left_alone(task, properties) -> None:
    assert packages(task(**properties)) is None


def test_kestra_comes_with_what_a_task_names(task) -> None:
    named = packages(task(script=IMPORT, dependencies=["requests"]))
    assert named == Packages(Installer.UV, ("requests",), import_kestra=True)


def test_only_tasks_of_python_import_kestra(task) -> None:
    assert packages(task("shell", commands=[f"python -c '{IMPORT}'"])) is None
    assert packages(task("node", dependencies=["a"], commands=[f"python -c '{IMPORT}'"])).import_kestra is False


def test_the_default_image_of_python_is_that_of_kestra(task) -> None:
    """PythonBasedPlugin.DEFAULT_IMAGE of plugin-scripts, since 0.23."""
    assert task().image.name == "python:3.13-slim"


@pytest.mark.parametrize(
    ("properties", "image"),
    [
        ({"docker": {"image": "a:{{ 1 }}"}}, "a:1"),
        ({"docker": {"image": "a"}, "containerImage": "b"}, "a"),
        ({"docker": {"pullPolicy": "NEVER"}, "containerImage": "b"}, "b"),
        ({"docker": {}}, "python:3.13-slim"),
        ({"docker": {"image": "a"}, "runner": "DOCKER", "taskRunner": {}}, "a"),
        ({"docker": {"image": "a"}, "runner": "PROCESS"}, "a"),
        ({"runner": "PROCESS"}, "python:3.13-slim"),
        ({"docker": {"image": "a"}, "taskRunner": {}, "containerImage": "b"}, "b"),
    ],
)
def test_the_image_of_an_old_docker_counts_where_it_does_in_kestra(task, properties, image) -> None:
    """CommandsWrapper.getTaskRunner of 1.x: not beside a `taskRunner`, unless there is a `runner` too.

    A process of its own has no image there, but needs one here.
    """
    assert task(**properties).image.name == image
