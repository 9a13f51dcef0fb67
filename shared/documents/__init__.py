"""The nouns: what a run, its record and its status are, and their names. Version "1" is a contract."""
