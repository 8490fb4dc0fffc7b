"""The error tree: all errors that a user can cause or fix.

Every message has what, where, what was found, and the next step. `cli/command.py` turns these into text and an exit
code; anything else that escapes is a bug and keeps its traceback.
"""


class PipelineError(Exception):
    """An error the user can act on. Its text is complete: it is printed as it stands."""


class ConfigError(PipelineError):
    """A configuration that can't be composed, or has a value of a wrong type, range or class."""


class DataError(PipelineError):
    """Data that is missing, unreachable, malformed or not of the expected digest."""


class CheckpointError(PipelineError):
    """A stored model or checkpoint that is missing, torn or does not verify."""


class LaunchError(PipelineError):
    """A run that can't be started, found or resumed on the available machines."""


class Interrupted(PipelineError):
    """A run stopped by Ctrl-C or a termination signal, that can be resumed."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code
