"""Finding runs: all of them, a sweep's trials, the run of a name, the run to resume, the model of a run."""

from collections.abc import Iterator
from pathlib import Path

from pipeline import files
from pipeline.config import find_root
from pipeline.errors import LaunchError
from pipeline.runs.records import RECORD, RunRecord, read

LATEST = "latest"


def listing(root: Path) -> list[RunRecord]:
    """The records of all runs, newest first; folders whose record can't be read are left out."""
    return sorted(_readable(root / "runs"), key=lambda record: float(record.get("started", 0)), reverse=True)


def _readable(folder: Path) -> Iterator[RunRecord]:
    for path in folder.glob(f"*/{RECORD}"):
        try:
            yield read(path.parent)
        except LaunchError:
            continue


def trials(sweep_dir: Path) -> list[RunRecord]:
    """The records of a sweep's trials, in their order; none of another run."""
    return [read(path.parent) for path in sorted(sweep_dir.glob(f"trials/*/{RECORD}"))]


def find_resumable(identity: str, root: Path) -> Path | None:
    """The newest interrupted run of the same identity: configuration, seed, data and code."""
    records = (each for each in listing(root) if each.get("identity") == identity and each["status"] == "interrupted")
    return next((Path(each["run_dir"]) for each in records), None)


def named(name: str, root: Path) -> RunRecord | None:
    """The run of exactly this name; None without one. Raises: LaunchError if its record can't be read."""
    folder = root / "runs" / name
    return read(folder) if (folder / RECORD).is_file() else None


def find(run: str, root: Path) -> RunRecord:
    """The run of a name, the start of a name, an MLflow run id, a folder, `latest` or `EXPERIMENT@latest`.

    Raises: LaunchError if no run matches, or more than one.
    """
    return _find(run, root, listing(root))


def _find(run: str, root: Path, records: list[RunRecord]) -> RunRecord:
    if (Path(run) / RECORD).is_file():
        return read(Path(run).absolute())
    experiment, _, newest = run.rpartition("@")
    if newest == LATEST:
        matches = [record for record in records if experiment in ("", record["experiment"])][:1]
    else:
        exact = [record for record in records if run in (record["name"], record["run_id"])]
        matches = exact or [record for record in records if run and record["name"].startswith(run)]
    if not matches:
        hint = f"The newest is {records[0]['name']}. `pipeline runs` lists them." if records else none_yet(root)
        raise LaunchError(f"{run}: no such run in {root / 'runs'}. {hint}")
    if len(matches) > 1:
        raise LaunchError(_ambiguous(run, matches))
    return matches[0]


def none_yet(root: Path) -> str:
    """The next step where there are no runs."""
    if find_root(root):
        return "There are no runs yet: `pipeline train`."
    return f"{root} is not in a project. Change to a project's folder, or make one: `pipeline new my_project`."


def _ambiguous(run: str, matches: list[RunRecord]) -> str:
    names = ", ".join(record["name"] for record in matches[:5]) + (", …" if len(matches) > 5 else "")
    latest = f"{matches[0]['experiment']}@{LATEST}"
    return (
        f"Ambiguous run name {run!r}: {len(matches)} runs match ({names}). "
        f"Type more of it, or {latest} for the newest of that experiment."
    )


def model_dir(run: str, root: Path) -> Path:
    """The folder of a run's model, or a model folder itself; `latest` counts only runs that have a model.

    Raises: LaunchError if no run matches, or it has no model yet.
    """
    if (Path(run) / "manifest.json").is_file():
        return Path(run)
    records = listing(root)
    if run.rpartition("@")[2] == LATEST:
        records = [record for record in records if files.exists(_model_of(record))] or records
    record = _find(run, root, records)
    if not files.exists(_model_of(record)):
        raise LaunchError(
            f"{record['name']}: {record['status']}, and has no model yet. "
            f"Finish it with `pipeline resume {record['name']}`."
        )
    return _model_of(record)


def _model_of(record: RunRecord) -> Path:
    return Path(record["run_dir"]) / "model"
