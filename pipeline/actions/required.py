"""Models of other experiments that a run depends on: a judge, initial weights, a teacher, an ensemble's members."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import checkpoint
from pipeline.actions import runs
from pipeline.config import build_data, digest, load_config, resolve
from pipeline.ensemble import load
from pipeline.errors import CheckpointError, LaunchError
from pipeline.types import Output

FIXED = re.compile(r".+-\d+")  # EXPERIMENT-SEED


def names(config: dict[str, Any]) -> list[str]:
    """All models that a configuration requires, as EXPERIMENT-SEED."""
    return [*filter(None, [judge(config)]), *built_on(config)]


def built_on(config: dict[str, Any]) -> list[str]:
    """The models that decide a configuration's weights, as EXPERIMENT-SEED: what they cost counts as its cost, too."""
    single = (_seeded(config, key) for key in ("init_from", "teacher"))
    return [*filter(None, single), *members(config)]


def judge(config: dict[str, Any]) -> str | None:
    """The classifier whose features a generator is evaluated by, as EXPERIMENT-SEED; None without one."""
    return _seeded(config, "judge")


def members(config: dict[str, Any]) -> list[str]:
    """An ensemble's members, as EXPERIMENT-SEED.

    Ensembles of different seeds share no member: of k members that are the same EXPERIMENT, the i-th has the seed
    k * seed + i.
    """
    listed = config["requires"].get("members") or []
    return [
        name if FIXED.fullmatch(name) else f"{name}-{config['seed'] * listed.count(name) + listed[:place].count(name)}"
        for place, name in enumerate(listed)
    ]


def _seeded(config: dict[str, Any], key: str) -> str | None:
    name: str | None = config["requires"].get(key)
    return name if not name or FIXED.fullmatch(name) else f"{name}-{config['seed']}"


def bring(config: dict[str, Any], run_dir: Path, root: Path, out: Output) -> None:
    """Put into a run's folder what its training starts from, unless it is there: a model, a teacher's predictions."""
    if origin := _seeded(config, "init_from"):
        folder = checkpoint.parent_folder(run_dir, checkpoint.INIT_FROM)
        if not folder.exists():
            checkpoint.copy(find(origin, root), folder)
    if teacher := _seeded(config, "teacher"):
        folder = checkpoint.parent_folder(run_dir, checkpoint.TEACHER)
        if not folder.exists():
            predictions = _predictions(find(teacher, root), build_data(config, root / "data"), root / ".cache", out)
            checkpoint.publish(folder, _tensors(predictions))


def _predictions(model_dir: Path, data: Any, cache: Path, out: Output) -> Any:
    """A stored model's class probabilities for the texts without a label."""
    from pipeline.data.teacher import teacher_predictions

    weights = checkpoint.weights_digest(checkpoint.verify(model_dir))
    return teacher_predictions(
        lambda: load(model_dir).texts, weights, data.unlabelled, data.source("unsup"), cache, out.answers
    )


def _tensors(predictions: Any) -> Callable[[Path], None]:
    return lambda aside: checkpoint.save_tensors({checkpoint.TEACHER: predictions}, aside / checkpoint.MODEL)


def find(name: str, root: Path) -> Path:
    """The folder of the model EXPERIMENT-SEED as it is configured today: kept by `--record`, or of a finished run.

    A folder is of today's configuration if its manifest bears the digest of it, or if its weights are those that the
    committed results record for it (a folder from before a key was renamed bears a former digest).

    Raises: LaunchError if there is none.
    """
    experiment, _, seed = name.rpartition("-")
    expected = digest(resolve(load_config(f"experiment={experiment}", f"seed={seed}", root=root)))
    recorded = recorded_weights(root, experiment, int(seed), expected)
    finished = [
        Path(record["run_dir"]) / "model"
        for record in runs.listing(root)
        if (record["experiment"], str(record["seed"]), record["status"]) == (experiment, seed, "finished")
    ]
    for folder in (root / "models" / name, *finished):
        try:
            manifest = checkpoint.verify(folder)
        except CheckpointError:
            continue
        if manifest["config_digest"] == expected or checkpoint.weights_digest(manifest) == recorded:
            return folder
    raise LaunchError(
        f"{name}: no model of today's configuration in {root / 'models'} or {root / 'runs'}. "
        f"Train it: `pipeline train experiment={experiment} seed={seed}`."
    )


def recorded_weights(root: Path, experiment: str, seed: int, config_digest: str) -> str | None:
    """The digest of the weights that `results/EXPERIMENT.json` records for a seed and a configuration, if it does."""
    try:
        rows = json.loads((root / "results" / f"{experiment}.json").read_text())["runs"]
    except (OSError, ValueError, KeyError):
        return None
    found = (row for row in rows if row.get("seed") == seed and row.get("config_digest") == config_digest)
    return next((row.get("weights_digest") for row in found), None)
