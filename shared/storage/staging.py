"""The staging container: inputs and scripts up, and how a node reaches it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContainerSasPermissions, StorageErrorCode, generate_container_sas

from shared.documents.run import Run, SourceFile
from shared.errors import FilesChanged, TryLater
from shared.outputs.files import StagedBlob
from shared.outputs.printed import lines_beginning
from shared.parallel import in_parallel
from shared.plan.round_plan import RoundPlan, StagingAccess
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient


CLOCK_SKEW = timedelta(minutes=15)
LONGEST_SAS = timedelta(days=7) - CLOCK_SKEW
MAX_DELETED_AT_ONCE = 256
PORTIONS_AT_ONCE = 4  # a portion may take storage seconds, and more of them at once longer than a request may last
LONGEST_COPY_SECONDS = 60.0
COPY_PAUSE_SECONDS = 0.5
_GONE = {202, 404}

_PENDING, _COPIED = "pending", "success"


class Staging:
    """The staging container of every run: the app's own, or another one that a manifest names."""

    def __init__(self, blobs: BlobServiceClient, settings: Settings) -> None:
        self._blobs = blobs
        self._settings = settings

    def _container(self, name: str) -> ContainerClient:
        return self._blobs.get_container_client(name)

    def upload(self, plan: RoundPlan) -> None:
        """Put scripts and files of all tasks in place. May be repeated: the same plan writes the same blobs.

        Raises FilesChanged if a blob is no longer the version that was planned with.
        """
        container = self._container(plan.staging)
        texts = {**plan.scripts(), **plan.texts()}
        in_parallel(lambda name: container.upload_blob(name, texts[name].encode(), overwrite=True), texts)
        copies = plan.copies()
        in_parallel(lambda name: self._copy(container, name, copies[name]), copies)

    def _copy(self, container: ContainerClient, destination: str, file: SourceFile) -> None:
        source = self._container(file.container or self._settings.containers.namespaces).get_blob_client(file.blob)
        blob = container.get_blob_client(destination)
        try:
            copy = blob.start_copy_from_url(
                source.url, source_etag=file.etag, source_match_condition=MatchConditions.IfNotModified
            )
        except (ResourceNotFoundError, ResourceModifiedError) as error:
            raise FilesChanged(f"The file {file.blob} changed while the run was being prepared.") from error
        except HttpResponseError as error:
            if getattr(error, "error_code", None) != StorageErrorCode.PENDING_COPY_OPERATION:
                raise
            copy = {"copy_status": _PENDING}
        if copy["copy_status"] != _COPIED:
            _await_copy(blob)

    def access(self, container: str, time_left: timedelta, *, now: datetime) -> StagingAccess:
        """How the nodes reach the container for as long as the run may last.

        By the pool's identity if the app has one, else by SAS: reading needs `list`, because files come by prefix.
        """
        url = self._container(container).url
        if self._settings.node_identity:
            return StagingAccess(url, url, self._settings.node_identity)
        sign = self._signer(now - CLOCK_SKEW, now + min(time_left + timedelta(hours=12), LONGEST_SAS))
        read = sign(container, ContainerSasPermissions(read=True, list=True))
        write = sign(container, ContainerSasPermissions(read=True, create=True, write=True))
        return StagingAccess(f"{url}?{read}", f"{url}?{write}", None)

    def _signer(self, start: datetime, expiry: datetime) -> Callable[[str, ContainerSasPermissions], str]:
        """Make SAS with the account's key, or with one user-delegation key where the app has an identity only."""
        account = self._settings.storage.account_name
        if self._settings.storage.connection_string:
            key = {"account_key": self._blobs.credential.account_key}
        else:
            key = {"user_delegation_key": self._blobs.get_user_delegation_key(start, expiry)}

        def sign(container: str, permission: ContainerSasPermissions) -> str:
            sas = generate_container_sas(account, container, permission=permission, start=start, expiry=expiry, **key)
            return str(sas)

        return sign

    def list(self, container: str, run: Run) -> list[StagedBlob]:
        """What the tasks of a run uploaded: one listing of everything staged, for listings are what costs most."""
        uploaded = (f"{run.id}/out/", f"{run.id}/std/")
        found = []
        for blob in self._container(container).list_blobs(name_starts_with=f"{run.id}/"):
            if blob.name.startswith(uploaded):
                md5 = blob.content_settings.content_md5
                found.append(StagedBlob(blob.name, blob.size, bytes(md5).hex() if md5 else None))
        return found

    def lines(self, container: str, blob: StagedBlob, start: str, max_bytes: int) -> Iterator[tuple[int, str]]:
        """The lines of a text that begin so, with their numbers; it is read piece by piece, as far as `max_bytes`."""
        if not blob.bytes:
            return  # an empty blob has no range that could be asked for
        stream = self._container(container).download_blob(blob.name, offset=0, length=max_bytes)
        yield from lines_beginning(start, stream.chunks())

    def url(self, container: str, blob: str) -> str:
        """The address of a staged blob, as a source of copies within the account."""
        return f"{self._container(container).url}/{quote(blob, safe='/~')}"

    def clear(self, container: str, run_id: str) -> None:
        """Remove everything of a run; a container that is gone holds nothing of it."""
        client = self._container(container)
        try:
            names = list(client.list_blob_names(name_starts_with=f"{run_id}/"))
        except ResourceNotFoundError:
            return
        portions = [names[start : start + MAX_DELETED_AT_ONCE] for start in range(0, len(names), MAX_DELETED_AT_ONCE)]
        statuses = in_parallel(
            lambda portion: {
                answer.status_code for answer in client.delete_blobs(*portion, raise_on_any_failure=False)
            },
            portions,
            at_once=PORTIONS_AT_ONCE,
        )
        if failed := set().union(*statuses) - _GONE:
            raise TryLater(f"Staged files of the run {run_id} could not be removed: storage answered {failed}.")


def _await_copy(blob: BlobClient) -> None:
    """Wait until storage has copied a file, which it mostly does at once: a task must not find half of it."""
    deadline = time.monotonic() + LONGEST_COPY_SECONDS
    while (status := blob.get_blob_properties().copy.status) == _PENDING and time.monotonic() < deadline:
        time.sleep(COPY_PAUSE_SECONDS)
    if status != _COPIED:
        raise TryLater(f"The copy of {blob.blob_name} is not complete yet: {status}.")
