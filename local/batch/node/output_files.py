"""The files that a task leaves in storage once its process has ended.

https://learn.microsoft.com/azure/batch/batch-task-output-files
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, HttpResponseError

from local.batch.models.task import UploadCondition
from local.batch.node.blob_naming import named_files
from local.batch.node.storage import FILE_UPLOAD, container_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.batch.models.common import FailureInfo
    from local.batch.models.task import OutputFile
    from local.batch.node.blob_naming import BlobNaming
    from local.batch.node.directories import TaskDirectories


@dataclass(frozen=True)
class Uploader:
    """Uploads the output files of one task; `fileuploadout.txt` and `fileuploaderr.txt` tell of it, as with Batch."""

    directories: TaskDirectories
    environment: Mapping[str, str]
    naming: BlobNaming

    def upload(self, files: tuple[OutputFile, ...], exit_code: int) -> FailureInfo | None:
        """Upload what the exit code asks for; return the first failure. One that fails does not stop the others."""
        wanted = [file for file in files if _is_wanted(file, exit_code)]
        failures = [failure for file in wanted for failure in self._upload(file)]
        return failures[0] if failures else None

    def _upload(self, output: OutputFile) -> list[FailureInfo]:
        destination = output.destination.container
        headers = {header.name: header.value or "" for header in destination.upload_headers}
        try:
            with container_client(destination.container_url) as container:
                for file, blob in named_files(output, self.directories, self.environment, self.naming):
                    with file.open("rb") as data:
                        container.upload_blob(blob, data, overwrite=True, headers=headers)
                    self._log("fileuploadout.txt", f"Uploaded {file} to {container.container_name}/{blob}")
        except HttpResponseError as error:
            return [self._failed(output, error.status_code, str(error.reason))]
        except (AzureError, OSError, ValueError) as error:
            return [self._failed(output, None, str(error))]
        return []

    def _failed(self, output: OutputFile, status: int | None, reason: str) -> FailureInfo:
        self._log("fileuploaderr.txt", f"Could not upload {output.file_pattern}: {reason}")
        return FILE_UPLOAD.failure(status, FilePattern=output.file_pattern, Message=reason)

    def _log(self, name: str, line: str) -> None:
        with (self.directories.task / name).open("a") as log:
            log.write(line + "\n")


def _is_wanted(output: OutputFile, exit_code: int) -> bool:
    condition = output.upload_options.upload_condition
    wanted = UploadCondition.TASK_SUCCESS if exit_code == 0 else UploadCondition.TASK_FAILURE
    return condition in (UploadCondition.TASK_COMPLETION, wanted)
