"""The Protocols of classes of one's own: a net, a task, a data module, an augmentation, a metric.

A configuration names such a class in `_target_`; docs/how-to/your-project.md shows each in use.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.types import DataSet, Predictions, Split

if TYPE_CHECKING:  # importing torch takes seconds
    from torch import Generator, Tensor, nn

# B batch, C channel, H height, W width, K class


class Net(Protocol):
    """A `torch.nn.Module`, as `model.net`. Its arguments are the keys beside its `_target_`.

    For example::

        class Linear(nn.Module):
            def __init__(self, in_shape: Sequence[int], classes: int):
                super().__init__()
                self.layer = nn.Linear(math.prod(in_shape), classes)

            def forward(self, images_BCHW: Tensor) -> Tensor:
                return self.layer(images_BCHW.flatten(1))
    """

    def __call__(self, inputs: "Tensor", /) -> "Tensor":
        """(B, K) logits of a batch: of images (B, C, H, W) in [0, 1], of texts (B, T) numbered words, 0 for padding."""


class Task(Protocol):
    """A `pipeline.tasks.task.Task`, as `model`: the loss and the epoch's metrics. Derive it from the nearest one.

    For example::

        class FocalClassification(Classification):
            def __init__(self, gamma: float, **others: Any):
                super().__init__(**others)
                self.gamma = gamma

            def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
                inputs, labels_B = batch
                logits_BK = self.logits(inputs)
                nll_B = F.cross_entropy(logits_BK, labels_B, reduction="none")
                loss = ((1 - (-nll_B).exp()) ** self.gamma * nll_B).mean()
                self._count("train", loss, logits_BK, labels_B)
                return loss
    """

    net: "nn.Module"

    def training_step(self, batch: Any, batch_idx: int) -> "Tensor":
        """The loss of a batch, a mean over its samples. `add` adds the batch to the epoch's sums."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Add a batch of the validation split to the epoch's sums."""

    def configure_optimizers(self) -> Any:
        """As Lightning has it; `Task` takes `model.optimizer` and `model.schedule`."""


class DataModule(Protocol):
    """A `pipeline.data.batches.BatchedData`, as `data`: three splits of inputs and labels, and their digest.

    `folder` is the project's `data/`; the other arguments are the keys beside `_target_`.

    For example::

        class Blobs(BatchedData):
            def __init__(self, name: str, batch_size: int, in_shape: list[int], classes: int, folder: Path, seed: int):
                super().__init__(name, batch_size, seed)
                self.labels = ("left", "right")

            def setup(self, stage: str | None = None) -> None:
                if not self.splits:
                    self.splits = {split: blobs(count, seed=place) for place, (split, count) in enumerate(ROWS.items())}

            def digest(self) -> str:
                return hashlib.sha256(b"blobs, version 1").hexdigest()
    """

    labels: tuple[str, ...]  # names of the classes
    splits: dict[Split, Any]  # train, val, test -> (inputs, labels), tensors with as many rows

    def setup(self, stage: str | None = None) -> None:
        """Fill `splits`, once."""

    def digest(self) -> str:
        """SHA-256 that stands for all of the data: a run resumes, and a model is evaluated, on the same digest only."""

    def describe(self) -> DataSet:
        """Name, digest and rows; `BatchedData` has it."""


class Augmentation(Protocol):
    """Random changes of images, as `data.augment`: a pure function of an image and the numbers that were drawn for it.

    For example::

        class Flip:
            def draw(self, n: int, generator: torch.Generator) -> Tensor:
                return torch.rand(n, 1, generator=generator)

            def __call__(self, images_BCHW: Tensor, noise: Tensor) -> Tensor:
                return torch.where(noise[:, :, None, None] < 0.5, images_BCHW.flip(3), images_BCHW)
    """

    def draw(self, n: int, generator: "Generator") -> "Tensor":
        """(n, …) random numbers of the generator, a row a sample. A resumed run draws the same."""

    def __call__(self, images_BCHW: "Tensor", noise: "Tensor", /) -> "Tensor":
        """The images of a batch, changed by their rows of numbers."""


class Metric(Protocol):
    """A score of a classifier's predictions on a split, as `metrics.NAME` with `_partial_: true`.

    For example::

        def balanced_accuracy(predictions: Predictions) -> float:
            right_N = predictions.y_score.argmax(axis=1) == predictions.y_true
            return float(np.mean([right_N[predictions.y_true == label].mean() for label in set(predictions.y_true)]))
    """

    def __call__(self, predictions: Predictions, /) -> float: ...


def place_of(error: BaseException, root: Path) -> str:
    """`FILE:LINE in FUNCTION: ERROR` of an error, at the innermost of the project's own lines."""
    frame, place = error.__traceback__, ""
    while frame:
        code = frame.tb_frame.f_code
        if Path(code.co_filename).is_relative_to(root):
            place = f"{code.co_filename}:{frame.tb_lineno} in {code.co_name}: "
        frame = frame.tb_next
    return f"{place}{type(error).__name__}: {' '.join(str(error).split())}"
