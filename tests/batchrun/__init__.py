"""Tests of the command `batchrun`, on a stack and on storage that answers as in Azure."""
