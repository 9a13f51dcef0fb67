"""Text → `Manifest`: the language, which is Kestra's."""
