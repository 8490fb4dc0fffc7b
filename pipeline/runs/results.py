"""The committed results: `results/EXPERIMENT.json`, one file an experiment with all of its seeds."""

import base64
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Required, TypedDict, cast

from pipeline.errors import DataError
from pipeline.types import DataSetFacts

if TYPE_CHECKING:  # importing numpy costs .1 s
    import numpy as np

    from pipeline.runs.trail import Columns

RESULTS = "results"
WIDTH = 110


class Curve(TypedDict):
    """A model's accuracy under shifts of growing strength: see `pipeline.evaluation.robustness`."""

    samples: int
    strength: list[float]
    accuracy: list[float]


class Result(TypedDict, total=False):
    """The result of one run: scores, digests, provenance, cost, history. Older results lack some of the keys.

    Provenance and cost are those of the run's record, which may be gone: `null` in that case.
    """

    experiment: str
    seed: int
    metrics: dict[str, float]
    dataset: DataSetFacts
    config_digest: str
    weights_digest: str
    vocabulary_digest: str
    predictions_digest: str
    truth_digest: str
    right: str  # see `right_samples`
    samples: dict[str, str]  # see `Evaluation`; not committed
    robustness: dict[str, Curve]  # by kind of shift
    built_on: list[str]
    name: str
    command: str
    commit: str
    dirty: bool
    lock_digest: str
    hardware: str
    workers: int
    steps: int
    cpu_s: float
    wall_s: float
    seconds: float
    history: dict[str, list[float | None]]
    code_digest: str | None  # of the run's fingerprint
    trail: "Columns"


class Results(TypedDict, total=False):
    """The content of a results file."""

    experiment: str
    summary: dict[str, dict[str, float]]
    runs: Required[list[Result]]
    details: dict[str, Any]  # see `report.details`


def path_of(experiment: str, root: Path) -> Path:
    """Where an experiment's results are."""
    return root / RESULTS / f"{experiment}.json"


def read(path: Path) -> Results:
    """The content of one results file: `experiment`, `summary`, `runs`, `details`; empty where there is no file.

    Raises: DataError if it is not a results file.
    """
    if not path.is_file():
        return {"runs": []}
    try:
        content: Results = json.loads(path.read_text(encoding="utf-8"))
        seeds = [run["seed"] for run in content["runs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a results file ({error!r}). Restore it with `git checkout {path}`.") from error
    if len(set(seeds)) < len(seeds):
        raise DataError(f"{path}: a seed occurs twice ({seeds}). Restore it with `git checkout {path}`.")
    return content


def committed(root: Path) -> list[Result]:
    """The results of all experiments, a flat list ordered by experiment and seed.

    Raises: DataError if there are none.
    """
    found = [run for path in sorted((root / RESULTS).glob("*.json")) for run in runs_of(path)]
    if not found:
        raise DataError(f"{root / RESULTS}: no results yet. `dvc repro` makes them.")
    return found


def runs_of(path: Path) -> list[Result]:
    """The runs in one results file, each with its experiment."""
    content = read(path)
    return [{"experiment": content["experiment"], **run} for run in content["runs"]]


def find(name: str, root: Path) -> Result | None:
    """The committed result of EXPERIMENT-SEED; None if there is none."""
    experiment, _, seed = name.rpartition("-")
    return next((run for run in read(path_of(experiment, root))["runs"] if str(run["seed"]) == seed), None)


def content_of(experiment: str, runs: Iterable[Result], details: dict[str, Any] | None) -> Results:
    """The content of a results file; `details` are the parts of the first seed's evaluation that the report shows."""
    ordered = [_ordered(run) for run in sorted(runs, key=lambda run: run["seed"])]
    content: Results = {
        "experiment": experiment,
        "summary": summary([run["metrics"] for run in ordered]),
        "runs": ordered,
    }
    if details:
        content["details"] = details
    return content


def _ordered(run: Result) -> Result:
    """The seed and the scores first, then the other facts, the history last."""
    first = {"seed": run["seed"], "metrics": dict(sorted(run["metrics"].items()))}
    others = {key: value for key, value in sorted(run.items()) if key not in {*first, "experiment", "history"}}
    history = {"history": run["history"]} if run.get("history") else {}
    return cast(Result, {**first, **others, **history})


def agree(one: Result, other: Result) -> bool:
    """Whether two results have the same weights, and the same value of each metric that both have."""
    ours, theirs = one.get("metrics", {}), other.get("metrics", {})
    shared = ours.keys() & theirs.keys()
    return (
        bool(shared)
        and one["weights_digest"] == other["weights_digest"]
        and all(ours[name] == theirs[name] for name in shared)
    )


def pack(right: str) -> str:
    """A string of digits, 1 for each sample that was predicted correctly, as bits in base 64."""
    bits = right.ljust(-(-len(right) // 8) * 8, "0")
    return base64.b64encode(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))).decode()


def right_samples(entry: Result) -> "np.ndarray | None":
    """(N,) booleans: which test samples a run predicted correctly; None if that is not recorded."""
    import numpy as np

    if "right" not in entry:
        return None
    bits = np.unpackbits(np.frombuffer(base64.b64decode(entry["right"]), np.uint8))
    return bits[: entry["dataset"]["rows"]["test"]].astype(bool)


def summary(metrics: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean, sample standard deviation (0 for one run) and number of runs of each metric that all runs have."""
    shared = [name for name in metrics[0] if all(name in row for row in metrics)] if metrics else []
    columns = {name: [row[name] for row in metrics] for name in sorted(shared)}
    return {
        name: {
            "mean": statistics.fmean(values),
            "std": statistics.stdev(values) if len(values) > 1 else 0.0,
            "n": len(values),
        }
        for name, values in columns.items()
    }


def as_text(content: Mapping[str, object]) -> str:
    """JSON for people and for `git diff`: a node that fits on a line, or a list of numbers, takes one line."""
    return _pretty(content) + "\n"


def _pretty(node: object, indent: str = "") -> str:
    line = json.dumps(node)
    numbers = isinstance(node, list) and all(isinstance(item, int | float | None) for item in node)
    if numbers or len(indent) + len(line) <= WIDTH or not isinstance(node, dict | list):
        return line
    inner = f"{indent} "
    if isinstance(node, list):
        items = [_pretty(item, inner) for item in node]
    else:
        items = [f"{json.dumps(key)}: {_pretty(value, inner)}" for key, value in node.items()]
    opening, closing = "[]" if isinstance(node, list) else "{}"
    return f"{opening}\n" + ",\n".join(f"{inner}{item}" for item in items) + f"\n{indent}{closing}"


def columns(rows: Sequence[dict[str, float]]) -> dict[str, list[float | None]]:
    """Rows of a learning curve as columns, None where a row lacks a value."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return {key: [row.get(key) for row in rows] for key in keys}


def rows(columns: dict[str, list[float | None]]) -> list[dict[str, float]]:
    """The reverse of `columns`."""
    count = len(next(iter(columns.values()), []))
    table = [{key: values[place] for key, values in columns.items()} for place in range(count)]
    return [{key: value for key, value in row.items() if value is not None} for row in table]
