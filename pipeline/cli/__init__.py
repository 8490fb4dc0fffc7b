"""The command `pipeline`: its verbs with their names, help, options and output."""

from pipeline.cli.command import main

__all__ = ["main"]
