"""The staging container: uploads inputs and scripts, gives nodes access, and lists what tasks uploaded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContainerSasPermissions, StorageErrorCode, generate_container_sas

from shared.documents.end_markers import MARKER_ENDINGS
from shared.documents.run import Run
from shared.errors import FilesChanged, TryLater
from shared.outputs.attempts import LogPart, after_line
from shared.outputs.files import StagedBlob
from shared.outputs.printed import lines_beginning
from shared.parallel import in_parallel
from shared.plan.round_plan import RoundPlan, StagingAccess
from shared.settings import Settings
from shared.storage.copies import Copies, CopySource, CopyState

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient


CLOCK_SKEW = timedelta(minutes=15)
LONGEST_SAS = timedelta(days=7) - CLOCK_SKEW
MAX_DELETED_AT_ONCE = 256
PORTIONS_AT_ONCE = 4  # storage may need seconds for a portion; with more of them at once, requests would time out
LONGEST_COPY_SECONDS = 60.0
COPY_PAUSE_SECONDS = 0.5
_GONE = {202, 404}

_PENDING, _COPIED = "pending", "success"


class Staging:
    """The staging containers of runs: the app's own, and others that manifests name."""

    def __init__(self, blobs: BlobServiceClient, settings: Settings, copies: Copies) -> None:
        self._blobs = blobs
        self._settings = settings
        self._copies = copies

    def _container(self, name: str) -> ContainerClient:
        return self._blobs.get_container_client(name)

    def upload(self, plan: RoundPlan, run: Run) -> None:
        """Upload or copy the scripts and files of all tasks. Can be repeated: the same plan writes the same blobs.

        Raises FilesChanged if the version of a blob is no longer the one that was planned with.
        """
        container = self._container(plan.staging)
        texts = {**plan.scripts(), **plan.texts()}
        in_parallel(lambda name: container.upload_blob(name, texts[name].encode(), overwrite=True), texts)
        names = self._settings.containers
        sources = {name: CopySource(names.results, f"{run.results}/{blob}") for name, blob in plan.taken_files.items()}
        for name, file in plan.copies().items():
            sources[name] = CopySource(file.container or names.namespaces, file.blob, file.etag)
        in_parallel(lambda name: self._copy(container, name, sources[name]), sources)

    def _copy(self, container: ContainerClient, destination: str, source: CopySource) -> None:
        blob = container.get_blob_client(destination)
        deadline = time.monotonic() + LONGEST_COPY_SECONDS
        try:
            state = self._copies.copy(source, blob, overwrite=True, deadline=deadline)
        except (ResourceNotFoundError, ResourceModifiedError) as error:
            raise FilesChanged(f"The file {source.blob} changed while the run was being prepared.") from error
        except HttpResponseError as error:
            if getattr(error, "error_code", None) != StorageErrorCode.PENDING_COPY_OPERATION:
                raise
            state = CopyState.PENDING
        if state is CopyState.UNFINISHED:
            raise TryLater(f"The copy of {destination} is not complete yet.")
        if state is CopyState.PENDING:
            _await_copy(blob, deadline)

    def access(self, container: str, time_left: timedelta, *, now: datetime) -> StagingAccess:
        """Give the nodes access to the container for as long as the run may last.

        By SAS, unless the app settings choose the identity of the nodes. Nobody may delete with them; reading needs the
        permission `list`, because files are downloaded by prefix.
        """
        url = self._container(container).url
        if self._settings.staging_identity:
            return StagingAccess(url, url, self._settings.staging_identity)
        sign = self._signer(now - CLOCK_SKEW, now + min(time_left + timedelta(hours=12), LONGEST_SAS))
        read = sign(container, ContainerSasPermissions(read=True, list=True))
        write = sign(container, ContainerSasPermissions(create=True, write=True))
        return StagingAccess(f"{url}?{read}", f"{url}?{write}", None)

    def _signer(self, start: datetime, expiry: datetime) -> Callable[[str, ContainerSasPermissions], str]:
        """Make a function that signs SAS: with the account's key, or with a user-delegation key if there is none."""
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
        """The blobs that the tasks of a run uploaded. Lists everything staged once, because listings cost most."""
        uploaded = (f"{run.id}/out/", f"{run.id}/std/")
        found = []
        for blob in self._container(container).list_blobs(name_starts_with=f"{run.id}/"):
            if blob.name.startswith(uploaded):
                md5 = blob.content_settings.content_md5
                found.append(StagedBlob(blob.name, blob.size, bytes(md5).hex() if md5 else None))
        return found

    def end_markers(self, container: str, run: Run) -> dict[str, datetime]:
        """The markers of ends that tasks of the current round have left, and when each was written."""
        listed = self._container(container).list_blobs(name_starts_with=f"{run.id}/std/")
        endings = tuple(f"/{run.progress.round}{ending}" for ending in MARKER_ENDINGS)
        return {blob.name: blob.last_modified for blob in listed if blob.name.endswith(endings)}

    def lines(
        self, container: str, blob: StagedBlob, start: str, max_bytes: int, part: LogPart
    ) -> Iterator[tuple[int, str]]:
        """The lines of a part of a text that begin with `start`, with their numbers; `max_bytes` of it, in chunks."""
        if blob.bytes <= part.offset:
            return  # an empty range cannot be requested
        stream = self._container(container).download_blob(blob.name, offset=part.offset, length=max_bytes)
        yield from lines_beginning(start, after_line(part.after, stream.chunks()))

    def end_of(self, container: str, blob: StagedBlob, max_bytes: int) -> bytes:
        """The last bytes of a text, at most so many."""
        if not blob.bytes:
            return b""
        offset = max(0, blob.bytes - max_bytes)
        return bytes(self._container(container).download_blob(blob.name, offset=offset, length=max_bytes).readall())

    def clear(self, container: str, run_id: str) -> None:
        """Remove everything of a run, if the container still exists."""
        client = self._container(container)
        try:
            names = list(client.list_blob_names(name_starts_with=f"{run_id}/"))
        except ResourceNotFoundError:
            return
        portions = [names[start : start + MAX_DELETED_AT_ONCE] for start in range(0, len(names), MAX_DELETED_AT_ONCE)]
        statuses = in_parallel(
            lambda portion: {
                response.status_code for response in client.delete_blobs(*portion, raise_on_any_failure=False)
            },
            portions,
            at_once=PORTIONS_AT_ONCE,
        )
        if failed := set().union(*statuses) - _GONE:
            raise TryLater(f"Staged files of the run {run_id} could not be removed: storage answered {failed}.")


def _await_copy(blob: BlobClient, deadline: float) -> None:
    """Wait until storage has copied a file, usually at once: a task must not get an incomplete file."""
    while (status := blob.get_blob_properties().copy.status) == _PENDING and time.monotonic() < deadline:
        time.sleep(COPY_PAUSE_SECONDS)
    if status != _COPIED:
        raise TryLater(f"The copy of {blob.blob_name} is not complete yet: {status}.")
