"""Snakemake with its executor for Azure Batch: a workflow of three jobs, whose files are in Azurite.

Changed are credentials, for there is no Entra ID, and addresses. `PATH` leads the tasks, which are processes here, to
this Python, where the real ones have the image `snakemake/snakemake`.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import time
from pathlib import Path

import snakemake_executor_plugin_azure_batch as plugin
from azure.batch import BatchServiceClient, batch_auth
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.storage.blob import BlobServiceClient
from resource_manager import resource_manager
from snakemake.cli import main as snakemake

CONTAINER = "snakemake"
LIFE_SECONDS = 3600
SETTINGS = {
    "subscription-id": "00000000-0000-0000-0000-000000000000",
    "resource-group-name": "group",
    "managed-identity-resource-id": "/none",
    "pool-image-publisher": "microsoft-dsvm",
    "pool-image-offer": "ubuntu-hpc",
    "pool-image-sku": "2404",
    "pool-vm-node-agent-sku-id": "batch.node.ubuntu 24.04",
    "tasks-per-node": "2",
}


class Credential:
    """One of Entra ID, whose signature nobody checks."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        """A token for Azure Batch."""
        now = int(time.time())
        claims = {"aud": "https://batch.core.windows.net/", "iss": "https://sts.windows.net/t/"}
        body = json.dumps({**claims, "nbf": now - 60, "exp": now + LIFE_SECONDS}).encode()
        return AccessToken(f"e30.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.", now + LIFE_SECONDS)


def main() -> None:
    """Run the workflow and check what it made; an error or an AssertionError if something differs."""
    storage = BlobServiceClient.from_connection_string(os.environ["AZURITE_CONNECTION_STRING"])
    container = storage.create_container(CONTAINER)
    shutil.copy(Path(__file__).with_name("Snakefile"), os.environ["HOME"])
    os.chdir(os.environ["HOME"])  # what lies there is brought to the tasks
    account, key = os.environ["AZURE_BATCH_ACCOUNT"], os.environ["AZURE_BATCH_ACCESS_KEY"]
    batch = BatchServiceClient(batch_auth.SharedKeyCredentials(account, key), os.environ["AZURE_BATCH_ENDPOINT"])
    with resource_manager(batch) as address:
        plugin.CustomAzureCredential = Credential
        plugin.BatchManagementClient = functools.partial(
            plugin.BatchManagementClient, base_url=address, authentication_policy=SansIOHTTPPolicy()
        )
        assert snakemake(arguments()) in (None, 0, True)
    assert container.download_blob("all.txt").readall() == b"one\ntwo\n"
    assert not list(batch.job.list()), "the executor removes its job"


def arguments() -> list[str]:
    """What one would type."""
    settings = {**SETTINGS, "account-url": os.environ["AZURE_BATCH_ENDPOINT"]}
    return [
        *("--jobs", "2", "--executor", "azure-batch"),
        *("--default-storage-provider", "azure", "--default-storage-prefix", f"az://{CONTAINER}"),
        *("--storage-azure-account-name", "devstoreaccount1", "--envvars", "PATH", "AZURITE_CONNECTION_STRING"),
        *(word for name, value in settings.items() for word in (f"--azure-batch-{name}", value)),
    ]


if __name__ == "__main__":
    main()
