"""The ledger in the results container: an append blob for each day, and for what does not fit into one, the next.

https://learn.microsoft.com/rest/api/storageservices/append-block: a blob takes 50,000 blocks, then 409.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

from shared.documents.ledger import LedgerLine, ledger_blob
from shared.documents.names import dropped_at
from shared.log import Stage, log_event
from shared.masking import Masker

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContainerClient

MAX_PARTS = 100
_FULL = "BlockCountExceedsLimit"


class Ledger:
    """The lines of all runs; secrets are masked in them."""

    def __init__(self, container: ContainerClient, masker: Masker) -> None:
        self._container = container
        self._masker = masker

    def append(self, stage: Stage, line: LedgerLine) -> None:
        """Append a line. If that fails, it is logged: the ledger lacks a line, and nothing else is lost."""
        try:
            self._append(line)
        except AzureError as error:
            reason = str(error).partition("\n")[0]
            log_event(stage, "ledger-line-lost", level=logging.WARNING, run=line.run_id, reason=reason)

    def accepted(self, run_id: str) -> LedgerLine | None:
        """The line of a run that was accepted; None if there is none. Reads the runs of a whole day."""
        day = dropped_at(run_id).date()
        for part in range(1, MAX_PARTS + 1):
            try:
                lines = self._container.download_blob(ledger_blob(day, part)).readall().splitlines()
            except ResourceNotFoundError:
                return None
            for line in lines:
                if run_id.encode() in line:
                    with contextlib.suppress(ValueError):
                        found = LedgerLine.model_validate_json(line)
                        if found.run_id == run_id:
                            return found
        return None

    def _append(self, line: LedgerLine) -> None:
        masked = self._masker.mask_all(line.model_dump(mode="json", by_alias=True))
        data = f"{json.dumps(masked, ensure_ascii=False)}\n".encode()
        day = dropped_at(line.run_id).date()
        for part in itertools.count(1):
            try:
                _append_block(self._container.get_blob_client(ledger_blob(day, part)), data)
            except HttpResponseError as error:
                if getattr(error, "error_code", None) != _FULL or part == MAX_PARTS:
                    raise
            else:
                return


def _append_block(blob: BlobClient, data: bytes) -> None:
    """Append to a blob, which is created if it is missing, and only then: creating it again would empty it."""
    try:
        blob.append_block(data)
    except ResourceNotFoundError:
        with contextlib.suppress(ResourceExistsError):  # another invocation was faster
            blob.create_append_blob(match_condition=MatchConditions.IfMissing)
        blob.append_block(data)
