"""Finding the models that a run requires of other experiments, and handing them to its training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.config import build_data, digest, load_config, resolve
from pipeline.errors import CheckpointError, ConfigError, LaunchError
from pipeline.kinds import load
from pipeline.runs import checkpoints, lookup, requirements, results
from pipeline.types import Console


def fetch(config: dict[str, Any], run_dir: Path, root: Path, console: Console) -> None:
    """Put into a run's folder what its training starts from, unless it is there: a model, a teacher's predictions."""
    if origin := requirements.init_from(config):
        folder = checkpoints.parent_folder(run_dir, checkpoints.INIT_FROM)
        if not folder.exists():
            checkpoints.copy(find(origin, root), folder)
    if teacher := requirements.teacher(config):
        folder = checkpoints.parent_folder(run_dir, checkpoints.TEACHER)
        if not folder.exists():
            predictions = _predictions(find(teacher, root), build_data(config, root / "data"), root / ".cache", console)
            checkpoints.publish(folder, _tensors(predictions))


def _predictions(model_dir: Path, data: Any, cache: Path, console: Console) -> Any:
    """A stored model's class probabilities for the texts without a label."""
    from pipeline.data.texts.pseudo_labels import teacher_predictions
    from pipeline.data.texts.text_data import TextData

    if not isinstance(data, TextData):
        raise ConfigError(f"requires.teacher: {data.data_name} has no texts without a label. Leave the teacher out.")
    weights = checkpoints.weights_digest(checkpoints.verify(model_dir))
    return teacher_predictions(
        lambda: _reader(model_dir), weights, data.unlabeled_texts, data.source("unsup"), cache, console.predictions
    )


def _reader(model_dir: Path) -> Any:
    """A function from texts to class probabilities."""
    model = load(model_dir)
    if model.input_type != "texts":
        raise ConfigError(
            f"requires.teacher: {model_dir} takes {model.input_type}, not texts. Choose a classifier of texts."
        )
    return model.class_probabilities  # type: ignore[attr-defined]  # what takes texts classifies them


def _tensors(predictions: Any) -> Callable[[Path], None]:
    return lambda aside: checkpoints.save_tensors({checkpoints.TEACHER: predictions}, aside / checkpoints.MODEL)


def find(name: str, root: Path) -> Path:
    """The folder of the model EXPERIMENT-SEED as it is configured today: kept by `--record`, or of a finished run.

    A folder is of today's configuration if its manifest bears the digest of it, or if its weights are those that the
    committed results record for it (a folder from before a key was renamed bears a former digest).

    Raises: LaunchError if there is none.
    """
    experiment, _, seed = name.rpartition("-")
    expected = digest(resolve(load_config(f"experiment={experiment}", f"seed={seed}", root=root)))
    recorded = results.find(name, root) or {}
    weights = recorded.get("weights_digest") if recorded.get("config_digest") == expected else None
    finished = [
        Path(record["run_dir"]) / "model"
        for record in lookup.listing(root)
        if (record["experiment"], str(record["seed"]), record["status"]) == (experiment, seed, "finished")
    ]
    for folder in (root / "models" / name, *finished):
        try:
            manifest = checkpoints.verify(folder)
        except CheckpointError:
            continue
        if manifest["config_digest"] == expected or checkpoints.weights_digest(manifest) == weights:
            return folder
    raise LaunchError(
        f"{name}: no model of today's configuration in {root / 'models'} or {root / 'runs'}. "
        f"Train it: `pipeline train experiment={experiment} seed={seed}`."
    )
