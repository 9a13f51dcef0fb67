"""The files that a task leaves in storage once its process has ended.

https://learn.microsoft.com/azure/batch/batch-task-output-files
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, HttpResponseError

from local.batch.models.common import FailureInfo
from local.batch.models.task import OutputFile, UploadCondition
from local.batch.node.blob_naming import BlobNaming, named_files
from local.batch.node.directories import TaskDirectories
from local.batch.node.faults import REASON, NodeFaults
from local.batch.node.storage import FILE_UPLOAD, IdentityError, StorageAccess
from local.batch.node.storage_events import CreatedBlob
from local.batch.node.task_files import DEFAULT_CONTENT_TYPE

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document can hold (https://www.w3.org/TR/xml/#charsets).

Azure encodes the names of such blobs in listings; Azurite answers every listing of their container with status 500.
"""


@dataclass(frozen=True)
class Uploader:
    """Uploads the output files of one task; `fileuploadout.txt` and `fileuploaderr.txt` tell of it, as with Batch.

    `created` are the blobs that are there now, whatever became of the others.
    """

    directories: TaskDirectories
    environment: Mapping[str, str]
    naming: BlobNaming
    faults: NodeFaults
    access: StorageAccess
    created: list[CreatedBlob] = field(default_factory=list)

    def upload(self, files: tuple[OutputFile, ...], exit_code: int) -> FailureInfo | None:
        """Upload what the exit code asks for; return the first failure. One that fails does not stop the others."""
        wanted = [file for file in files if _is_wanted(file, exit_code)]
        failures = [failure for file in wanted for failure in self._upload(file)]
        return failures[0] if failures else None

    def _upload(self, output: OutputFile) -> list[FailureInfo]:
        if self.faults.fails_upload(output.file_pattern):
            return [self._failed(output, None, REASON)]
        destination = output.destination.container
        headers = {header.name: header.value or "" for header in destination.upload_headers}
        try:
            files = named_files(output, self.directories, self.environment, self.naming)
            with self.access.container(destination.container_url, destination.identity_reference) as container:
                for file, blob in files:
                    if _is_listable(blob):
                        self.created.append(_create(container, blob, file, headers))
                        self._log("fileuploadout.txt", f"Uploaded {file} to {container.container_name}/{blob}")
        except HttpResponseError as error:
            return [self._failed(output, error.status_code, str(error.reason))]
        except (AzureError, IdentityError, OSError, ValueError) as error:
            return [self._failed(output, None, str(error))]
        return [self._failed(output, None, _refusal(file, blob)) for file, blob in files if not _is_listable(blob)]

    def _failed(self, output: OutputFile, status: int | None, reason: str) -> FailureInfo:
        self._log("fileuploaderr.txt", f"Could not upload {output.file_pattern}: {reason}")
        return FILE_UPLOAD.failure(status, FilePattern=output.file_pattern, Message=reason)

    def _log(self, name: str, line: str) -> None:
        with (self.directories.task / name).open("a") as log:
            log.write(line + "\n")


def _create(container: ContainerClient, name: str, file: Path, headers: Mapping[str, str]) -> CreatedBlob:
    blob = container.get_blob_client(name)
    with file.open("rb") as data:
        answer = blob.upload_blob(data, overwrite=True, headers=dict(headers))
        length = data.tell()
    content_type = headers.get("Content-Type", DEFAULT_CONTENT_TYPE)
    return CreatedBlob(container.url, str(container.container_name), name, length, content_type, answer)


def _is_listable(blob: str) -> bool:
    return _NOT_IN_XML.search(blob) is None


def _refusal(file: Path, blob: str) -> str:
    return (
        f"The file {file.name!a} was not uploaded as {blob!a}: local storage could never list its container again, as "
        "XML cannot hold control characters or bytes that are not UTF-8. Give the file another name."
    )


def _is_wanted(output: OutputFile, exit_code: int) -> bool:
    condition = output.upload_options.upload_condition
    wanted = UploadCondition.TASK_SUCCESS if exit_code == 0 else UploadCondition.TASK_FAILURE
    return condition in (UploadCondition.TASK_COMPLETION, wanted)
