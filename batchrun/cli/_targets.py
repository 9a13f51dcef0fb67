"""What `run` and `check` are about: manifests and stored flows, with the values that are given to them."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError

from batchrun.cli._display import transferring
from batchrun.client.apps import App
from batchrun.client.given import NO_VALUES, Given, Values, input_types
from batchrun.client.requests import Drop, as_it_is, of_stored, with_flow_inside
from batchrun.client.runs import Runs
from batchrun.errors import ClientError, Unreachable, UsageError
from shared.documents.manifest_blob import MAX_BYTES, ManifestBlob, manifest_blob
from shared.documents.names import MANIFEST_SUFFIXES, stored_flow_blob
from shared.manifest.read import is_json
from shared.manifest.request import find_request, is_flow

if TYPE_CHECKING:
    from rich.console import Console

NOTHING_DROPPED = "Nothing has been dropped."


@dataclass(frozen=True)
class _Target:
    """A manifest, or a stored flow.

    Either `drop` is what is dropped, but for the flow that it names; or `text` is the flow that it gets inside, with
    `values`, whose addresses need the app.
    """

    drop: Drop
    text: str | None = None
    values: Values = NO_VALUES

    @property
    def is_named(self) -> bool:
        """Whether it is a stored flow, and no manifest that names one."""
        return self.drop.name == self.drop.stored

    def with_addresses(self, container: str) -> Drop:
        """What is dropped, where files go to a container."""
        inputs, labels = self.values.with_addresses(container), self.values.labels
        drop = self.drop
        if self.text is not None:
            drop = with_flow_inside(Path(drop.name), self.text, drop.modified, inputs, labels)
        elif self.values.is_any and drop.stored:
            drop = replace(of_stored(drop.stored, drop.modified, inputs, labels), flow=drop.flow)
        if self.values.is_any and len(drop.content) > MAX_BYTES:
            how = "give it less" if drop.stored else f"store it with `batchrun flows put {shlex.quote(drop.name)}`"
            raise UsageError(f"{drop.name} and what is given to it are larger than {MAX_BYTES >> 20} MiB: {how}.")
        return replace(drop, uploads=self.values.blobs(container))


@dataclass
class Targets:
    """What a command line names, and what it gives to that; `given` are the options for stored flows."""

    targets: list[_Target]
    given: Given

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Targets:
        """Read what needs no app. Raises UsageError with everything that is wrong with the options."""
        given = Given.of(arguments.inputs, arguments.labels)
        if arguments.inputs and len(arguments.manifests) > 1:
            raise UsageError("-i gives values to one flow. Run the manifests one after the other.")
        return cls([_target(argument, given) for argument in arguments.manifests], given)

    @property
    def names(self) -> list[str]:
        """The names of the blobs that are dropped."""
        return [target.drop.blob for target in self.targets]

    @property
    def are_stored(self) -> bool:
        """Whether one of them is a stored flow."""
        return any(target.is_named for target in self.targets)

    def drops(self, app: App) -> list[Drop]:
        """What is dropped, with the stored flows as they are now: these are not read if storage refuses.

        Raises Unreachable for a stored flow where no app is.
        """
        if self.are_stored and not app.is_there:
            raise Unreachable("A stored flow can be checked only with its app, and no stack is running.")
        if app.is_there and any(target.drop.stored for target in self.targets):
            with Runs.of(app) as runs:
                self.targets = [self._with_flow(target, runs) for target in self.targets]
        container = app.services.containers.uploads
        return [target.with_addresses(container) for target in self.targets]

    def _with_flow(self, target: _Target, runs: Runs) -> _Target:
        if target.drop.stored is None:
            return target
        flow = _read(runs, target.drop.stored)
        types = input_types(flow.text, flow.name) if flow and flow.text else None
        values = self.given.to(types) if target.is_named and self.given.is_any else NO_VALUES
        return replace(target, drop=replace(target.drop, flow=flow), values=values)

    def upload(self, app: App, console: Console) -> None:
        """Upload the files that are given. If that does not come to an end, it is said that nothing is dropped."""
        files = {file.blob: file for target in self.targets for file in target.values.files.values()}
        if not files:
            return
        try:
            with Runs.of(app) as runs:
                for file in files.values():
                    if not runs.uploads.has(file):
                        with transferring(console, "Uploading", file.path.name, file.size) as progress:
                            runs.uploads.put(file, progress)
        except (KeyboardInterrupt, ClientError):
            print(NOTHING_DROPPED, file=sys.stderr, flush=True)
            raise


def _target(argument: Path, given: Given) -> _Target:
    name = argument.as_posix()
    is_named = not argument.is_file() and argument.suffix.lower() not in MANIFEST_SUFFIXES
    if is_named and stored_flow_blob(name):
        return _Target(of_stored(name, datetime.now(UTC).replace(microsecond=0), given.inputs, given.labels))
    content, modified = read_file(argument)
    text = manifest_blob(argument.name, "", content).text
    request = find_request(text, as_json=is_json(argument.name)) if text is not None else None
    drop = as_it_is(argument, content, modified, request)
    if not given.is_any:
        return _Target(drop)
    if request is not None:
        raise UsageError(f"{argument} is a run request itself: give it its `inputs` and `labels` there.")
    if text is None or not is_flow(text, as_json=is_json(argument.name)):
        return _Target(drop)  # which cannot run, as its check says
    return _Target(drop, text, given.to(input_types(text, argument.name)))


def read_file(manifest: Path) -> tuple[bytes, datetime]:
    """A manifest and its time. Raises UsageError if it is none that can be read."""
    if not manifest.is_file():
        is_flow_meant = not manifest.parent.exists() and stored_flow_blob(name := manifest.with_suffix("").as_posix())
        raise UsageError(f"There is no file {manifest}." + (f" A stored flow is {name}." if is_flow_meant else ""))
    if manifest.suffix.lower() not in MANIFEST_SUFFIXES:
        raise UsageError(f"{manifest} is not a manifest: its name must end in one of {', '.join(MANIFEST_SUFFIXES)}.")
    try:
        with manifest.open("rb") as content:
            return content.read(), datetime.fromtimestamp(int(manifest.stat().st_mtime), UTC)
    except OSError as error:
        raise UsageError(f"{manifest} cannot be read: {error.strerror}.") from error


def _read(runs: Runs, stored: str) -> ManifestBlob | None:
    """A stored flow; None if storage refuses it, which is said."""
    try:
        return runs.flows.read(stored)
    except HttpResponseError as error:
        if error.status_code != HTTPStatus.FORBIDDEN:
            raise
        print(f"Only the app can read {stored}, so only the app checks it. ({runs.words(error)})", file=sys.stderr)
        return None
