"""Runs from the outside: dropped, looked at, waited for; through the containers and the Batch account of a stack."""
