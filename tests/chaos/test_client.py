"""`batchrun` is killed, refused, or loses an answer at every call: what is left is whole, and the work can go on."""

from __future__ import annotations

import itertools
import random
import re
import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from batchrun.client.apps import App
from batchrun.client.downloads import UNFINISHED
from batchrun.client.refs import RunRef
from batchrun.client.runs import Runs
from local.stack.stack import Stack
from shared.documents.states import State
from tests.chaos.client import KILLED, Fault, Told, batchrun
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

AT_ONCE = 3
MAY_BE_DROPPED, NOT_KNOWN = "may have been dropped, or not. To see it: ", 33
"""What is said of a drop without an answer, which is not sent again; and a code in place of that of its command."""
SAMPLES, SEED = 1, 3
CODES = {
    Fault.KILLED_BEFORE: (KILLED,),
    Fault.KILLED_AFTER: (KILLED,),
    Fault.REFUSED: (0, 3),  # tasks and the like that cannot be seen are left out
    Fault.ANSWER_LOST: (0, NOT_KNOWN),
}
"""How a command may end of a fault."""
FLOW = """
id: NAME
tasks:
- {id: make, commands: ["for n in 1 2 3; do echo NAME $n > $n.csv; done"], outputFiles: ['*.csv']}
"""
GIVEN = """
id: NAME
inputs: [{id: data, type: FILE}]
tasks: [{id: t, inputFiles: {in: '{{ inputs.data }}'}, commands: [cat in]}]
"""
STORED = "id: NAME-NUMBER\nnamespace: acme.NAME\ndescription: 'VERSION'\ntasks: [{id: t, commands: [echo]}]\n"


@dataclass(frozen=True)
class Place:
    """A stack, a folder in which a command is run, and a name that nobody else uses."""

    stack: Path
    runs: Runs
    folder: Path
    name: str

    def file(self, name: str, text: str) -> str:
        """Write a file into the folder."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)
        return name

    def command(self, *arguments: str, fault: Fault | None = None, at: int = 0) -> Told:
        """Run a command in the folder; it must not end with a traceback."""
        told = batchrun(self.stack, self.folder, *arguments, fault=fault, at=at)
        if MAY_BE_DROPPED in told.text:
            told = replace(told, code=NOT_KNOWN)
        assert "Traceback" not in told.text, told.text
        assert fault or told.code in (0, 1), told.text
        return told

    def runs_of(self) -> set[RunRef]:
        """The runs of the name, once they all have ended."""
        wait_for(
            lambda: not self.runs.inbox.waiting() and not [r for r in self.runs.open() if r.id.startswith(self.name)]
        )
        return {run for run in self.runs.results.runs() if run.id.startswith(self.name)}

    def drop(self, text: str) -> RunRef:
        """Drop a manifest, and wait until its run is open."""
        run = self.runs.inbox.put(f"{self.name}.yaml", text.encode()).ref
        wait_for(lambda: self.runs.open_run(run.id) or self.runs.results.record(run))
        return run

    def assert_whole(self, folder: str, run: RunRef | None, *, is_all: bool = False) -> None:
        """What has the name of a result is all of it."""
        files = {path for path in (self.folder / folder).rglob("*") if path.is_file()}
        names = {str(path.relative_to(self.folder / folder)) for path in files if not path.name.startswith(UNFINISHED)}
        assert run or not names
        for name in names:
            there = b"".join(self.runs.results.bytes_from(run, name, 0))
            assert (self.folder / folder / name).read_bytes() == there, f"{name} is not whole"
        assert not is_all or names == {file.name for file in self.runs.results.files(run)}


Life = Callable[[Place, Fault | None, int], Told]


def run(place: Place, fault: Fault | None, at: int) -> Told:
    """A run that is dropped is told, or was killed with the command: nothing is run twice for one command."""
    return _new_run(place, fault, at, "run", place.file(f"{place.name}.yaml", FLOW.replace("NAME", place.name)))


def run_with_a_file(place: Place, fault: Fault | None, at: int) -> Told:
    """The same, with a file that is uploaded before."""
    flow = place.file(f"{place.name}.yaml", GIVEN.replace("NAME", place.name))
    return _new_run(place, fault, at, "run", flow, "-i", f"data=@{place.file('data.txt', place.name)}")


def retry(place: Place, fault: Fault | None, at: int) -> Told:
    """The same, of a run that has ended."""
    place.file("none", "")
    earlier = place.drop(FLOW.replace("NAME", place.name))
    place.runs_of()
    return _new_run(place, fault, at, "retry", earlier.id, "--task", "make", earlier=earlier)


def _new_run(place: Place, fault: Fault | None, at: int, *command: str, earlier: RunRef | None = None) -> Told:
    told = place.command(*command, "--out", "out", fault=fault, at=at)
    found = place.runs_of() - {earlier}
    assert len(found) <= 1, f"one command has made {found}: {told.text}"
    made = next(iter(found), None)
    place.assert_whole("out", made, is_all=told.code == 0)
    if made and told.code not in (0, KILLED):
        assert made.id in told.text or MAY_BE_DROPPED in told.text, told.text
    if made:
        assert place.command("get", made.id, "--out", "out").code == 0
    else:
        assert told.code != 0
        assert place.command(*command, "--out", "out").code == 0
        (made,) = place.runs_of() - {earlier}
    record = place.runs.results.record(made)
    assert record
    assert record.state is State.SUCCESS
    place.assert_whole("out", made, is_all=True)
    return told


def get(place: Place, fault: Fault | None, at: int) -> Told:
    """The same command goes on; so does what it says."""
    place.file("none", "")
    run = place.drop(FLOW.replace("NAME", place.name))
    place.runs_of()
    told = place.command("get", run.id, "--out", "out", "--crate", fault=fault, at=at)
    metadata = place.folder / "out" / "ro-crate-metadata.json"
    assert not metadata.exists() or metadata.read_text().endswith("}\n")
    metadata.unlink(missing_ok=True)
    place.assert_whole("out", run, is_all=told.code == 0)
    again = re.search(r"To go on: batchrun (.*)", told.text)
    assert place.command(*(shlex.split(again[1]) if again else ("get", run.id, "--out", "out", "--crate"))).code == 0
    assert metadata.exists()
    metadata.unlink()
    place.assert_whole("out", run, is_all=True)
    return told


def flows_put(place: Place, fault: Fault | None, at: int) -> Told:
    """Each flow is what it was, or what it was to be; the same command stores the others."""
    texts = [STORED.replace("NAME", place.name).replace("NUMBER", each) for each in "12"]
    old, new = ([text.replace("VERSION", version) for text in texts] for version in ("old", "new"))
    namespace = f"acme.{place.name}"
    names = [f"{namespace}/{place.name}-{each}" for each in "12"]
    place.runs.flows.put(names[0], old[0].encode())
    files = [place.file(f"{each}.yaml", text) for each, text in zip("12", new, strict=True)]
    told = place.command("flows", "put", *files, fault=fault, at=at)
    stored = {flow.name: place.runs.flows.content(flow.name).decode() for flow in place.runs.flows.all(namespace)}
    assert stored[names[0]] in (old[0], new[0])
    assert stored.get(names[1], new[1]) == new[1]
    is_done = [stored.get(name) == text for name, text in zip(names, new, strict=True)]
    assert told.code != 0 or all(is_done)
    assert all(is_stored for name, is_stored in zip(names, is_done, strict=True) if f"{name} " in told.text)
    assert place.command("flows", "put", *files).code == 0
    assert [place.runs.flows.content(name).decode() for name in names] == new
    for name in names:
        place.runs.flows.remove(name)
    return told


def cancel(place: Place, fault: Fault | None, at: int) -> Told:
    """The same command cancels what it has not cancelled yet."""
    place.file("none", "")
    run = place.drop(f"id: {place.name}\ncommands: [sleep 600]")
    told = place.command("cancel", run.id, fault=fault, at=at)
    again = place.command("cancel", run.id)
    assert again.code == 0 or "has ended already: KILLED" in again.text, again.text
    record = place.runs.results.record(run)
    assert record
    assert record.state is State.KILLED
    return told


@pytest.fixture
def places(stack: Stack, tmp_path: Path) -> Iterator[Iterator[Place]]:
    """As many places as are wanted."""
    description = stack.data_dir.description.resolve()
    with Runs.of(App.of_stack(stack.data_dir.path)) as runs:
        numbers = itertools.count()
        prefix = f"c{random.randbytes(3).hex()}"
        yield (Place(description, runs, tmp_path / str(number), f"{prefix}-{number:03}") for number in numbers)


@pytest.mark.parametrize("share", ["sample", pytest.param("every call", marks=pytest.mark.chaos)])
@pytest.mark.parametrize("life", [run, run_with_a_file, retry, get, flows_put, cancel])
@pytest.mark.timeout(3600)
def test_a_command_may_fail_at_any_call(
    places: Iterator[Place], injected: Callable[[int], None], life: Life, share: str
) -> None:
    """Promise: nothing that is half written looks whole, nothing is done twice, and it is said how to go on."""
    undisturbed = life(next(places), None, 0)
    assert undisturbed.code == 0, undisturbed.text
    faults = list(itertools.product(Fault, range(1, len(undisturbed.calls) + 1)))
    if share == "sample":
        faults = random.Random(SEED).sample(faults, SAMPLES)
    injected(len(faults))

    def attempt(case: tuple[Place, tuple[Fault, int]]) -> str | None:
        place, (fault, at) = case
        try:
            told = life(place, fault, at)
        except Exception as error:  # noqa: BLE001 - told with the fault that led to it
            return f"{fault.value}, number {at} of {undisturbed.calls}: {type(error).__name__}: {error}"
        return None if len(told.calls) < at or told.code in CODES[fault] else f"{fault.value}, number {at}: {told}"

    with ThreadPoolExecutor(AT_ONCE) as threads:
        problems = list(filter(None, threads.map(attempt, zip(places, faults, strict=False))))
    assert not problems, "\n\n".join(problems)
