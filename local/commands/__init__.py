"""The subcommands of `python -m local`: each module adds its arguments to a parser, and runs."""
