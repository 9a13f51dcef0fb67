"""The operations on files of tasks and of nodes, whose names are relative to the directory of the one or the other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from local.batch.api.call import Call
from local.batch.api.conditions import Version
from local.batch.api.operation import Operation
from local.batch.errors import BatchError, ErrorCode
from local.batch.machine.node_operations import require_reachable
from local.batch.machine.retention import files_expire_at
from local.batch.node.directories import TaskDirectories, node_directory, task_root
from local.batch.node.task_files import DEFAULT_CONTENT_TYPE, TaskFile, describe, find_file, list_files, remove
from local.batch.service import utc_now

CHUNK_BYTES = 1 << 16
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def list_files_of(call: Call) -> Response:
    """List the files of a task or node; only with `recursive=true` what lies in its folders."""
    files = list_files(_directory(call), recursive=call.flag("recursive"))
    return call.listing("files", files, lambda file: _file_view(call, file))


def get_file_properties(call: Call) -> Response:
    """Describe a file in the headers of the answer."""
    path = _path(call)
    with _still_there():
        _check_conditions(call, path)
        return Response(headers={**_headers(call, path), "Content-Length": str(_size(path))})


def download_file(call: Call) -> Response:
    """Send a file, or the part of it that the ocp-range header asks for."""
    path = _path(call)
    if not path.is_file():  # a folder; or a pipe, which would be waited for without end
        raise BatchError(ErrorCode.FILE_NOT_FOUND)
    with _still_there(), path.open("rb") as file:
        _check_conditions(call, path)
        start, length = _range(call.headers.get("ocp-range"), os.fstat(file.fileno()).st_size)
        headers = _headers(call, path)
        if length <= CHUNK_BYTES:  # at once, so that a file that a retry begins anew meanwhile is not cut short
            file.seek(start)
            return Response(file.read(length), headers=headers, media_type=DEFAULT_CONTENT_TYPE)
    headers["Content-Length"] = str(length)
    return StreamingResponse(_chunks(path, start, length), headers=headers, media_type=DEFAULT_CONTENT_TYPE)


def delete_file(call: Call) -> Response:
    """Remove a file, or a folder: an empty one, or any with `recursive=true`."""
    path = _path(call)
    try:
        remove(path, recursive=call.flag("recursive"))
    except OSError as error:
        raise BatchError(ErrorCode.IO_ERROR, Reason=str(error.strerror)) from error
    return call.done(200)


@contextmanager
def _still_there() -> Iterator[None]:
    """Refuse a file that has gone since it was found: tasks and nodes come and go meanwhile."""
    try:
        yield
    except FileNotFoundError as error:
        raise BatchError(ErrorCode.FILE_NOT_FOUND) from error


def _check_conditions(call: Call, path: Path) -> None:
    if path.is_file():
        call.check_conditions(Version(None, datetime.fromtimestamp(path.stat().st_mtime, UTC)))


def _directory(call: Call) -> Path:
    return _task_directory(call) if "job_id" in call.params else _node_directory(call)


def _node_directory(call: Call) -> Path:
    pool_id, node_id = call.params["pool_id"], call.params["node_id"]
    node = call.service.do(lambda account: account.nodes.find(pool_id, node_id))
    require_reachable(node)
    pool = call.service.do(lambda account: account.state.pool(pool_id))
    return node_directory(call.service.nodes.root, pool.id, node.id).absolute()


def _task_directory(call: Call) -> Path:
    job_id, task_id = call.params["job_id"], call.params["task_id"]
    task = call.service.do(lambda account: account.state.task(job_id, task_id))
    expiry = files_expire_at(task)
    if expiry is not None and expiry <= utc_now():
        raise BatchError(ErrorCode.TASK_FILES_CLEANEDUP)
    if task.node_info is None:
        raise BatchError(ErrorCode.TASK_FILES_UNAVAILABLE)
    node = task.node_info
    job = call.service.do(lambda account: account.state.job(job_id))
    root = call.service.nodes.root
    directory = TaskDirectories.of(root, node.pool_id, node.node_id, task_root(job.id, task.id)).task
    if not directory.is_dir():
        raise BatchError(ErrorCode.TASK_FILES_UNAVAILABLE)
    return directory


def _path(call: Call) -> Path:
    path = find_file(_directory(call), call.params["file_path"])
    if path is None:
        raise BatchError(ErrorCode.FILE_NOT_FOUND)
    return path


def _size(path: Path) -> int:
    return 0 if path.is_dir() else path.stat().st_size


def _range(text: str | None, size: int) -> tuple[int, int]:
    """Return where to begin and how many bytes to send."""
    if not text:
        return 0, size
    match = _RANGE.fullmatch(text.strip())
    if match is None or int(match[1]) >= size:
        raise BatchError(ErrorCode.INVALID_RANGE)
    start, end = int(match[1]), min(int(match[2] or size - 1), size - 1)
    if end < start:
        raise BatchError(ErrorCode.INVALID_RANGE)
    return start, end - start + 1


def _chunks(path: Path, start: int, length: int) -> Iterator[bytes]:
    """Yield exactly so many bytes, even if the file grows meanwhile."""
    with path.open("rb") as file:
        file.seek(start)
        while length and (chunk := file.read(min(CHUNK_BYTES, length))):
            length -= len(chunk)
            yield chunk


def _headers(call: Call, path: Path) -> dict[str, str]:
    file = describe(path, _directory(call))
    headers = {
        "ocp-batch-file-isdirectory": str(file.is_directory).lower(),
        "ocp-batch-file-url": _url(call, file.name),
    }
    if file.properties:
        headers["ocp-batch-file-mode"] = file.properties.file_mode
        headers["Last-Modified"] = format_datetime(file.properties.last_modified, usegmt=True)
        headers["ocp-creation-time"] = headers["Last-Modified"]
        headers["Content-Type"] = DEFAULT_CONTENT_TYPE
    return headers


def _file_view(call: Call, file: TaskFile) -> dict[str, Any]:
    view = file.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"name": file.name, "url": _url(call, file.name), **view}


def _url(call: Call, name: str) -> str:
    path = _TASK_FILES if "job_id" in call.params else _NODE_FILES
    return f"{call.base_url}{path.format(**call.params)}/{quote(name)}"


_FILE = "{file_path:path}"
_TASK_FILES, _NODE_FILES = "/jobs/{job_id}/tasks/{task_id}/files", "/pools/{pool_id}/nodes/{node_id}/files"
OPERATIONS = [
    Operation("Tasks_ListTaskFiles", "GET", _TASK_FILES, list_files_of),
    Operation("Tasks_DeleteTaskFile", "DELETE", f"{_TASK_FILES}/{_FILE}", delete_file),
    Operation("Tasks_GetTaskFileProperties", "HEAD", f"{_TASK_FILES}/{_FILE}", get_file_properties),
    Operation("Tasks_GetTaskFile", "GET", f"{_TASK_FILES}/{_FILE}", download_file),
    Operation("Nodes_ListNodeFiles", "GET", _NODE_FILES, list_files_of),
    Operation("Nodes_DeleteNodeFile", "DELETE", f"{_NODE_FILES}/{_FILE}", delete_file),
    Operation("Nodes_GetNodeFileProperties", "HEAD", f"{_NODE_FILES}/{_FILE}", get_file_properties),
    Operation("Nodes_GetNodeFile", "GET", f"{_NODE_FILES}/{_FILE}", download_file),
]
