"""The one error tree: errors that users can cause or fix, each with a message of one line.

Every message names what failed, where, what was found, and the next step. `cli/command.py` prints it and sets the exit
code; any other exception that escapes is a bug and keeps its traceback.
"""


class PipelineError(Exception):
    """An error that the user can act on. Its message is complete and is printed unchanged."""


class ConfigError(PipelineError):
    """A configuration that can't be composed, or has a value of a wrong type, range or class."""


class DataError(PipelineError):
    """Data that is missing, unreachable, malformed or whose bytes differ from its digest."""


class CheckpointError(PipelineError):
    """A stored model or checkpoint that is missing, torn or does not verify."""


class LaunchError(PipelineError):
    """A run that can't be started, found or resumed on the available machines."""


class Interrupted(PipelineError):
    """A run that was stopped by Ctrl-C or a termination signal and can be resumed."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code
