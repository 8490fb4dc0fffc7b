"""Finding runs: all of them, a sweep's trials, the one of a name, the one to resume."""

from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import LaunchError
from pipeline.runs.records import RECORD, read


def listing(root: Path) -> list[dict[str, Any]]:
    """The records of all runs, newest first."""
    records = [read(path.parent) for path in (root / "runs").glob(f"*/{RECORD}")]
    return sorted(records, key=lambda record: record["started"], reverse=True)


def trials(sweep_dir: Path) -> list[dict[str, Any]]:
    """The records of a sweep's trials, in their order; none of another run."""
    return [read(path.parent) for path in sorted(sweep_dir.glob(f"trials/*/{RECORD}"))]


def find_resumable(identity: str, root: Path) -> Path | None:
    """The newest interrupted run that is the same one: of the same configuration, seed, data and code."""
    records = (each for each in listing(root) if each.get("identity") == identity and each["status"] == "interrupted")
    return next((Path(each["run_dir"]) for each in records), None)


def find(run: str, root: Path) -> dict[str, Any]:
    """The run of a name, an unambiguous start of one, an MLflow run id, a folder, or `latest`.

    Raises: LaunchError if there is none or more than one.
    """
    if (Path(run) / RECORD).is_file():
        return read(Path(run).absolute())
    records = listing(root)
    if run == "latest" and records:
        return records[0]
    exact = [record for record in records if run in (record["name"], record.get("run_id"))]
    matches = exact or [record for record in records if run and record["name"].startswith(run)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(record["name"] for record in matches[:5])
        raise LaunchError(f"{run}: {len(matches)} runs begin so ({names}, …). Give more of the name.")
    newest = f" The newest is {records[0]['name']}." if records else " There are none yet: `pipeline train`."
    raise LaunchError(f"{run}: no such run in {root / 'runs'}.{newest} `pipeline runs` lists them.")


def model_dir(run: str, root: Path) -> Path:
    """Where the model of a run stands; a model folder itself will do.

    Raises: LaunchError if the run has no model yet.
    """
    if (Path(run) / "manifest.json").is_file():
        return Path(run)
    record = find(run, root)
    folder = Path(record["run_dir"]) / "model"
    if not files.exists(folder):
        raise LaunchError(
            f"{record['name']}: is {record['status']} and has no model yet. `pipeline resume {record['name']}`."
        )
    return folder
