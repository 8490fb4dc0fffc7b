"""Send MLflow the events that it could not take while runs were training."""

import logging
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import LaunchError
from pipeline.runs import events, lookup, records
from pipeline.runs.records import RunRecord
from pipeline.tracking.mlflow_store import MLflowStore, OutageError
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.types import Console


def sync(run: str | None, console: Console, *, root: Path) -> list[dict[str, object]]:
    """Send all waiting events, of one run or of all; each run's name, MLflow id and number of events.

    Raises: LaunchError if MLflow is still down, or another process sends the run's events.
    """
    # MLflow's log of its retries would stand between the lines of this command.
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    chosen = [lookup.find(run, root)] if run else lookup.listing(root)
    sent: list[dict[str, object]] = []
    for record, queue in _waiting(chosen, root):
        count = queue.waiting()
        console.print(f"{record['name']}: {count} events")
        try:
            with queue.locked():
                queue.send()
        except OutageError as error:
            raise LaunchError(
                f"MLflow can't take them yet: {error}. Nothing is lost: run `pipeline sync` again later."
            ) from error
        records.update(queue.run_dir, run_id=queue.run_id, experiment_id=queue.experiment_id)
        sent.append({"name": record["name"], "run_id": queue.run_id, "events": count})
    return sent


def _waiting(chosen: list[RunRecord], root: Path) -> Iterator[tuple[RunRecord, UploadQueue]]:
    """Records and queues of the runs with waiting events; runs that are running send their own."""
    for record in chosen:
        run_dir = Path(record["run_dir"])
        if record["status"] == "running" or not (run_dir / records.CONFIG).is_file():
            continue
        if record["status"] == "interrupted":
            _close(run_dir)
        queue = UploadQueue(run_dir, MLflowStore(records.config(run_dir)["tracking"]["uri"], root))
        if queue.waiting():
            yield record, queue
        yield from _waiting(lookup.trials(run_dir), root)  # after their sweep, to whose run they belong


def _close(run_dir: Path) -> None:
    """Append the status KILLED to the log of a run whose process could not."""
    ends = ["status" in event for event, _ in events.scan(run_dir) if "run" in event or "status" in event]
    if ends and not ends[-1]:
        log = events.EventLog(run_dir)
        log.append(status="KILLED")
        log.close()
