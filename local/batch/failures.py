"""Every reason for which a task fails, as `failureInfo` reports it: category, code and message in one place.

https://learn.microsoft.com/rest/api/batchservice/batch-status-and-error-codes (job and task scheduling error codes)
and https://learn.microsoft.com/azure/batch/batch-task-output-files (diagnose file upload errors). The service spells
the categories `UserError` and `ServerError`.
"""

from __future__ import annotations

from enum import Enum, auto

from local.batch.models.common import FailureInfo, NameValuePair

USER = "UserError"
SERVER = "ServerError"


class Phase(Enum):
    """When a task fails, which decides the exit condition that applies."""

    PRE_PROCESSING = auto()
    COMMAND = auto()
    FILE_UPLOAD = auto()


class FailureCode(Enum):
    """A code of `failureInfo`: (code, category, message, phase)."""

    BLOB_ACCESS_DENIED = (
        "BlobAccessDenied",
        USER,
        "Access for one of the specified Azure Blob(s) is denied",
        Phase.PRE_PROCESSING,
    )
    BLOB_DOWNLOAD_MISC_ERROR = (
        "BlobDownloadMiscError",
        SERVER,
        "Miscellaneous error encountered while downloading one of the specified Azure Blob(s)",
        Phase.PRE_PROCESSING,
    )
    BLOB_NOT_FOUND = ("BlobNotFound", USER, "One of the specified Azure Blob(s) is not found", Phase.PRE_PROCESSING)
    COMMAND_LAUNCH_FAILED = (
        "CommandLaunchFailed",
        USER,
        "Failed to launch the specified command line",
        Phase.PRE_PROCESSING,
    )
    COMMAND_PROGRAM_NOT_FOUND = (
        "CommandProgramNotFound",
        USER,
        "The specified command program is not found",
        Phase.PRE_PROCESSING,
    )
    CONTAINER_INVALID_IMAGE = (
        "ContainerInvalidImage",
        USER,
        "One or more container images specified are invalid",
        Phase.PRE_PROCESSING,
    )
    CONTAINER_INVALID_SETTINGS = (
        "ContainerInvalidSettings",
        USER,
        "At least one value of specified task container settings is invalid",
        Phase.PRE_PROCESSING,
    )
    CONTAINER_MISC_ERROR = (
        "ContainerMiscError",
        SERVER,
        "Miscellaneous error encountered while running the task in a container",
        Phase.COMMAND,
    )
    CONTAINER_POOL_NOT_SUPPORTED = (
        "ContainerPoolNotSupported",
        USER,
        "The specified pool does not support container tasks",
        Phase.PRE_PROCESSING,
    )
    CONTAINER_TASK_SETTINGS_NOT_FOUND = (
        "ContainerTaskSettingsNotFound",
        USER,
        "Container-enabled compute node requires task container settings",
        Phase.PRE_PROCESSING,
    )
    FAILURE_EXIT_CODE = (
        "FailureExitCode",
        USER,
        "The task exited with an exit code representing a failure",
        Phase.COMMAND,
    )
    FILE_UPLOAD_ACCESS_DENIED = (
        "FileUploadAccessDenied",
        USER,
        "Access was denied to one of the specified Azure container(s) while attempting to upload an output file",
        Phase.FILE_UPLOAD,
    )
    FILE_UPLOAD_CONTAINER_NOT_FOUND = (
        "FileUploadContainerNotFound",
        USER,
        "One of the specified Azure container(s) was not found while attempting to upload an output file",
        Phase.FILE_UPLOAD,
    )
    FILE_UPLOAD_MISC_ERROR = (
        "FileUploadMiscError",
        USER,
        "A miscellaneous error was encountered while attempting to upload an output file",
        Phase.FILE_UPLOAD,
    )
    RESOURCE_CONTAINER_ACCESS_DENIED = (
        "ResourceContainerAccessDenied",
        USER,
        "Access for one of the specified Azure Blob container(s) is denied",
        Phase.PRE_PROCESSING,
    )
    RESOURCE_CONTAINER_LIST_MISC_ERROR = (
        "ResourceContainerListMiscError",
        USER,
        "Miscellaneous error encountered while listing one of the specified Azure Blob container(s)",
        Phase.PRE_PROCESSING,
    )
    RESOURCE_CONTAINER_NOT_FOUND = (
        "ResourceContainerNotFound",
        USER,
        "One of the specified Azure Blob container(s) is not found",
        Phase.PRE_PROCESSING,
    )
    RESOURCE_FILE_WRITE_FAILED = (
        "ResourceFileWriteFailed",
        SERVER,
        "Failure encountered writing resource file",
        Phase.PRE_PROCESSING,
    )
    TASK_ENDED = ("TaskEnded", USER, "Task was ended by user request", Phase.COMMAND)
    UNKNOWN = ("Unknown", SERVER, "An unknown scheduling error has occurred", Phase.PRE_PROCESSING)

    def __init__(self, code: str, category: str, message: str, phase: Phase) -> None:
        self.code = code
        self.category = category
        self.message = message
        self.phase = phase

    def info(self, **details: str) -> FailureInfo:
        """The `failureInfo` that says this; `details` as name and value, in the order given."""
        pairs = tuple(NameValuePair(name=name, value=value) for name, value in details.items())
        return FailureInfo(category=self.category, code=self.code, message=self.message, details=pairs)


def phase_of(failure: FailureInfo) -> Phase:
    """Say when a task failed that reports this."""
    return next((known.phase for known in FailureCode if known.code == failure.code), Phase.COMMAND)
