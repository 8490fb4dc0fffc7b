"""The narrow waist: small results that cross a boundary between modules."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # importing numpy costs .1 s, which no verb needs for its help
    import numpy as np
    from torch import Tensor

Split = Literal["train", "val", "test"]
InputType = Literal["images", "points", "texts", "sentences", "classes"]  # what a model takes; classes are drawn
Prediction = dict[str, Any]  # a classifier's label, its probability and all of them; a translation; an image
# What an experiment is judged by: the first of these that it has, and how many decimals it is given.
PRIMARY_METRICS = {"accuracy": 2, "exact_match": 2, "fid": 3, "perplexity": 1}
FRACTION_METRICS = ("accuracy", "exact_match")  # higher is better
PAD, END = 0, 1  # the first two symbols of every vocabulary: what fills a row up, and what ends an answer


@dataclass(frozen=True, slots=True)
class DataSet:
    """The data a run was promised: which, its digest, how many rows in each split."""

    name: str
    digest: str  # SHA-256 over the digests of its files
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a classifier says of N samples, whatever library it was made with.

    `y_true` is (N,) int; `y_score` is (N, C) class probabilities; `labels` names the C classes.
    """

    y_true: "np.ndarray"
    y_score: "np.ndarray"
    labels: tuple[str, ...]

    def of(self, chosen_N: "np.ndarray") -> "Predictions":
        """Those of some samples only."""
        return Predictions(self.y_true[chosen_N], self.y_score[chosen_N], self.labels)


@dataclass(frozen=True, slots=True)
class Translations:
    """What a translator says of N words: the sources, their true translations, its answers."""

    sources: tuple[str, ...]
    truth: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JudgedImages:
    """N images, drawn or real, as a trained classifier sees them.

    `images` is (N, ...) in [0, 1]; `labels` is (N,) int, the classes they are of or were asked to be, None if none was
    asked for; `features` is (N, F), what the judge's last layer sees; `scores` is (N, C), its class probabilities.
    """

    images: "np.ndarray"
    labels: "np.ndarray | None"
    features: "np.ndarray"
    scores: "np.ndarray"


@dataclass(frozen=True, slots=True)
class TranslationDetails:
    """A translator's answers to a split, and how it came to the `answer` to one word, `example`.

    `weights_TS` is (T, S): how much each letter of the answer, and its end, looked at each letter of the example.
    """

    translations: Translations
    example: str
    answer: str
    weights_TS: "np.ndarray"


@dataclass(frozen=True, slots=True)
class GeneratedImages:
    """Images of a generator in [0, 1]: (100, C, H, W), ten a class, and (K, S, H, W), a walk a class."""

    hundred_NCHW: "np.ndarray"
    walks_KSHW: "np.ndarray"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's scores on a split, and what they were computed from.

    `samples` holds which samples were answered `right`, a digit 1 or 0 each, and the SHA-256 of the true answers
    (`truth_digest`); it is empty where an answer is neither right nor wrong. `details` is what figures are drawn from.
    """

    metrics: dict[str, float]
    samples: dict[str, str] = field(default_factory=dict)
    details: Predictions | TranslationDetails | GeneratedImages | None = None


class Judge(Protocol):
    """A classifier whose features and classes generated images are evaluated by."""

    @property
    def config(self) -> dict[str, Any]: ...

    def judge(self, images_NCHW: "Tensor", labels_N: "Tensor | None") -> JudgedImages: ...


class Predictor(Protocol):
    """A stored model, ready to predict, whatever made it."""

    @property
    def config(self) -> dict[str, Any]:
        """name, seed, data, model, requires."""

    @property
    def manifest(self) -> dict[str, Any]: ...

    @property
    def input_type(self) -> InputType | None:
        """What it takes; None if it answers nothing."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def predict(self, inputs: Sequence[Any]) -> list[Prediction]:
        """The answer to each of one or more inputs, in their order."""

    def evaluate(self, data: Any, split: Split, judge: Judge | None = None) -> Evaluation:
        """The scores of a split; only a generator needs a judge."""

    def exportable(self, data: Any, count: int) -> Any:
        """The `export.ExportableModel` with `count` inputs of the data. Raises: ConfigError if the model has no such form."""


class Classifier(Predictor, Protocol):
    """A stored model that gives inputs the probabilities of classes."""

    def predict_split(self, data: Any, split: Split) -> Predictions:
        """All of a split, in its order."""

    def probabilities(self, inputs: "Tensor") -> "Tensor":
        """(B, C) of a batch of images or points."""

    def log_odds(self, inputs: "Tensor", label: int) -> "np.ndarray":
        """(B,) of a class, for a batch of images or points."""

    def text_probabilities(self, texts: Sequence[str]) -> "np.ndarray":
        """(N, C) class probabilities of texts as they were written."""

    def class_probabilities(self, inputs: Sequence[Any]) -> "np.ndarray":
        """(N, C) class probabilities of whatever it takes."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """What training leaves behind; seconds are of the training loop (validation included), not of start-up."""

    model_dir: Path
    metrics: dict[str, float]  # the last epoch's train/ and val/ metrics
    steps: int
    epochs: int
    wall_s: float
    cpu_s: float  # summed over the workers; like `wall_s`, over all tries
    workers: int = 1
    threads: int = 1
    device: str = "cpu"
    stopped: bool = False  # asked to, before the end: there is a state to go on from, and no model


class Console(Protocol):
    """Where a verb tells what it does."""

    def print(self, line: str) -> None: ...

    def progress(self, events: list[dict[str, Any]]) -> None: ...

    def download(self, label: str, done: int, total: int) -> None: ...

    def predictions(self, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class PrimaryMetric:
    """The figure that stands for a result; shares are in percent."""

    name: str
    value: float
    digits: int
    unit: str

    @classmethod
    def of(cls, scores: dict[str, float], split: Split = "test") -> "PrimaryMetric | None":
        """The headline among a split's scores; None if there is none."""
        for name, digits in PRIMARY_METRICS.items():
            if (value := scores.get(f"{split}/{name}")) is not None:
                share = name in FRACTION_METRICS
                return cls(name.replace("_", " "), 100 * value if share else value, digits, " %" if share else "")
        return None

    @property
    def formatted(self) -> str:
        """The value with its unit."""
        return f"{self.value:.{self.digits}f}{self.unit}"

    def __str__(self) -> str:
        return f"{self.name} {self.formatted}"
