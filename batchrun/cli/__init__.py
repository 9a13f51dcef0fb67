"""The verbs of `python -m batchrun`: each module adds its arguments to a parser, and runs on an app."""
