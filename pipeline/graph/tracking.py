"""One run in MLflow for a reproduction, with the runs of its trainings below it."""

import shlex
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import load_config
from pipeline.config.redaction import redact
from pipeline.errors import PipelineError
from pipeline.files import sha256
from pipeline.graph.driver import Driver
from pipeline.graph.plan import FOLDER
from pipeline.runs import lookup, records
from pipeline.runs.events import EventLog
from pipeline.tracking.mlflow_store import MLflowStore
from pipeline.tracking.run import describe, log_end, log_start
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.types import DataSet

PARENT = "mlflow.parentRunId"
EXPERIMENT = "reproductions"  # in MLflow: an experiment for each data set, and this one


def track(loop: Driver, root: Path, targets: Sequence[str]) -> str | None:
    """Create the run of a reproduction that trained something, and put the runs of its stages below it.

    It is done at the end: a run in MLflow becomes a child by a tag, whenever that is set.

    Returns: the run's id; None if nothing was trained.
    Raises: PipelineError if MLflow can't take it.
    """
    if not (children := trained(loop, root)):
        return None
    name = f"repro-{time.strftime('%Y%m%d-%H%M%S')}"
    folder, uri = root / FOLDER / "runs" / name, load_config(root=root).tracking.uri
    folder.mkdir(parents=True)
    try:
        _describe(loop, folder, root, targets)
        parent, _ = _send(folder, uri, root)
        links = [f"- {stage}: {_send_child(run_dir, parent, root)}" for stage, run_dir in children.items()]
        note = "\n".join([f"`{_command(targets)}` ran these trainings:", "", *links])
        log_end(folder, tags={"mlflow.note.content": note}, status="FAILED" if loop.failed else "FINISHED")
        _send(folder, uri, root)
    finally:
        shutil.rmtree(folder)
    return parent


def _send_child(run_dir: Path, parent: str, root: Path) -> str:
    """Put a run below a reproduction's. Returns: a link to it, in the notation of MLflow's descriptions."""
    event_log = EventLog(run_dir)
    event_log.append(tags={PARENT: parent})
    event_log.close()
    run_id, experiment_id = _send(run_dir, records.config(run_dir)["tracking"]["uri"], root)
    records.update(run_dir, run_id=run_id, experiment_id=experiment_id)
    return f"[{run_dir.name}](#/experiments/{experiment_id}/runs/{run_id})"


def trained(loop: Driver, root: Path) -> dict[str, Path]:
    """The stages of a reproduction that have trained, with the folders of their newest runs."""
    newest: dict[str, Path] = {}
    for record in lookup.listing(root):  # newest first
        stage = loop.stages.get(str(record.get("dvc_stage")))
        if stage and stage.state == "done":
            newest.setdefault(stage.name, Path(record["run_dir"]))
    return newest


def _describe(loop: Driver, folder: Path, root: Path, targets: Sequence[str]) -> None:
    """Write a reproduction's events: its command, the digest of dvc.lock that it left, its stages by state."""
    lock = root / "dvc.lock"
    facts = describe(
        name=folder.name,
        description="",
        params={"targets": " ".join(targets), "jobs": loop.jobs},
        tags={"command": _command(targets)},
        data=DataSet(EXPERIMENT, sha256(lock) if lock.is_file() else "", {}),
    )
    log_start(folder, facts)
    counts = Counter(stage.state for stage in loop.stages.values())
    states = {f"stages/{state.replace(' ', '_')}": float(count) for state, count in counts.items()}
    event_log = EventLog(folder)
    event_log.append(final={**states, "stages/seconds": sum(stage.seconds for stage in loop.stages.values())})
    event_log.close()


def _command(targets: Sequence[str]) -> str:
    return redact(shlex.join(["pipeline", "repro", *targets]))


def _send(run_dir: Path, uri: str, root: Path) -> tuple[str, str]:
    """Send the waiting events of a run. Returns: MLflow's ids of the run and its experiment."""
    queue = UploadQueue(run_dir, MLflowStore(uri, root))
    with queue.locked():
        queue.send()
    if queue.run_id is None:
        raise PipelineError(f"{run_dir.name}: MLflow has no run of it. `pipeline sync` sends what waits.")
    return queue.run_id, str(queue.experiment_id)
