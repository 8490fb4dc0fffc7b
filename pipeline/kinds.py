"""The one table of model kinds: how each is made, loaded and evaluated.

A kind is added by one class here, and one line in `KINDS` and in `pipeline.config.kind`. Heavy libraries are imported
only by the kind that needs them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline import files
from pipeline.config import build
from pipeline.config.aliases import upgrade
from pipeline.config.kind import Kind, kind_name, task_of
from pipeline.errors import CheckpointError
from pipeline.runs import checkpoints, requirements
from pipeline.types import Evaluation, FitResult, InputType, Judge, Predictor, Split

if TYPE_CHECKING:  # a mistyped key is answered without torch's import
    from pipeline.data.batches import BatchedData
    from pipeline.inference.predictor import Net

Config = dict[str, Any]
Launch = Callable[[], FitResult]  # trains a net on the workers that are configured, and stores it


@dataclass(frozen=True, slots=True)
class Needs:
    """What making a model may need beside its configuration."""

    data_dir: Path
    run_dir: Path
    members: Mapping[str, Path]  # the model folders of `requires.members`, by name
    launch: Launch


class ModelKind(Protocol):
    """What all kinds of models offer."""

    by_epochs: bool  # whether training can be stopped early, as a sweep does

    def spreads(self, config: Config) -> bool:
        """Whether several workers can share making it."""

    def describe(self, config: Config) -> str:
        """The model in a few words. Raises: ConfigError if it can't be built."""

    def input_type(self, config: Config) -> InputType | None:
        """What it takes; None if it answers nothing."""

    def fit(self, config: Config, needs: Needs) -> FitResult:
        """Make the model and leave it in `needs.run_dir/model`."""

    def load(self, model_dir: Path, config: Config, manifest: dict[str, Any]) -> Predictor:
        """Rebuild a stored model from its verified folder."""

    def evaluate(
        self, predictor: Predictor, data: "BatchedData", split: Split, judge: Judge | None = None
    ) -> Evaluation:
        """Score a stored model on a split."""


class _Evaluated:
    """The evaluation is the predictor's own."""

    def evaluate(
        self, predictor: Predictor, data: "BatchedData", split: Split, judge: Judge | None = None
    ) -> Evaluation:
        return predictor.evaluate(data, split, judge)


def predictor_class(config: Config) -> "type[Net]":
    """The class of a net's predictor: by its task, and of classifiers by the shape of their inputs."""
    from pipeline.inference import generator, predictor, translator

    classifiers: dict[int, type[Net]] = {0: predictor.TextClassifier, 3: predictor.ImageClassifier}
    shape = config["data"].get("in_shape") or ()
    return {
        "classify": classifiers.get(len(shape), predictor.PointClassifier),
        "classify frozen views": predictor.FrozenClassifier,
        "translate": translator.Translator,
        "generate": generator.Generator,
        "model language": predictor.LanguageModel,
    }[task_of(config).does]


class FixedUnit(_Evaluated):
    """A net whose weights are set by hand: there is nothing to train."""

    by_epochs = False

    def spreads(self, config: Config) -> bool:
        return False

    def describe(self, config: Config) -> str:
        return f"{type(build(config['model']['net'])).__name__}, set by hand"

    def input_type(self, config: Config) -> InputType | None:
        return predictor_class(config).input_type

    def fit(self, config: Config, needs: Needs) -> FitResult:
        from pipeline.training.fixed_unit import assemble

        return assemble(config, {}, data_dir=needs.data_dir, run_dir=needs.run_dir)

    def load(self, model_dir: Path, config: Config, manifest: dict[str, Any]) -> Predictor:
        from pipeline.inference.predictor import load as load_net

        return load_net(predictor_class(config), model_dir, config, manifest)


class TrainedNet(FixedUnit):
    """A net that Lightning trains, on as many workers as are configured."""

    by_epochs = True

    def spreads(self, config: Config) -> bool:
        return task_of(config).distributes

    def describe(self, config: Config) -> str:
        from pipeline.training.fit import build_task

        net = build_task(config).net
        size = sum(p.numel() for p in net.parameters())
        return f"{type(net).__name__}, {size:,} parameters, epochs: {config['trainer']['max_epochs']}"

    def fit(self, config: Config, needs: Needs) -> FitResult:
        return needs.launch()


class FittedBaseline(_Evaluated):
    """A shallow model of texts that scikit-learn fits in this process."""

    by_epochs = False

    def spreads(self, config: Config) -> bool:
        return False

    def describe(self, config: Config) -> str:
        return type(build(config["model"])).__name__

    def input_type(self, config: Config) -> InputType | None:
        return "texts"

    def fit(self, config: Config, needs: Needs) -> FitResult:
        from pipeline.training import baselines

        return baselines.fit(config, data_dir=needs.data_dir, run_dir=needs.run_dir)

    def load(self, model_dir: Path, config: Config, manifest: dict[str, Any]) -> Predictor:
        from pipeline.inference import baseline

        return baseline.load(model_dir, config, manifest)


class EnsembleOfModels(_Evaluated):
    """The mean of other experiments' classifiers, each stored whole."""

    by_epochs = False

    def spreads(self, config: Config) -> bool:
        return False

    def describe(self, config: Config) -> str:
        return f"the mean of {', '.join(requirements.members(config))}"

    def input_type(self, config: Config) -> InputType | None:
        return predictor_class(config).input_type

    def fit(self, config: Config, needs: Needs) -> FitResult:
        from pipeline.training.fixed_unit import assemble

        return assemble(config, needs.members, data_dir=needs.data_dir, run_dir=needs.run_dir)

    def load(self, model_dir: Path, config: Config, manifest: dict[str, Any]) -> Predictor:
        from pipeline.inference.ensemble import Ensemble
        from pipeline.training.fixed_unit import MEMBERS

        members = [load(folder) for folder in sorted((model_dir / MEMBERS).iterdir())]
        return Ensemble(tuple(members), config, manifest)  # type: ignore[arg-type]  # members classify


KINDS: dict[Kind, ModelKind] = {
    "ensemble": EnsembleOfModels(),
    "baseline": FittedBaseline(),
    "net": TrainedNet(),
    "fixed unit": FixedUnit(),
}


def kind_of(config: Config) -> ModelKind:
    """The kind of the configured model.

    Raises: ConfigError if the configuration describes none.
    """
    return KINDS[kind_name(config)]


def load(model_dir: Path) -> Predictor:
    """The stored model, verified and ready to predict, whatever its kind.

    Raises: CheckpointError if the folder is not whole; ConfigError if its configuration names what may not be called.
    """
    return files.read_folder(model_dir, _load)


def _load(model_dir: Path) -> Predictor:
    manifest = checkpoints.verify(model_dir)
    place = model_dir / checkpoints.CONFIG
    try:
        config = upgrade(json.loads(place.read_text()))
        kind = kind_of(config)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{place}: not a model's configuration ({error!r}). Train again.") from error
    return kind.load(model_dir, config, manifest)
