"""Telling MLflow what it could not be told while runs were training."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import LaunchError
from pipeline.runs import events, lookup
from pipeline.runs import records as run_records
from pipeline.tracking.mlflow_store import MLflowStore, OutageError
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.types import Console


def sync(run: str | None, console: Console, *, root: Path) -> list[dict[str, Any]]:
    """Tell MLflow all that waits, of one run or of all; each run's name, MLflow id and how many events were sent.

    Raises: LaunchError if MLflow is still down, or another process tracks the run named.
    """
    # MLflow's own words of what it retries would stand between ours.
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    records = [lookup.find(run, root)] if run else lookup.listing(root)
    sent = []
    for record, outbox in _waiting(records, root):
        count = outbox.waiting()
        console.print(f"{record['name']}: {count} events")
        try:
            with outbox.alone():
                outbox.send()
        except OutageError as error:
            raise LaunchError(f"MLflow can't be told yet: {error}. Nothing is lost; try again later.") from error
        run_records.update(outbox.run_dir, run_id=outbox.run_id, experiment_id=outbox.experiment_id)
        sent.append({"name": record["name"], "run_id": outbox.run_id, "events": count})
    return sent


def _waiting(records: list[dict[str, Any]], root: Path) -> Iterator[tuple[dict[str, Any], UploadQueue]]:
    """The runs that MLflow has not been told all of; those that are running tell it themselves."""
    for record in records:
        run_dir = Path(record["run_dir"])
        if record["status"] == "running" or not (run_dir / run_records.CONFIG).is_file():
            continue
        if record["status"] == "interrupted":
            _close(run_dir)
        outbox = UploadQueue(run_dir, MLflowStore(run_records.config(run_dir)["tracking"]["uri"], root))
        if outbox.waiting():
            yield record, outbox
        yield from _waiting(lookup.trials(run_dir), root)  # after their sweep: they belong to its run


def _close(run_dir: Path) -> None:
    """Say that a run was killed, if its process could not."""
    ends = ["status" in event for event, _ in events.scan(run_dir) if "run" in event or "status" in event]
    if ends and not ends[-1]:
        log = events.EventLog(run_dir)
        log.append(status="KILLED")
        log.close()
