"""The documents of a run: run document, record, status, and the names of all of them. Version "1" is a contract."""
