"""A finished run, with its model, told to MLflow without training anything."""

from pathlib import Path

from pipeline import spool
from pipeline.actions import runs
from pipeline.tracking.outbox import Outbox
from pipeline.tracking.store import Store

URI = "sqlite:///runs/mlflow.db"


def track(root: Path, name: str) -> str:
    """Tell MLflow of the run in `runs/NAME`; returns its id there."""
    log = spool.Spool(root / "runs" / name)
    log.append(run={"key": name, "name": name, "params": {}, "tags": {}, "dataset": {"name": "mnist", "digest": "0"}})
    log.append(files="model", under="model")
    log.append(status="FINISHED")
    log.close()
    outbox = Outbox(root / "runs" / name, Store(URI, root))
    outbox.send()
    assert outbox.run_id
    runs.update(root / "runs" / name, run_id=outbox.run_id)
    return outbox.run_id
