"""The one error tree: what users can cause or mend, told in one line.

Every message says what, where, what was found, and the next step. `cli/command.py` turns these into text and an exit
code; anything else that escapes is a bug and keeps its traceback.
"""


class PipelineError(Exception):
    """An error the user can act on. Its text is complete: it is printed as it stands."""


class ConfigError(PipelineError):
    """A configuration that can't be composed, typed, ranged or built."""


class DataError(PipelineError):
    """Data that is missing, unreachable, malformed or not the bytes that were promised."""


class CheckpointError(PipelineError):
    """A stored model or checkpoint that is missing, torn or does not verify."""


class LaunchError(PipelineError):
    """A run that can't be started, found or continued on the machines at hand."""


class Interrupted(PipelineError):
    """A run stopped by Ctrl-C or a termination signal, that can go on."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code
