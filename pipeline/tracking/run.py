"""A run while it is tracked: what the driver says goes into the spool, a thread tells MLflow of it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.redaction import redact
from pipeline.errors import Interrupted, PipelineError
from pipeline.runs.events import EventLog, scan
from pipeline.tracking.mlflow_store import MLflowStore
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.tracking.uploader import Uploader
from pipeline.types import DataSet

CLOSE_S = 60.0  # without progress, until the rest is left to `pipeline sync`
CLOSE_INTERRUPTED_S = 5.0


@dataclass(frozen=True, slots=True)
class Run:
    """An open run; what is logged here reaches MLflow sooner or later, in this order."""

    run_dir: Path
    event_log: EventLog
    outbox: UploadQueue

    @property
    def ids(self) -> dict[str, str]:
        """MLflow's ids of the run and its experiment, once MLflow has given them."""
        ids = {"run_id": self.outbox.run_id, "experiment_id": self.outbox.experiment_id}
        return {name: value for name, value in ids.items() if value}

    def log_result(self, metrics: dict[str, float], figures: Path) -> None:
        """The final metrics, and every file in a folder of the run."""
        self.event_log.append(final=metrics)
        self.log_files(figures, None)

    def log_files(self, folder: Path, under: str | None) -> None:
        """Every file in a folder of the run, under a name in MLflow or at its top."""
        self.event_log.append(files=str(folder.relative_to(self.run_dir)), under=under)

    def log_model(self, onnx_file: Path, inputs: dict[str, Any], output: Any) -> None:
        """An ONNX net with an example of its inputs and what it answers, each with its name in the graph."""
        import numpy as np
        import onnx

        name = onnx.load(str(onnx_file)).graph.output[0].name
        example = onnx_file.with_name("example.npz")
        np.savez(example, **{**inputs, name: output})
        self.event_log.append(model=onnx_file.name, example=example.name)


@contextmanager
def open_run(
    uri: str,
    *,
    root: Path,
    run_dir: Path,
    print_line: Callable[[str], None],
    name: str,
    description: str,
    params: dict[str, Any],
    tags: dict[str, str],
    data: DataSet,
) -> Iterator[Run]:
    """A run in MLflow that ends as the block ends: FINISHED, FAILED, or KILLED by an interrupt.

    While MLflow can't be reached, everything waits in `run_dir`; training goes on. Opened again, a run goes on.

    Raises: LaunchError if its tables are another MLflow's, or MLflow will not take the run.
    """
    outbox = UploadQueue(run_dir, MLflowStore(uri, root))
    run = Run(run_dir, EventLog(run_dir), outbox)
    announce(run_dir, describe(name=name, description=description, params=params, tags=tags, data=data))
    with outbox.alone(), Uploader(outbox, run.event_log, redact(uri), print_line) as sender:
        try:
            yield run
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt | SystemExit | Interrupted)
            run.event_log.append(status="KILLED" if interrupted else "FAILED")
            sender.finish(CLOSE_INTERRUPTED_S)
            raise
        run.event_log.append(status="FINISHED")
        sender.finish(CLOSE_S)


def describe(
    *, name: str, description: str, params: dict[str, Any], tags: dict[str, str], data: DataSet
) -> dict[str, Any]:
    """What MLflow is told of a run as it begins; nothing secret."""
    return {
        "key": uuid.uuid4().hex,
        "name": name,
        "params": {key: redact(str(value))[:6000] for key, value in params.items()},
        "tags": {"mlflow.note.content": description, "mlflow.source.name": "pipeline", **tags},
        "dataset": {"name": data.name, "digest": data.digest},
    }


def announce(run_dir: Path, facts: dict[str, Any]) -> None:
    """Say in a run's spool that it begins, or goes on; `parent` in `facts` is the folder of the run it belongs to."""
    restarts = sum("run" in event for event, _ in scan(run_dir))
    event_log = EventLog(run_dir)
    event_log.append(run=facts)
    if restarts:
        event_log.append(tags={"restarts": str(restarts)})
    event_log.close()


def conclude(run_dir: Path, *, tags: dict[str, str], status: str) -> None:
    """Say in the spool of a run that was announced how it ended."""
    event_log = EventLog(run_dir)
    event_log.append(tags=tags)
    event_log.append(status=status)
    event_log.close()


def tell(run_dir: Path, uri: str, root: Path) -> int:
    """Tell MLflow what waits in a run's spool, and return how many events still wait for `pipeline sync`."""
    outbox = UploadQueue(run_dir, MLflowStore(uri, root))
    with suppress(PipelineError), outbox.alone():  # MLflow is down, or another process tells it right now
        outbox.send()
    return outbox.waiting()
