"""The storage account of every Azurite: https://learn.microsoft.com/azure/storage/common/storage-use-azurite."""

from __future__ import annotations

ACCOUNT_NAME = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
