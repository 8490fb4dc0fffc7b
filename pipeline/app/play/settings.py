"""The Playground's settings and messages, validated field by field: only these types pass from the page to training."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.models.neuron import ACTIVATIONS

CLASSIFICATION = ("circle", "xor", "gauss", "spiral")
REGRESSION = ("plane", "multi-gauss")
MAX_POINTS = 5000  # of a user's CSV file
Feature = Literal["x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2"]
LearningRate = Annotated[float, Field(ge=1e-5, le=10)]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Layer(_Strict):
    """A hidden layer."""

    units: int = Field(ge=1, le=16)
    activation: str = "tanh"

    @model_validator(mode="after")
    def known(self) -> "Layer":
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation. Choose one of {', '.join(ACTIVATIONS)}")
        return self


class LiveSettings(_Strict):
    """Settings that may change during training."""

    lr: LearningRate = 0.03
    batch: int = Field(10, ge=1, le=30)
    regularization: Literal["none", "l1", "l2"] = "none"
    rate: float = Field(0.0, ge=0, le=10)


class Settings(LiveSettings):
    """All settings of a run; equal settings give bit-identical runs on the same machine."""

    problem: Literal["circle", "xor", "gauss", "spiral", "plane", "multi-gauss", "own"] = "circle"
    seed: int = Field(0, ge=0, le=2**32 - 1)  # of the points, and with `initialization` of the weights
    initialization: int = Field(0, ge=0, le=2**32 - 1)  # each number draws other initial weights for the same points
    init_zero: bool = False  # all weights and biases start at 0, as `initZero` of TensorFlow's playground
    ratio: int = Field(50, ge=10, le=90)
    noise: int = Field(0, ge=0, le=50)
    features: list[Feature] = Field(["x1", "x2"], min_length=1, max_length=7)
    layers: list[Layer] = Field([Layer(units=4), Layer(units=2)], max_length=6)
    dropout: float = Field(0.0, ge=0, le=0.9)
    optimizer: Literal["sgd", "momentum", "rmsprop", "adam"] = "sgd"
    loss: Literal["squared", "cross_entropy", "hinge", "absolute"] = "squared"
    rule: Literal["gradient", "rosenblatt"] = "gradient"
    points: list[tuple[Coordinate, Coordinate, Coordinate]] = Field([], max_length=MAX_POINTS)

    @model_validator(mode="after")
    def consistent(self) -> "Settings":
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is listed twice. Remove one of them")
        if self.problem == "own" and len(self.points) < 4:
            raise ValueError("your own data needs at least 4 points. Choose the CSV file again")
        if not self.classifies and (self.rule == "rosenblatt" or self.loss in ("cross_entropy", "hinge")):
            raise ValueError("Rosenblatt's rule, cross-entropy and hinge loss need two classes. Choose another loss")
        return self

    @property
    def classifies(self) -> bool:
        """Whether the targets are two classes; else the network regresses a value."""
        if self.problem == "own":
            return {label for _, _, label in self.points} <= {-1.0, 1.0}
        return self.problem in CLASSIFICATION


class Weight(_Strict):
    """A weight set by the user: of a layer's unit, from input number `source`; the last source is the bias."""

    layer: int = Field(ge=0, le=6)
    unit: int = Field(ge=0, le=15)
    source: int = Field(ge=0, le=16)
    value: float = Field(ge=-1e6, le=1e6)


class Change(_Strict):
    """A change during training, with the epoch after which it was made: a link repeats it there."""

    epoch: int = Field(ge=0, le=10**7)
    lr: LearningRate | None = None
    batch: int | None = Field(None, ge=1, le=30)
    regularization: Literal["none", "l1", "l2"] | None = None
    rate: float | None = Field(None, ge=0, le=10)
    weight: Weight | None = None


class Message(_Strict):
    """A message of the page. The session handles the fields that are set in the order in which they stand here."""

    settings: Settings | None = None  # restart with these
    changes: list[Change] = Field([], max_length=200)  # with settings: to be repeated; without: to be made now
    replay: int | None = Field(None, ge=0, le=10**7)  # train at full speed to this epoch, then pause
    run: bool | None = None
    step: bool = False
    stop: int | None = Field(None, ge=0, le=10**7)  # pause at this epoch; 0: never
    speed: Literal["slow", "normal", "fast"] | None = None
    inspect: tuple[int, int] | None = None  # (layer, unit) whose map is wanted at full size; (-1, -1) is the output
    drawn: int | None = None  # number of the last frame that the page has drawn
    trace: int | None = Field(
        None, ge=0, le=10**6
    )  # number of a training point whose forward and backward pass is wanted
    starts: bool = False  # train several networks from other initial weights, and send their losses and maps
    export: Literal["json", "pytorch", "yaml"] | None = None
