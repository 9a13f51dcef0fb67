"""The REST API of Azure Batch, version 2025-06-01, over the machine.

A request goes through `app.py`: it is counted, may be made to fail (`faults.py`), its signature is checked (`auth.py`)
and what all requests have (`request_rules.py`), then one function of a `routes_*.py` file does what the operation is
called after.
"""
