"""What a worker of this machine sends to its supervisor, without processes."""

from pipeline.errors import DataError, PipelineError
from pipeline.files import WriteError
from pipeline.launch.local_group import portable


def test_an_exception_that_can_not_be_built_from_its_arguments_arrives_as_its_text() -> None:
    outcome = portable(WriteError(OSError(28, "No space left on device"), 7))
    assert isinstance(outcome, PipelineError)
    assert str(outcome) == "WriteError: [Errno 28] No space left on device. See the run's log."


def test_any_other_exception_arrives_as_it_is() -> None:
    outcome = portable(DataError("mnist: torn"))
    assert (type(outcome), str(outcome)) == (DataError, "mnist: torn")
