"""Runs that need earlier ones: a generator its judge, an ensemble its members, a net its start or its teacher."""

from pathlib import Path
from typing import Any

from pipeline import checkpoint
from pipeline.actions import runs
from pipeline.config import build_data, digest, load_config, resolve
from pipeline.ensemble import is_ensemble, load
from pipeline.errors import CheckpointError, LaunchError
from pipeline.types import Output


def names(config: dict[str, Any]) -> list[str]:
    """The models a configuration needs, as EXPERIMENT-SEED."""
    return [*config["requires"], *built_on(config)]


def built_on(config: dict[str, Any]) -> list[str]:
    """The models that a configuration's own is made of, so that it costs what they cost, too."""
    if not is_ensemble(config["model"]):
        return [name for name in (config["model"].get("start"), _teacher(config)) if name]
    members = config["model"]["of"]
    # Ensembles of different seeds share no member: where one names an experiment k times, seed s takes s k, s k + 1, …
    return [
        f"{name}-{config['seed'] * members.count(name) + members[:place].count(name)}"
        for place, name in enumerate(members)
    ]


def bring(config: dict[str, Any], run_dir: Path, root: Path, out: Output) -> None:
    """Put into a run's folder what it begins with, unless it is there: a model, a stored teacher's answers."""
    if (start := config["model"].get("start")) and not (run_dir / checkpoint.START).exists():
        checkpoint.copy(find(start, root), run_dir / checkpoint.START)
    if (teacher := _teacher(config)) and not (run_dir / checkpoint.TAUGHT).exists():
        answers_NK = _told(find(teacher, root), build_data(config, root / "data"), root / ".cache", out)

        def write(aside: Path) -> None:
            checkpoint.save_tensors({checkpoint.TAUGHT: answers_NK}, aside / checkpoint.MODEL)

        checkpoint.publish(run_dir / checkpoint.TAUGHT, write)


def _told(model_dir: Path, data: Any, folder: Path, out: Output) -> Any:
    """What a stored model tells of the texts without a label."""
    from pipeline.data.teacher import told

    weights = checkpoint.weights_digest(checkpoint.verify(model_dir))
    return told(lambda: load(model_dir), weights, data.unlabelled, folder, data.source("unsup"), out.answers)


def _teacher(config: dict[str, Any]) -> str | None:
    """The stored model that teaches, if one does."""
    teacher = config["data"].get("teacher")
    return teacher if isinstance(teacher, str) else None


def find(name: str, root: Path) -> Path:
    """The model EXPERIMENT-SEED as it is configured now: kept by `--record`, or of a finished run.

    Raises: LaunchError if it was not trained yet.
    """
    from pipeline.launch.cluster import resolve_gpus

    experiment, _, seed = name.rpartition("-")
    config = resolve(load_config(f"experiment={experiment}", f"seed={seed}", root=root))
    config["cluster"]["gpus_per_worker"] = resolve_gpus(config["cluster"])
    finished = [
        Path(record["run_dir"]) / "model"
        for record in runs.listing(root)
        if (record["experiment"], str(record["seed"]), record["status"]) == (experiment, seed, "finished")
    ]
    for folder in (root / "models" / name, *finished):
        try:
            if checkpoint.verify(folder)["config_digest"] == digest(config):
                return folder
        except CheckpointError:
            continue
    raise LaunchError(f"{name} was not trained yet as it is configured now. `pipeline train experiment={experiment}`.")
