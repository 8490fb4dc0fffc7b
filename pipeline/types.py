"""The narrow waist: small results that cross a boundary between modules."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # importing numpy costs .1 s, which no verb needs for its help
    import numpy as np

Split = Literal["train", "val", "test"]
# What an experiment is judged by: the first of these that it has, and how many decimals it is given.
HEADLINES = {"accuracy": 2, "exact_match": 2, "fid": 3, "perplexity": 1}
SHARES = ("accuracy", "exact_match")  # higher is better
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
class Judged:
    """N images, drawn or real, as a trained classifier sees them.

    `images` is (N, ...) in [0, 1]; `labels` is (N,) int, the classes they are of or were asked to be, None if none was
    asked for; `features` is (N, F), what the judge's last layer sees; `scores` is (N, C), its class probabilities.
    """

    images: "np.ndarray"
    labels: "np.ndarray | None"
    features: "np.ndarray"
    scores: "np.ndarray"


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


class Output(Protocol):
    """Where a verb tells what it does."""

    def say(self, line: str) -> None: ...

    def progress(self, events: list[dict[str, Any]]) -> None: ...

    def download(self, label: str, done: int, total: int) -> None: ...

    def answers(self, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Headline:
    """The figure that stands for a result; shares are in percent."""

    name: str
    value: float
    digits: int
    unit: str

    @classmethod
    def of(cls, scores: dict[str, float], split: Split = "test") -> "Headline | None":
        """The headline among a split's scores; None if there is none."""
        for name, digits in HEADLINES.items():
            if (value := scores.get(f"{split}/{name}")) is not None:
                share = name in SHARES
                return cls(name.replace("_", " "), 100 * value if share else value, digits, " %" if share else "")
        return None

    @property
    def figure(self) -> str:
        """The value with its unit."""
        return f"{self.value:.{self.digits}f}{self.unit}"

    def __str__(self) -> str:
        return f"{self.name} {self.figure}"
