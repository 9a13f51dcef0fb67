"""Tests of the local Batch service, by the clients of Azure's."""
