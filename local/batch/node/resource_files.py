"""The files that a task gets before its command runs.

https://learn.microsoft.com/azure/batch/resource-files: a URL is downloaded to `filePath`; of a container
everything that begins with the prefix is, and keeps its full blob name below `filePath`. What becomes of a task whose
prefix matches nothing is not documented; see `EmptyPrefix`.
"""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable
from enum import StrEnum
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import StorageStreamDownloader

from local.batch.failures import FailureCode
from local.batch.models.node_task import ResourceFile
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.storage import BLOB_DOWNLOAD, CONTAINER_DOWNLOAD, IdentityError, StorageAccess

DEFAULT_MODE = "0770"
TIMEOUT_SECONDS = 60


class EmptyPrefix(StrEnum):
    """What a prefix does that matches no blob. Which of the two Batch does is not documented."""

    BRINGS_NOTHING = "brings-nothing"
    FAILS = "fails"


def download_resource_files(
    files: Iterable[ResourceFile], working_directory: Path, access: StorageAccess, empty_prefix: EmptyPrefix
) -> None:
    """Download all resource files of a task; PreProcessingError at the first that cannot be had."""
    for file in files:
        if file.storage_container_url is not None:
            is_empty = not _download_container(file, file.storage_container_url, working_directory, access)
            if is_empty and empty_prefix is EmptyPrefix.FAILS:
                raise PreProcessingError(FailureCode.BLOB_NOT_FOUND.info(BlobPrefix=file.blob_prefix or ""))
        elif file.http_url is not None:
            _download_url(file, file.http_url, working_directory, access)


def _download_url(file: ResourceFile, url: str, working_directory: Path, access: StorageAccess) -> None:
    path = _inside(working_directory, Path(file.file_path or ""))
    details = {"FilePath": str(file.file_path)}
    try:
        _check_scheme(url)
        if file.identity_reference is not None:
            with access.blob(url, file.identity_reference) as blob:
                _write(path, blob.download_blob(), file.file_mode)
            return
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - checked
            _write(path, response, file.file_mode)
    except urllib.error.HTTPError as error:
        raise PreProcessingError(BLOB_DOWNLOAD.failure(error.code, **details)) from error
    except HttpResponseError as error:
        raise PreProcessingError(BLOB_DOWNLOAD.failure(error.status_code, **details)) from error
    except (AzureError, IdentityError, OSError, HTTPException, ValueError) as error:
        raise PreProcessingError(BLOB_DOWNLOAD.failure(None, **details, Message=str(error))) from error


def _check_scheme(url: str) -> None:
    """Refuse what urllib would open besides: files of this machine, above all."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("httpUrl is neither http nor https.")


def _download_container(file: ResourceFile, url: str, working_directory: Path, access: StorageAccess) -> int:
    """Download what begins with the prefix of a container; returns how many blobs that are."""
    folder, count = working_directory / (file.file_path or ""), 0
    try:
        with access.container(url, file.identity_reference) as container:
            for name in container.list_blob_names(name_starts_with=file.blob_prefix):
                _write(_inside(working_directory, folder / name), container.download_blob(name), file.file_mode)
                count += 1
    except HttpResponseError as error:
        raise PreProcessingError(CONTAINER_DOWNLOAD.failure(error.status_code, Message=str(error.reason))) from error
    except (AzureError, IdentityError, ValueError) as error:
        raise PreProcessingError(CONTAINER_DOWNLOAD.failure(None, Message=str(error))) from error
    except OSError as error:
        raise PreProcessingError(FailureCode.RESOURCE_FILE_WRITE_FAILED.info(Message=str(error))) from error
    return count


def _inside(working_directory: Path, path: Path) -> Path:
    """Refuse what would lie outside the working directory, which blob names with `..` could ask for, or is no path."""
    failure = FailureCode.RESOURCE_FILE_WRITE_FAILED.info(FilePath=str(path))
    try:
        target = (working_directory / path).resolve()
    except (OSError, ValueError) as error:  # a name that is too long, a null character
        raise PreProcessingError(failure) from error
    if not target.is_relative_to(working_directory.resolve()):
        raise PreProcessingError(failure)
    return target


def _write(path: Path, source: IO[bytes] | StorageStreamDownloader[bytes], mode: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        if isinstance(source, StorageStreamDownloader):
            source.readinto(target)
        else:
            shutil.copyfileobj(source, target)
    path.chmod(int(mode or DEFAULT_MODE, 8))
