"""The manifest of a run: read from the run document, and checked as a whole before anything of it runs."""

from __future__ import annotations

from shared.documents.manifest_blob import ManifestBlob
from shared.documents.names import FLOW_FILE
from shared.documents.run import Run
from shared.errors import ManifestError, Problem
from shared.manifest.problems import each_once, first_problems
from shared.manifest.read import BrokenManifest, Manifest, is_json, read_manifest
from shared.manifest.request import FLOW, RETRY, Given, read_request
from shared.plan.flow_outputs import problems_of_outputs
from shared.plan.planner import Planner
from shared.plan.triggers import problems_of_triggers
from shared.settings import Settings


def checked_manifest(run: Run, settings: Settings) -> Manifest:
    """The manifest that a run document holds, to be planned for the first time.

    Raises ManifestError if it cannot be read, with everything that is wrong with it: also what planning finds in the
    parts that can be read.
    """
    try:
        manifest = manifest_of(run)
    except BrokenManifest as broken:
        if broken.rest is None:
            raise
        found = [*broken.problems, *_problems_beside_tasks(broken.rest, run, settings)]
        found = each_once([*found, *_problems_of_plan(broken.rest, run, settings)])
        raise ManifestError(first_problems(found)) from broken
    if not run.body.finished and (found := _problems_beside_tasks(manifest, run, settings)):
        raise ManifestError(first_problems(each_once([*found, *_problems_of_plan(manifest, run, settings)])))
    return manifest


def _problems_beside_tasks(manifest: Manifest, run: Run, settings: Settings) -> list[Problem]:
    return [*problems_of_outputs(manifest, run, settings), *problems_of_triggers(manifest, settings)]


def _problems_of_plan(manifest: Manifest, run: Run, settings: Settings) -> list[Problem]:
    planner = Planner(manifest, run, settings)
    planner.tasks()
    planner.staging()
    planner.check_later()
    return planner.problems()


def manifest_of(run: Run) -> Manifest:
    """The manifest that a run document holds, with the flow that it names.

    Raises ManifestError if it cannot be read.
    """
    dropped, flow = run.body.manifest, run.body.flow
    text = _text_of(dropped)
    if flow is None:
        return read_manifest(text, dropped.name)
    written = read_request(text, as_json=is_json(dropped.name))
    if flow.unreadable:
        raise ManifestError([written.problem((RETRY if run.body.earlier else FLOW,), flow.unreadable)])
    if earlier := run.body.earlier:
        given = written.given_by(earlier.inputs, earlier.labels)
        return read_manifest(_text_of(flow), flow.name, file=FLOW_FILE, given=given, stored=earlier.of_stored_flow)
    return stored_manifest(flow, written.request.flow, written.given())


def stored_manifest(flow: ManifestBlob, name: str, given: Given | None = None) -> Manifest:
    """The stored flow `<namespace>/<id>`, with its triggers. Raises ManifestError."""
    return _checked_name(read_manifest(_text_of(flow), flow.name, file=FLOW_FILE, given=given, stored=True), name)


def _text_of(blob: ManifestBlob) -> str:
    if blob.text is None:
        raise ManifestError([Problem(blob.unreadable or "the manifest is larger than 1 MiB, or not text in UTF-8")])
    return blob.text


def _checked_name(manifest: Manifest, name: str) -> Manifest:
    """Raise ManifestError for a stored flow that is not the one that its name says.

    Whoever may store flows of a namespace must not be able to run one of another.
    """
    flow = manifest.flow
    if manifest.layout.root:
        raise ManifestError([manifest.problem((), "a stored flow is a flow itself, not a run request")])
    namespace, _, flow_id = name.partition("/")
    message = f"the flow is stored as {name!r}, so its {{}} must be {{!r}}, and not {{!r}}"
    wrong = [
        manifest.problem((path,), message.format(path, expected, own))
        for path, expected, own in (("namespace", namespace, flow.namespace), ("id", flow_id, flow.id))
        if expected != own
    ]
    if wrong:
        raise ManifestError(wrong)
    return manifest
