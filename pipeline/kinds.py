"""The table of model kinds: how a model of each kind is fitted, loaded and evaluated.

A new kind is one class here and one line each in `KINDS` and in `pipeline.config.kind`. Each kind imports its heavy
libraries itself.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from pipeline import files
from pipeline.config import build
from pipeline.config.aliases import upgrade
from pipeline.config.kind import Kind, kind_name, task_of
from pipeline.errors import CheckpointError
from pipeline.runs import checkpoints, requirements
from pipeline.types import Config, Evaluation, FitResult, InputType, Judge, Manifest, Predictor, Split

if TYPE_CHECKING:  # a mistyped key is reported without importing torch
    from pipeline.data.batches import BatchedData
    from pipeline.inference.baseline import BaselineClassifier
    from pipeline.inference.predictor import Classifier, Net

Launch = Callable[[], FitResult]  # trains a net on the configured workers and stores it


@dataclass(frozen=True, slots=True)
class FitContext:
    """Inputs of `ModelKind.fit` beside the configuration."""

    data_dir: Path
    run_dir: Path
    members: Mapping[str, Path]  # model folders of `requires.members`, by EXPERIMENT-SEED
    launch: Launch


class ModelKind(Protocol):
    """Operations that every kind of model supports."""

    trains_by_epochs: bool  # whether a sweep can stop training early

    def distributable(self, config: Config) -> bool:
        """Whether several workers can train it together."""

    def describe(self, config: Config) -> str:
        """A one-line description of the model.

        Raises: ConfigError if the model can't be built.
        """

    def check(self, config: Config, data: "BatchedData") -> None:
        """Raises: ConfigError if a net of one's own fails on the data's first samples."""

    def input_type(self, config: Config) -> InputType | None:
        """The type of the model's inputs; None if it can't predict single inputs."""

    def fit(self, config: Config, context: FitContext) -> FitResult:
        """Fit the model and store it in `context.run_dir/model`."""

    def load(self, model_dir: Path, config: Config, manifest: Manifest) -> Predictor:
        """Load a stored model from its verified folder."""

    def evaluate(
        self, predictor: Predictor, data: "BatchedData", split: Split, judge: Judge | None = None
    ) -> Evaluation:
        """Evaluate a stored model on a split."""


class _OneWorker:
    """The usual kind: one worker trains it, and its predictor evaluates itself."""

    def distributable(self, config: Config) -> bool:
        return False

    def check(self, config: Config, data: "BatchedData") -> None:
        """Nothing of it is one's own."""

    def evaluate(
        self, predictor: Predictor, data: "BatchedData", split: Split, judge: Judge | None = None
    ) -> Evaluation:
        return predictor.evaluate(data, split, judge)


def predictor_class(config: Config) -> "type[Net]":
    """The predictor class of a net, chosen by its task and, for classifiers, by the rank of the input shape."""
    from pipeline.inference import generator, language_model, predictor, text_classifier, translator

    classifiers: dict[int, type[Net]] = {0: text_classifier.TextClassifier, 3: predictor.ImageClassifier}
    shape = config["data"].get("in_shape") or ()
    return {
        "classify": classifiers.get(len(shape), predictor.PointClassifier),
        "classify frozen features": predictor.FrozenClassifier,
        "translate": translator.Translator,
        "generate": generator.Generator,
        "model language": language_model.LanguageModel,
    }[task_of(config).does]


def net_input_type(config: Config) -> InputType | None:
    """The `input_type` of `predictor_class`, without importing torch."""
    by_rank: dict[int, InputType] = {0: "texts", 3: "images"}
    by_task: dict[str, InputType | None] = {
        "classify": by_rank.get(len(config["data"].get("in_shape") or ()), "points"),
        "classify frozen features": "images",
        "translate": "sentences",
        "generate": "classes",
        "model language": None,
    }
    return by_task[task_of(config).does]


class FixedUnit(_OneWorker):
    """A net with fixed weights, set by hand; nothing is trained."""

    trains_by_epochs = False

    def describe(self, config: Config) -> str:
        return f"{type(build(config['model']['net'])).__name__}, weights set by hand"

    def input_type(self, config: Config) -> InputType | None:
        return net_input_type(config)

    def fit(self, config: Config, context: FitContext) -> FitResult:
        from pipeline.training.fixed_unit import assemble

        return assemble(config, {}, data_dir=context.data_dir, run_dir=context.run_dir)

    def load(self, model_dir: Path, config: Config, manifest: Manifest) -> Predictor:
        from pipeline.inference.predictor import load as load_net

        return load_net(predictor_class(config), model_dir, config, manifest)


class TrainedNet(FixedUnit):
    """A net that Lightning trains on the configured workers."""

    trains_by_epochs = True

    def distributable(self, config: Config) -> bool:
        return task_of(config).distributes

    def describe(self, config: Config) -> str:
        from pipeline.training.fit import build_task

        net = build_task(config).net
        count = sum(p.numel() for p in net.parameters())
        return f"{type(net).__name__}, {count:,} parameters, epochs: {config['trainer']['max_epochs']}"

    def check(self, config: Config, data: "BatchedData") -> None:
        from pipeline.training.first_batch import check

        check(config, data)

    def fit(self, config: Config, context: FitContext) -> FitResult:
        return context.launch()


class FittedBaseline(_OneWorker):
    """A shallow text classifier that scikit-learn fits in this process."""

    trains_by_epochs = False

    def describe(self, config: Config) -> str:
        return type(build(config["model"])).__name__

    def input_type(self, config: Config) -> InputType | None:
        return "texts"

    def fit(self, config: Config, context: FitContext) -> FitResult:
        from pipeline.training import baselines

        return baselines.fit(config, data_dir=context.data_dir, run_dir=context.run_dir)

    def load(self, model_dir: Path, config: Config, manifest: Manifest) -> Predictor:
        from pipeline.inference import baseline

        return baseline.load(model_dir, config, manifest)


class EnsembleOfModels(_OneWorker):
    """The mean of other experiments' classifiers; the model folder holds a copy of each member."""

    trains_by_epochs = False

    def describe(self, config: Config) -> str:
        return f"mean of {', '.join(requirements.members(config))}"

    def input_type(self, config: Config) -> InputType | None:
        return net_input_type(config)

    def fit(self, config: Config, context: FitContext) -> FitResult:
        from pipeline.training.fixed_unit import assemble

        return assemble(config, context.members, data_dir=context.data_dir, run_dir=context.run_dir)

    def load(self, model_dir: Path, config: Config, manifest: Manifest) -> Predictor:
        from pipeline.evaluation import calibration
        from pipeline.inference.ensemble import Ensemble
        from pipeline.training.fixed_unit import MEMBERS

        folders = sorted((model_dir / MEMBERS).iterdir())
        members = [cast("Classifier | BaselineClassifier", load(folder)) for folder in folders]
        # Probabilities are averaged as they are, and their mean is calibrated.
        uncalibrated = tuple(replace(member, calibration=None) for member in members)
        return Ensemble(uncalibrated, config, manifest, calibration.read(model_dir))


KINDS: dict[Kind, ModelKind] = {
    "ensemble": EnsembleOfModels(),
    "baseline": FittedBaseline(),
    "net": TrainedNet(),
    "fixed unit": FixedUnit(),
}


def kind_of(config: Config) -> ModelKind:
    """The kind of the configured model.

    Raises: ConfigError if the configuration describes no model.
    """
    return KINDS[kind_name(config)]


def load(model_dir: Path) -> Predictor:
    """Load a stored model of any kind after verifying its folder.

    Raises: CheckpointError if the folder is incomplete or damaged; ConfigError if its configuration has a `_target_`
    that is not allowed.
    """
    return files.read_folder(model_dir, _load)


def _load(model_dir: Path) -> Predictor:
    manifest = checkpoints.verify(model_dir)
    config = read_config(model_dir)
    return kind_of(config).load(model_dir, config, manifest)


def read_config(model_dir: Path) -> Config:
    """The configuration of a stored model, with today's names.

    Raises: CheckpointError if it can't be read or describes no model.
    """
    path = model_dir / checkpoints.CONFIG
    try:
        config: Config = upgrade(json.loads(path.read_text()))
        kind_of(config)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a model's configuration ({error!r}). Train again.") from error
    return config
