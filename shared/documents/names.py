"""Every name that the app makes: run ids, job ids, folders, paths; and which names are safe or mean something."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

LONGEST_PATH = 500  # of the 1,024 characters of a blob's name; the folders of run and task precede the path
UNSAFE_CHARACTERS = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


LONGEST_NAME = 255  # bytes: NAME_MAX of Linux, https://man7.org/linux/man-pages/man0/limits.h.0p.html


def too_long(path: str) -> str | None:
    """Why a path is too long for a file; None if it is not."""
    longest = max((len(part.encode(errors="replace")) for part in path.split("/")), default=0)
    if longest > LONGEST_NAME:
        return f"the name of a file or folder has at most {LONGEST_NAME} bytes, this one has {longest}"
    if len(path) > LONGEST_PATH:
        return f"the path of a file has at most {LONGEST_PATH} characters, this one has {len(path)}"
    return None


def is_safe(path: str) -> bool:
    """Whether a relative path stays inside its folder, and storage accepts it as a name.

    Clients resolve dots and empty parts before they send a URL; listings are XML, which has no control characters.
    https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
    """
    parts = path.split("/")
    return (
        len(path) <= LONGEST_PATH
        and not UNSAFE_CHARACTERS.search(path)
        and all(part not in ("", ".", "..") for part in parts)
    )


def is_inside(path: str, folder: str) -> bool:
    """Whether a path is in a folder or in one of its subfolders, or equals it."""
    return f"{path}/".startswith(f"{folder}/")


MANIFEST_SUFFIXES = (".yaml", ".yml", ".json")
CANCEL_SUFFIX = ".cancel"
SLUG_LENGTH = 20
LONGEST_FOLDER = 300
RUN_ID = r"[a-z0-9-]+-\d{8}t\d{6}-[0-9a-f]{8}"
_JOB = re.compile(rf"({RUN_ID})-\d+")
_STAMP = "%Y%m%dt%H%M%S"


def run_id(container: str, blob: str, etag: str, last_modified: datetime) -> str:
    """The id of the run of one version of a manifest; the same version always gets the same id.

    `etag` with or without quotes; `last_modified` with a time zone. At most 45 characters of `[a-z0-9-]`.
    """
    version = f"{container}/{blob}@" + etag.strip('"')
    digest = hashlib.sha256(version.encode()).hexdigest()[:8]
    return f"{_slug(blob)}-{_stamp(last_modified)}-{digest}"


def scheduled_run_id(flow: str, trigger: str, due: datetime) -> str:
    """The id of the run that a trigger of the stored flow `<namespace>/<id>` starts for a due time."""
    return _id_of_triggered(flow, trigger, _stamp(due), due)


def follower_run_id(flow: str, trigger: str, ended_run: str, ended: datetime) -> str:
    """The id of the run that a trigger starts after another run, which ended at that time."""
    return _id_of_triggered(flow, trigger, ended_run, ended)


def _id_of_triggered(flow: str, trigger: str, cause: str, time: datetime) -> str:
    digest = hashlib.sha256(f"flows/{flow}#{trigger}@{cause}".encode()).hexdigest()[:8]
    return f"{_slug(f'{flow}{STORED_FLOW_SUFFIX}')}-{_stamp(time)}-{digest}"


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime(_STAMP)


def _slug(blob: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(blob).stem.lower())
    return words.strip("-")[:SLUG_LENGTH].rstrip("-") or "run"


def is_manifest(blob: str) -> bool:
    """Whether the name of a blob of the inbox is that of a manifest; the case of its ending does not matter."""
    return blob.lower().endswith(MANIFEST_SUFFIXES) and _has_no_dot_parts(blob)


def is_cancel(blob: str) -> bool:
    """Whether the name of a blob of the inbox is that of a request to cancel a run."""
    return blob.lower().endswith(CANCEL_SUFFIX) and _has_no_dot_parts(blob)


def run_to_cancel(blob: str) -> str | None:
    """The id of the run that a request to cancel names; None if the name is not a run id."""
    name = blob[: -len(CANCEL_SUFFIX)] if is_cancel(blob) else blob
    return name if run_of_job(job_id(name, 1)) == name else None


def _has_no_dot_parts(blob: str) -> bool:
    """Whether a client that requests the name reaches that blob.

    Clients resolve dots before they send a URL: `../runs/x.json` in the inbox would be a run document.
    """
    return not {".", ".."} & set(blob.split("/"))


def dropped_at(run_id: str) -> datetime:
    """When the manifest of a run was dropped, or a run of a trigger was due, read from the run id; to the second."""
    return datetime.strptime(run_id[-24:-9], _STAMP).replace(tzinfo=UTC)


def slug_of_run(run_id: str) -> str:
    """What a run id has of the name of the manifest."""
    return run_id[:-25]


def results_folder(blob: str, run_id: str) -> str:
    """The folder of a run in the results container: the manifest's name without extension, then the run id.

    Long names are cut off, because the names of the tasks' files must fit into the 1,024 characters of a blob's name.
    Characters that not every listing can show, and those that storage treats as a slash, are replaced.
    """
    name = UNSAFE_CHARACTERS.sub("_", str(PurePosixPath(blob).with_suffix("")))
    return f"{name[:LONGEST_FOLDER].lstrip('/').rstrip('/. ') or 'run'}/{run_id}"


def run_in_results(folder: str) -> str | None:
    """The id of the run whose folder in the results this is; None if it is not the folder of a run."""
    run_id = folder.rpartition("/")[2]
    return run_id if folder != run_id and is_safe(folder) and run_to_cancel(run_id) else None


MANIFEST_FILE = "manifest.yaml"
FLOW_FILE = "flow.yaml"
"""The manifest in the run's folder in the results; and beside it the flow, if the manifest only names it."""
STORED_FLOW = re.compile(r"^[a-z0-9][a-z0-9._-]{0,149}/[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$")
"""The names of stored flows."""
STORED_FLOW_SUFFIX = ".yaml"


def stored_flow_blob(name: str) -> str | None:
    """The blob of the stored flow `<namespace>/<id>`; None if no flow can have this name."""
    return f"{name}{STORED_FLOW_SUFFIX}" if STORED_FLOW.fullmatch(name) and is_safe(name) else None


def run_of_job(job: str) -> str | None:
    """The id of the run that a job belongs to, read from the job's id; None if it is not a job of this app."""
    match = _JOB.fullmatch(job)
    return match[1] if match else None


def job_id(run_id: str, round_number: int) -> str:
    """The id of the Batch job of one round."""
    return f"{run_id}-{round_number}"


OUTPUT_DIRECTORY = "output"
OWN = "._"
"""How names of the app's own files in a working directory begin; no wildcard brings them back."""
UPSTREAM = f"{OWN}upstream"
HOME = f"{OWN}home"


def is_own(path: str) -> bool:
    """Whether a path in a working directory is that of one of the app's own files."""
    return path.startswith(OWN)


SCRIPT = "run.sh"
LOG_NAMES = ("stdout.txt", "stderr.txt")
ATTEMPTS_FILE = "attempts.txt"  # what the script notes of each attempt; beside it on the node
BEGUN = "begun"
"""A file beside the script, made once nothing keeps the task from running; uploaded as a marker for other tasks."""

ARCHIVE = "directory.tar"
"""A file beside the script: the working directory as the task has left it, for the next task that shares it."""

ENDED = "ended"
"""A file beside the script, which it makes last; uploaded as a marker that tells the app of the task's end."""


@dataclass(frozen=True)
class Paths:
    """Where the files of a task, or of a fan-out's task for one item, are.

    The paths are names in the staging container and paths on the node alike: Batch keeps a blob's full name below the
    task's working directory. The items of a fan-out share input files and scripts. Files of a task that a retry has
    taken over have a prefix of their own: they are not recorded again. The tasks of a WorkingDirectory have the id of
    the group as `directory`.
    """

    run_id: str
    task: str
    item: int | None = None
    is_taken: bool = False
    directory: str | None = None

    @property
    def inputs(self) -> str:
        """The prefix of input files; on the node it is the working directory of the commands."""
        return f"{self.run_id}/in/{self.task}/"

    @property
    def system(self) -> str:
        """The prefix of the app's own files."""
        return f"{self.run_id}/sys/{self.task}/"

    def script(self, pack: int | None = None) -> str:
        """The name of the script; if the items' scripts differ, of the script of one pack of items."""
        return f"{self.system}{SCRIPT}" if pack is None else f"{self.system}{pack}/{SCRIPT}"

    def source_folder(self, number: int) -> str:
        """The prefix of a file that only some items of a fan-out get."""
        return f"{self.system}files/{number}/"

    def outputs(self, index: int) -> str:
        """The prefix to which the files are uploaded that pattern number `index` matches."""
        return f"{self.all_outputs}{self._item}{index}/"

    @property
    def all_outputs(self) -> str:
        """The prefix of all uploaded files; in a fan-out, of those of all items."""
        return f"{self.run_id}/{'taken' if self.is_taken else 'out'}/{self.task}/"

    @property
    def logs(self) -> str:
        """The prefix to which stdout.txt and stderr.txt are uploaded."""
        return f"{self.run_id}/std/{self.task}/{self._item}"

    def success_marker(self, round_number: int) -> str:
        """The blob with its exit code that the task leaves for others of its round; alone in its folder."""
        return f"{self.all_success_markers(round_number)}{self.task}/{self._item}done"

    def all_success_markers(self, round_number: int) -> str:
        """The prefix of the success markers of all tasks of a round."""
        return f"{self.run_id}/ok/{round_number}/"

    def failures(self, group: str, round_number: int) -> str:
        """The prefix of the blobs that the tasks of a group with a limit leave, one for each branch that has failed.

        `begun-<branch>` says that a branch has begun, so that it goes on whatever fails.
        """
        return f"{self.all_failures}{group}/{round_number}/"

    @property
    def all_failures(self) -> str:
        """The prefix of such blobs of all groups."""
        return f"{self.run_id}/stop/"

    def end_marker(self, round_number: int, name: str) -> str:
        """The blob by which storage tells the app of the end of the task, or of its job: `name` is one of the two."""
        return f"{self.logs}{round_number}/{name}"

    @property
    def archive(self) -> str:
        """The blob of the directory as the task has left it, for the next task that shares it."""
        return f"{self.all_archives}{self.task}/{ARCHIVE}"

    @property
    def all_archives(self) -> str:
        """The prefix of the archives of all tasks that share a directory."""
        return f"{self.run_id}/dir/{self.directory}/"

    @property
    def attempts(self) -> str:
        """The blob to which the script's notes of the attempts are uploaded."""
        return f"{self.logs}{ATTEMPTS_FILE}"

    @property
    def results(self) -> str:
        """The folder of the task below `outputs/` and `logs/` in the results."""
        return f"{self.task}/{self._item}"

    @property
    def _item(self) -> str:
        return "" if self.item is None else f"{self.item}/"

    @property
    def link(self) -> str:
        """`{{ workingDir }}`: an absolute path that is known before the task has a node."""
        item = "" if self.item is None else f"-{self.item}"
        name = self.directory or self.task
        return f"/tmp/{self.run_id}-{name}{item}"  # noqa: S108 - in the task's container, and unique to the task

    @property
    def output_directory(self) -> str:
        """`{{ outputDir }}`, for tasks with `outputDirectory: true`."""
        return f"{self.link}/{OUTPUT_DIRECTORY}"
