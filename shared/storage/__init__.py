"""The seven containers of the storage account: one class for each use."""
