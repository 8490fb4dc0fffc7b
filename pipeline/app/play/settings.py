"""What a run of the Playground is made of, checked field by field: whatever came over the wire, only this goes on."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.models.neuron import ACTIVATIONS

CLASSIFICATION = ("circle", "xor", "gauss", "spiral")
REGRESSION = ("plane", "multi-gauss")
POINTS = 5000  # of one's own
Feature = Literal["x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2"]
Rate = Annotated[float, Field(ge=1e-5, le=10)]
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
            raise ValueError(f"no such activation. There are: {', '.join(ACTIVATIONS)}")
        return self


class Live(_Strict):
    """What may change while a net learns; in `Changes`, what is None stays as it is."""

    lr: Rate = 0.03
    batch: int = Field(10, ge=1, le=30)
    regularization: Literal["none", "l1", "l2"] = "none"
    rate: float = Field(0.0, ge=0, le=10)


class Settings(Live):
    """All that decides a run: the same settings give the same run, to the last bit."""

    problem: Literal["circle", "xor", "gauss", "spiral", "plane", "multi-gauss", "own"] = "circle"
    seed: int = Field(0, ge=0, le=2**32 - 1)
    ratio: int = Field(50, ge=10, le=90)
    noise: int = Field(0, ge=0, le=50)
    features: list[Feature] = Field(["x1", "x2"], min_length=1, max_length=7)
    layers: list[Layer] = Field([Layer(units=4), Layer(units=2)], max_length=6)
    dropout: float = Field(0.0, ge=0, le=0.9)
    optimizer: Literal["sgd", "momentum", "rmsprop", "adam"] = "sgd"
    loss: Literal["squared", "cross_entropy", "hinge", "absolute"] = "squared"
    rule: Literal["gradient", "rosenblatt"] = "gradient"
    points: list[tuple[Coordinate, Coordinate, Coordinate]] = Field([], max_length=POINTS)

    @model_validator(mode="after")
    def consistent(self) -> "Settings":
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is named twice")
        if self.problem == "own" and len(self.points) < 4:
            raise ValueError("your own data needs at least 4 points: choose the file again")
        if not self.classifies and (self.rule == "rosenblatt" or self.loss in ("cross_entropy", "hinge")):
            raise ValueError("Rosenblatt's rule, cross-entropy and hinge loss are for two classes")
        return self

    @property
    def classifies(self) -> bool:
        """Two classes, or a value to be met."""
        if self.problem == "own":
            return {label for _, _, label in self.points} <= {-1.0, 1.0}
        return self.problem in CLASSIFICATION


class Weight(_Strict):
    """A weight set by hand: of layer and unit, from the input `source`; the last source is the bias."""

    layer: int = Field(ge=0, le=6)
    unit: int = Field(ge=0, le=15)
    source: int = Field(ge=0, le=16)
    value: float = Field(ge=-1e6, le=1e6)


class Change(_Strict):
    """A live change after an epoch, so that a link can repeat it."""

    epoch: int = Field(ge=0, le=10**7)
    lr: Rate | None = None
    batch: int | None = Field(None, ge=1, le=30)
    regularization: Literal["none", "l1", "l2"] | None = None
    rate: float | None = Field(None, ge=0, le=10)
    weight: Weight | None = None


class Message(_Strict):
    """One message of a page; each field is an order, carried out in this order."""

    settings: Settings | None = None  # begin anew
    changes: list[Change] = Field([], max_length=200)  # with settings: those to repeat; else those to make now
    replay: int | None = Field(None, ge=0, le=10**7)  # as fast as possible to this epoch, then pause
    run: bool | None = None
    step: bool = False
    stop: int | None = Field(None, ge=0, le=10**7)  # pause at this epoch; 0: never
    speed: Literal["slow", "normal", "fast"] | None = None
    look: tuple[int, int] | None = None  # the unit whose map is wanted in full: (layer, unit); (-1, -1) is the output
    seen: int | None = None  # the number of the frame last drawn
    export: Literal["json", "pytorch", "yaml"] | None = None
