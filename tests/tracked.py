"""A finished run, with its model, told to MLflow without training anything."""

from pathlib import Path

from pipeline.runs import events, records
from pipeline.tracking.mlflow_store import MLflowStore
from pipeline.tracking.upload_queue import UploadQueue

URI = "sqlite:///runs/mlflow.db"


def track(root: Path, name: str) -> str:
    """Tell MLflow of the run in `runs/NAME`; returns its id there."""
    log = events.EventLog(root / "runs" / name)
    log.append(run={"key": name, "name": name, "params": {}, "tags": {}, "dataset": {"name": "mnist", "digest": "0"}})
    log.append(files="model", under="model")
    log.append(status="FINISHED")
    log.close()
    outbox = UploadQueue(root / "runs" / name, MLflowStore(URI, root))
    outbox.send()
    assert outbox.run_id
    records.update(root / "runs" / name, run_id=outbox.run_id)
    return outbox.run_id
