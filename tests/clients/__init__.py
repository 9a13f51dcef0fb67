"""Other people's clients, which `make test-clients` runs."""
