"""The files that a task gets before its command runs.

https://learn.microsoft.com/azure/batch/resource-files: a URL is downloaded to `filePath`; of a container
everything that begins with the prefix is, and keeps its full blob name below `filePath`.
"""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING

from azure.core.exceptions import AzureError, HttpResponseError

from local.batch.failures import FailureCode
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.storage import BLOB_DOWNLOAD, CONTAINER_DOWNLOAD, container_client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.batch.models.task import ResourceFile

DEFAULT_MODE = "0770"
TIMEOUT_SECONDS = 60


def download_resource_files(files: Iterable[ResourceFile], working_directory: Path) -> None:
    """Download all resource files of a task; PreProcessingError at the first that cannot be had."""
    for file in files:
        if file.storage_container_url is not None:
            _download_container(file, file.storage_container_url, working_directory)
        elif file.http_url is not None:
            _download_url(file, file.http_url, working_directory)


def _download_url(file: ResourceFile, url: str, working_directory: Path) -> None:
    path = _inside(working_directory, Path(file.file_path or ""))
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - the task's own choice
            _write(path, response, file.file_mode)
    except urllib.error.HTTPError as error:
        raise PreProcessingError(BLOB_DOWNLOAD.failure(error.code, FilePath=str(file.file_path))) from error
    except (OSError, HTTPException, ValueError) as error:
        failure = BLOB_DOWNLOAD.failure(None, FilePath=str(file.file_path), Message=str(error))
        raise PreProcessingError(failure) from error


def _download_container(file: ResourceFile, url: str, working_directory: Path) -> None:
    folder = working_directory / (file.file_path or "")
    try:
        with container_client(url) as container:
            for name in container.list_blob_names(name_starts_with=file.blob_prefix):
                path = _inside(working_directory, folder / name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as target:
                    container.download_blob(name).readinto(target)
                path.chmod(int(file.file_mode or DEFAULT_MODE, 8))
    except HttpResponseError as error:
        raise PreProcessingError(CONTAINER_DOWNLOAD.failure(error.status_code, Message=str(error.reason))) from error
    except (AzureError, ValueError) as error:
        raise PreProcessingError(CONTAINER_DOWNLOAD.failure(None, Message=str(error))) from error
    except OSError as error:
        raise PreProcessingError(FailureCode.RESOURCE_FILE_WRITE_FAILED.info(Message=str(error))) from error


def _inside(working_directory: Path, path: Path) -> Path:
    """Refuse what would lie outside the working directory, which blob names with `..` could ask for."""
    target = (working_directory / path).resolve()
    if not target.is_relative_to(working_directory.resolve()):
        failure = FailureCode.RESOURCE_FILE_WRITE_FAILED.info(FilePath=str(path))
        raise PreProcessingError(failure)
    return target


def _write(path: Path, source: IO[bytes], mode: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)
    path.chmod(int(mode or DEFAULT_MODE, 8))
