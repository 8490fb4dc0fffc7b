"""A stored model, whatever made it; among them the mean of several others.

Source: Hansen, Salamon 1990, doi:10.1109/34.58871.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import checkpoint
from pipeline.aliases import upgrade
from pipeline.errors import CheckpointError
from pipeline.types import Predictions, Split

if TYPE_CHECKING:  # a mistyped key is answered without numpy's import
    import numpy as np

MEMBERS = "members"  # the folder of an ensemble's models, each whole


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Classifiers that answer together: with the mean of their probabilities."""

    members: tuple[Any, ...]
    config: dict[str, Any]  # name, seed, data, model
    manifest: dict[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.config["labels"])

    def probabilities(self, inputs: Any) -> Any:
        """A batch of what the members take -> (B, C) class probabilities."""
        return sum(member.probabilities(inputs) for member in self.members) / len(self.members)

    def texts(self, texts: Sequence[str]) -> "np.ndarray":
        """(N, C) class probabilities of texts as they were written."""
        return _mean([member.texts(texts) for member in self.members])

    def predict(self, data: Any, split: Split) -> Predictions:
        """All of a split, in its order."""
        answers = [member.predict(data, split) for member in self.members]
        return Predictions(answers[0].y_true, _mean([one.y_score for one in answers]), answers[0].labels)


def _mean(answers: "Sequence[np.ndarray]") -> "np.ndarray":
    import numpy as np

    mean: np.ndarray = np.mean(answers, axis=0)
    return mean


def load(model_dir: Path) -> Any:
    """The stored model, ready to answer: a net, a baseline or an ensemble.

    Raises: CheckpointError if the folder is not whole.
    """
    try:
        config = upgrade(json.loads((model_dir / checkpoint.CONFIG).read_text()))
        model = config["model"]
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{model_dir / checkpoint.CONFIG}: not a model's configuration ({error!r}). Train again."
        ) from error
    if is_ensemble(config):
        manifest = checkpoint.verify(model_dir)
        members = [load(folder) for folder in sorted((model_dir / MEMBERS).iterdir())]
        return Ensemble(tuple(members), config, manifest)
    if is_baseline(model):
        from pipeline import baselines

        return baselines.load(model_dir)
    from pipeline import predict

    return predict.load(model_dir)


def is_baseline(model: dict[str, Any]) -> bool:
    """Whether a configured model is fitted by scikit-learn, not by Lightning."""
    return str(model.get("_target_")).startswith("pipeline.baselines.")


def is_ensemble(config: dict[str, Any]) -> bool:
    """Whether a configured model is made of other experiments' models."""
    return bool(config["requires"].get("members"))
