"""Types that cross a boundary between packages: results as frozen dataclasses, models and consoles as Protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict

if TYPE_CHECKING:  # importing numpy costs .1 s, which no verb needs for its help
    import numpy as np
    from torch import Tensor

Split = Literal["train", "val", "test"]
InputType = Literal["images", "points", "texts", "sentences", "classes"]  # a generator's inputs are classes
# An input of a model: an image or a point, a text, or the index of a class.
RawInput: TypeAlias = "np.ndarray | Tensor | Sequence[float] | str | int"
# A composed configuration or a part of it. Its keys are those of the classes that it names: `pipeline.config.checks`
# compares them with the schema and with the classes' arguments when it is composed.
Config = dict[str, Any]
# Metrics that an experiment can be judged by, the first that it has, with the number of decimals it is printed with.
PRIMARY_METRICS = {"accuracy": 2, "exact_match": 2, "fid": 3, "perplexity": 1}
FRACTION_METRICS = ("accuracy", "exact_match")  # printed in percent; higher is better
PAD, END = 0, 1  # the first two symbols of every vocabulary: padding and end of sequence


class Prediction(TypedDict, total=False):
    """A prediction as JSON: a class, a translation or an image; or the reason why an input has none."""

    input: str  # its name, where inputs are read from files or lines
    error: str
    label: str  # of a translator the translation
    probability: float
    probabilities: dict[str, float]
    set: list[str]  # of classes that holds the true one with the probability `coverage`
    coverage: float
    unfamiliar: bool  # of an image: unlike those of validation
    image: list[list[int]]  # 0..255


class RunStart(TypedDict, total=False):
    """The facts of a run that MLflow stores at its start."""

    key: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    dataset: dict[str, str]  # name and digest
    parent: str  # the folder of the sweep that the run is a trial of


class Event(TypedDict, total=False):
    """A line of a run's event log; each has a time, and the keys of its kind."""

    time: float
    step: int  # training's progress, with total and loss, or metrics and cpu_s
    epoch: int
    total: int
    loss: float
    metrics: dict[str, float]
    cpu_s: float
    workers: int  # a group of workers has started
    restarts: int
    interrupted: str  # the cause
    notice: str  # for the terminal
    run: RunStart
    tags: dict[str, str]
    status: str
    final: dict[str, float]
    files: str  # a folder, sent to the artifact folder `under`
    under: str | None
    model: str  # a file, with an example of its inputs
    example: str
    system: dict[str, float]  # the machine's load
    second: int


class CheckpointFacts(TypedDict, total=False):
    """Facts about a model or a checkpoint that its manifest holds."""

    config_digest: str
    data_digest: str
    step: int
    epoch: int
    score: float


class Manifest(CheckpointFacts, total=False):
    """The manifest of a folder: the SHA-256 of each file, and facts about it."""

    files: dict[str, str]


class DataSetFacts(TypedDict, total=False):
    """A `DataSet` as JSON."""

    name: str
    digest: str
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class DataSet:
    """The identity of a data set: its name, its digest, the number of rows in each split."""

    name: str
    digest: str  # SHA-256 over the digests of its files
    rows: dict[str, int]

    def facts(self) -> DataSetFacts:
        return {"name": self.name, "digest": self.digest, "rows": self.rows}


@dataclass(frozen=True, slots=True)
class Predictions:
    """A classifier's predictions for N samples, independent of the library that computed them.

    `y_true` is (N,) int; `y_score` is (N, C) class probabilities; `labels` names the C classes.
    """

    y_true: "np.ndarray"
    y_score: "np.ndarray"
    labels: tuple[str, ...]

    def subset(self, chosen_N: "np.ndarray") -> "Predictions":
        """The predictions of the samples that a boolean mask or an array of indices selects."""
        return Predictions(self.y_true[chosen_N], self.y_score[chosen_N], self.labels)


@dataclass(frozen=True, slots=True)
class Translations:
    """Predicted translations of N words beside their sources and the references."""

    sources: tuple[str, ...]
    references: tuple[str, ...]
    predictions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JudgedImages:
    """N images, generated or real, with a trained classifier's features and class probabilities.

    `images` is (N, ...) in [0, 1]; `labels` is (N,) int, the true or requested classes, None if generation was
    unconditional; `features` is (N, F), the input of the classifier's last layer; `scores` is (N, C) class
    probabilities.
    """

    images: "np.ndarray"
    labels: "np.ndarray | None"
    features: "np.ndarray"
    scores: "np.ndarray"


@dataclass(frozen=True, slots=True)
class TranslationDetails:
    """A translator's predictions on a split, and the attention weights behind its `prediction` for `example`.

    `weights_TS` is (T, S): the attention of each letter of the prediction, and of its end, to each source letter.
    """

    translations: Translations
    example: str
    prediction: str
    weights_TS: "np.ndarray"


@dataclass(frozen=True, slots=True)
class GeneratedImages:
    """Images of a generator in [0, 1]: (100, C, H, W), ten a class, and (K, S, H, W), a latent walk for each class."""

    hundred_NCHW: "np.ndarray"
    walks_KSHW: "np.ndarray"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's metrics on a split, and what they were computed from.

    `samples` holds `right`, a digit for each sample (1 if it was predicted correctly), and `truth_digest`, the SHA-256
    of the true labels; it is empty where predictions are neither right nor wrong. `details` is what figures are drawn
    from.
    """

    metrics: dict[str, float]
    samples: dict[str, str] = field(default_factory=dict)
    details: Predictions | TranslationDetails | GeneratedImages | None = None


class Judge(Protocol):
    """A classifier whose features and classes generated images are evaluated by."""

    @property
    def config(self) -> Config: ...

    def judge(self, images_NCHW: "Tensor", labels_N: "Tensor | None") -> JudgedImages: ...


class Predictor(Protocol):
    """A stored model of any kind, ready to predict."""

    @property
    def config(self) -> Config:
        """The stored configuration: name, seed, data, model, requires, labels."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def input_type(self) -> InputType | None:
        """The type of its inputs; None if it can't predict single inputs."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def predict(self, inputs: Sequence[RawInput]) -> list[Prediction]:
        """The prediction for each of one or more inputs, in their order."""

    def evaluate(self, data: Any, split: Split, judge: Judge | None = None) -> Evaluation:
        """The metrics of a split; only a generator needs a judge."""

    def exportable(self, data: Any, count: int) -> Any:
        """The `export.ExportableModel` with `count` inputs of the data.

        Raises: ConfigError if the model can't be exported.
        """


class Classifier(Predictor, Protocol):
    """A stored model that predicts class probabilities."""

    def predict_split(self, data: Any, split: Split) -> Predictions:
        """Predictions for all samples of a split, in its order."""

    def probabilities(self, inputs: "Tensor") -> "Tensor":
        """(B, C) class probabilities of a batch of images or points."""

    def log_odds(self, inputs: "Tensor", label: int) -> "np.ndarray":
        """(B,) log-odds of a class, for a batch of images or points."""

    def text_probabilities(self, texts: Sequence[str]) -> "np.ndarray":
        """(N, C) class probabilities of raw texts."""

    def class_probabilities(self, inputs: Sequence[RawInput]) -> "np.ndarray":
        """(N, C) class probabilities of inputs of the classifier's input type."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """The result of training; seconds are of the training loop with its validation, not of start-up."""

    model_dir: Path
    metrics: dict[str, float]  # the last epoch's train/ and val/ metrics
    steps: int
    epochs: int
    wall_s: float
    cpu_s: float  # summed over the workers; like `wall_s`, over all attempts
    workers: int = 1
    threads: int = 1
    device: str = "cpu"
    stopped: bool = False  # by a stop request before the end: there is a checkpoint to resume from, and no model


class Console(Protocol):
    """Output of a verb while it works."""

    def print(self, line: str) -> None: ...

    def progress(self, events: list[Event]) -> None: ...

    def download(self, label: str, done: int, total: int) -> None: ...

    def predictions(self, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class PrimaryMetric:
    """The metric that an experiment is judged by; fractions are in percent."""

    name: str
    value: float
    digits: int
    unit: str

    @classmethod
    def of(cls, metrics: Mapping[str, float], split: Split = "test") -> "PrimaryMetric | None":
        """The primary metric of a split; None if none of `PRIMARY_METRICS` was measured."""
        for name, digits in PRIMARY_METRICS.items():
            if (value := metrics.get(f"{split}/{name}")) is not None:
                percent = name in FRACTION_METRICS
                return cls(name.replace("_", " "), 100 * value if percent else value, digits, " %" if percent else "")
        return None

    @property
    def formatted(self) -> str:
        """The value with its unit."""
        return f"{self.value:.{self.digits}f}{self.unit}"

    def __str__(self) -> str:
        return f"{self.name} {self.formatted}"
