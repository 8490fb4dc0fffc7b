"""A tracked run: the driver appends to its event log, a thread sends the events to MLflow."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from pipeline.config.compose import LATER
from pipeline.config.redaction import redact
from pipeline.errors import Interrupted, PipelineError
from pipeline.runs.events import EventLog, scan
from pipeline.tracking.mlflow_process import MLflow
from pipeline.tracking.mlflow_store import MLflowStore
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.tracking.uploader import Uploader
from pipeline.types import DataSet, RunStart

if TYPE_CHECKING:
    import numpy as np

CLOSE_S = 60.0  # wait without progress before the rest is left to `pipeline sync`
CLOSE_INTERRUPTED_S = 5.0


class RunIds(TypedDict, total=False):
    """MLflow's ids of a run and its experiment."""

    run_id: str
    experiment_id: str


@dataclass(frozen=True, slots=True)
class Run:
    """An open run; what is logged reaches MLflow now or later, in the order of the calls."""

    run_dir: Path
    event_log: EventLog
    queue: UploadQueue

    @property
    def ids(self) -> RunIds:
        """MLflow's ids of the run and its experiment; {} until MLflow has created them."""
        ids: RunIds = {}
        if self.queue.run_id:
            ids["run_id"] = self.queue.run_id
        if self.queue.experiment_id:
            ids["experiment_id"] = self.queue.experiment_id
        return ids

    def log_result(self, metrics: dict[str, float], figures: Path) -> None:
        """Log the final metrics, and every file in a folder of the run."""
        self.event_log.append(final=metrics)
        self.log_files(figures, None)

    def log_files(self, folder: Path, under: str | None) -> None:
        """Log every file in a folder of the run, below the artifact folder `under` or at the top."""
        self.event_log.append(files=str(folder.relative_to(self.run_dir)), under=under)

    def log_model(self, onnx_file: Path, inputs: "Mapping[str, np.ndarray]", output: "np.ndarray") -> None:
        """Log an ONNX net with an example of its inputs, by their names in the graph, and of its output."""
        import numpy as np
        import onnx

        name = onnx.load(str(onnx_file)).graph.output[0].name
        example = onnx_file.with_name("example.npz")
        np.savez(example, **{**inputs, name: output})  # type: ignore[arg-type]  # none is named allow_pickle
        self.event_log.append(model=onnx_file.name, example=example.name)


@contextmanager
def open_run(
    mlflow: MLflow,
    uri: str,
    *,
    run_dir: Path,
    print_line: Callable[[str], None],
    name: str,
    description: str,
    params: Mapping[str, object],
    tags: dict[str, str],
    data: DataSet,
) -> Iterator[Run]:
    """A run in the MLflow at `uri`. The block's end is its status: FINISHED, FAILED, or KILLED by an interrupt.

    While MLflow can't be reached, or where `uri` is `later`, events wait in `run_dir` and training continues. Opened
    again, a run is resumed.

    Raises: LaunchError if another version of MLflow created its tables, if MLflow refuses the run, or if the project
    was moved without its artifacts.
    """
    queue = UploadQueue(run_dir, mlflow.store)
    run = Run(run_dir, EventLog(run_dir), queue)
    log_start(run_dir, describe(name=name, description=description, params=params, tags=tags, data=data))
    with queue.locked(), ExitStack() as stack:
        uploader = None
        if uri == LATER:
            stack.callback(run.event_log.close)
        else:
            uploader = stack.enter_context(Uploader(queue, mlflow.monitor, run.event_log, redact(uri), print_line))
        try:
            yield run
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt | SystemExit | Interrupted)
            run.event_log.append(status="KILLED" if interrupted else "FAILED")
            if uploader:
                uploader.finish(CLOSE_INTERRUPTED_S)
            raise
        run.event_log.append(status="FINISHED")
        if uploader:
            uploader.finish(CLOSE_S)


def describe(
    *, name: str, description: str, params: Mapping[str, object], tags: dict[str, str], data: DataSet
) -> RunStart:
    """The facts of a run that MLflow stores at its start, with secrets redacted."""
    return {
        "key": uuid.uuid4().hex,
        "name": name,
        "params": {key: redact(str(value))[:6000] for key, value in params.items()},
        "tags": {"mlflow.note.content": description, "mlflow.source.name": "pipeline", **tags},
        "dataset": {"name": data.name, "digest": data.digest},
    }


def log_start(run_dir: Path, facts: RunStart) -> None:
    """Append a run's start or restart to its event log; `parent` in `facts` is the folder of the run it belongs to."""
    restarts = sum("run" in event for event, _ in scan(run_dir))
    event_log = EventLog(run_dir)
    event_log.append(run=facts)
    if restarts:
        event_log.append(tags={"restarts": str(restarts)})
    event_log.close()


def log_end(run_dir: Path, *, tags: dict[str, str], status: str) -> None:
    """Append a run's final status to its event log."""
    event_log = EventLog(run_dir)
    event_log.append(tags=tags)
    event_log.append(status=status)
    event_log.close()


def send_waiting(run_dir: Path, uri: str, root: Path) -> int:
    """Send the events of a run that wait; the number of those that still wait for `pipeline sync`."""
    queue = UploadQueue(run_dir, MLflowStore(uri, root))
    with suppress(PipelineError), queue.locked():  # MLflow is down, or another process sends them right now
        queue.send()
    return queue.waiting()
