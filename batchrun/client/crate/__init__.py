"""Provenance of a run as an RO-Crate. Pure: the documents of a run, and the names of files → the text of a document."""
