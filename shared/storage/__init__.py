"""The five containers of the storage account: one class for each use."""
