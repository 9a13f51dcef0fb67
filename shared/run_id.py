"""The names of a run: its id, its jobs, its folder; and which blobs of the inbox mean anything."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import PurePosixPath

from shared.outputs import UNSAFE_CHARACTERS

MANIFEST_SUFFIXES = (".yaml", ".yml", ".json")
CANCEL_SUFFIX = ".cancel"
SLUG_LENGTH = 20
LONGEST_FOLDER = 300
_JOB = re.compile(r"([a-z0-9-]+-\d{8}t\d{6}-[0-9a-f]{8})-\d+")
_STAMP = "%Y%m%dt%H%M%S"


def run_id(container: str, blob: str, etag: str, last_modified: datetime) -> str:
    """The id of the run that one version of a manifest makes: always the same for the same version.

    `etag` with or without its quotes; `last_modified` aware. At most 45 characters of `[a-z0-9-]`.
    """
    version = f"{container}/{blob}@" + etag.strip('"')
    digest = hashlib.sha256(version.encode()).hexdigest()[:8]
    stamp = last_modified.astimezone(UTC).strftime(_STAMP)
    return f"{_slug(blob)}-{stamp}-{digest}"


def _slug(blob: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(blob).stem.lower())
    return words.strip("-")[:SLUG_LENGTH].rstrip("-") or "run"


def is_manifest(blob: str) -> bool:
    """Whether a blob of the inbox is taken as a manifest, judged by its name alone."""
    return blob.endswith(MANIFEST_SUFFIXES) and _names_itself(blob)


def is_cancel(blob: str) -> bool:
    """Whether a blob of the inbox asks to cancel a run, judged by its name alone."""
    return blob.endswith(CANCEL_SUFFIX) and _names_itself(blob)


def run_to_cancel(blob: str) -> str | None:
    """The id of the run that a request to cancel names; None if it is no run id."""
    name = blob.removesuffix(CANCEL_SUFFIX)
    return name if run_of_job(job_id(name, 1)) == name else None


def _names_itself(blob: str) -> bool:
    """Whether a client that asks for the name gets that blob.

    Clients resolve dots before they send a URL: `../runs/x.json` in the inbox would be a run document.
    """
    return not {".", ".."} & set(blob.split("/"))


def dropped_at(run_id: str) -> datetime:
    """When the manifest of a run was dropped, as its id says."""
    return datetime.strptime(run_id[-24:-9], _STAMP).replace(tzinfo=UTC)


def results_folder(blob: str, run_id: str) -> str:
    """Where results lie in their container: the manifest's name without extension, then the run id.

    Very long names are cut off: files of tasks must find room in the 1,024 characters of a blob's name. Characters that
    not every listing can show, and what storage takes for a slash, are replaced.
    """
    name = UNSAFE_CHARACTERS.sub("_", str(PurePosixPath(blob).with_suffix("")))
    return f"{name[:LONGEST_FOLDER].lstrip('/').rstrip('/. ') or 'run'}/{run_id}"


def run_of_job(job: str) -> str | None:
    """The id of the run that a job is a round of, judged by its name."""
    match = _JOB.fullmatch(job)
    return match[1] if match else None


def job_id(run_id: str, round_number: int) -> str:
    """The id of the Batch job of one round."""
    return f"{run_id}-{round_number}"
