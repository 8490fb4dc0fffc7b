"""Find the models of other experiments that a run requires, and copy them into its folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pipeline.config import Config, build_data, digest, load_config, resolve
from pipeline.errors import CheckpointError, ConfigError, LaunchError
from pipeline.kinds import load
from pipeline.runs import checkpoints, lookup, requirements, results
from pipeline.types import Classifier, Console

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from pipeline.data.batches import BatchedData


def fetch(config: Config, run_dir: Path, root: Path, console: Console) -> None:
    """Copy the initial weights and the teacher's predictions into a run's folder, unless they are there.

    Raises: LaunchError if a required model has not been trained; ConfigError if the teacher does not fit the data.
    """
    if origin := requirements.init_from(config):
        folder = checkpoints.parent_folder(run_dir, checkpoints.INIT_FROM)
        if not folder.exists():
            checkpoints.copy(find(origin, root), folder)
    if teacher := requirements.teacher(config):
        folder = checkpoints.parent_folder(run_dir, checkpoints.TEACHER)
        if not folder.exists():
            predictions = _predictions(find(teacher, root), build_data(config, root / "data"), root / ".cache", console)
            checkpoints.publish(folder, _tensors(predictions))


def _predictions(model_dir: Path, data: "BatchedData", cache: Path, console: Console) -> "Tensor":
    """Return a stored model's class probabilities (N, C) for the unlabelled texts.

    Raises: ConfigError if the data has no unlabelled texts, or the model does not classify texts.
    """
    from pipeline.data.texts.pseudo_labels import teacher_predictions
    from pipeline.data.texts.text_data import TextData

    if not isinstance(data, TextData):
        raise ConfigError(f"requires.teacher: {data.data_name} has no unlabelled texts. Remove the teacher.")
    weights = checkpoints.weights_digest(checkpoints.verify(model_dir))
    return teacher_predictions(
        lambda: _text_classifier(model_dir),
        weights,
        data.unlabeled_texts,
        data.source("unsup"),
        cache,
        console.predictions,
    )


def _text_classifier(model_dir: Path) -> "Callable[[Sequence[str]], np.ndarray]":
    """Return the function of a stored model from texts to class probabilities."""
    model = load(model_dir)
    if model.input_type != "texts":
        raise ConfigError(
            f"requires.teacher: {model_dir} takes {model.input_type}, not texts. Choose a classifier of texts."
        )
    return cast(Classifier, model).class_probabilities  # a model that takes texts classifies them


def _tensors(predictions: "Tensor") -> Callable[[Path], None]:
    return lambda aside: checkpoints.save_tensors({checkpoints.TEACHER: predictions}, aside / checkpoints.MODEL)


def find(name: str, root: Path) -> Path:
    """Return the folder of the model EXPERIMENT-SEED as configured today: stored by `--record`, or of a finished run.

    A folder is of today's configuration if its manifest has the configuration's digest, or if its weights are those
    that the committed results record for the digest (a key may have been renamed since the folder was written).

    Raises: LaunchError if there is no such folder.
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
