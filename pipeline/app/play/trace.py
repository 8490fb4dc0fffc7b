"""One training point's way through the network: forward pass, loss, backward pass and update, number by number."""

from dataclasses import dataclass

import numpy as np

from pipeline.app.play.learner import LOSSES, Learner
from pipeline.app.play.network import Array
from pipeline.errors import ConfigError

Vector = list[float | None]  # None is NaN or infinite: JSON has neither
Matrix = list[Vector]


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """A layer's numbers for one point; a row of a matrix is a unit, its last column belongs to the bias."""

    weights: Matrix
    z: Vector  # weighted sums
    y: Vector  # outputs
    error: Vector  # dE/dz
    gradient: Matrix  # dE/dw
    updated: Matrix  # the weights after a step of plain gradient descent on this point alone


@dataclass(frozen=True, slots=True)
class Trace:
    """All numbers of one training point, without dropout."""

    point: int
    target: float
    inputs: Vector  # the features
    layers: list[LayerTrace]
    loss: float | None
    loss_after: float | None  # of this point, with the updated weights
    lr: float


def trace(learner: Learner, point: int) -> Trace:
    """Trace a training point; `point` counts on from the first after the last. The learner stays as it is.

    Raises: ConfigError for Rosenblatt's rule, which has no backward pass.
    """
    if learner.settings.rule == "rosenblatt":
        raise ConfigError(
            "Backpropagation: Rosenblatt's rule has no backward pass. Choose the learning rule Gradient under More."
        )
    net, lr = learner.net, learner.settings.lr
    point %= learner.points.train
    x_F11, target_11 = learner.x_F1N[:, point : point + 1], learner.target_1N[:, point : point + 1]
    work = net.workspace(1)
    with np.errstate(all="ignore"):
        z_11 = net.forward(x_F11).copy()
        outputs = [*(hidden.copy() for hidden in work.hidden_JB), learner.output(z_11)]
        totals = [total.copy() for total in work.totals_JB]
        net.backward(x_F11, learner.error(target_11, z_11))
        errors = [*(error.copy() for error in work.errors_JB), learner.error(target_11, z_11)]
        layers = [
            LayerTrace(
                _matrix(weights), _vector(z), _vector(y), _vector(error), _matrix(slope), _matrix(weights - lr * slope)
            )
            for weights, z, y, error, slope in zip(
                net.weights_JI1, totals, outputs, errors, net.gradients_JI1, strict=True
            )
        ]
        before, kept = _loss(learner, target_11, z_11), net.theta.copy()
        net.theta -= lr * net.gradient
        after = _loss(learner, target_11, net.forward(x_F11))
        net.theta[:] = kept
    return Trace(point, float(target_11[0, 0]), _vector(x_F11[:-1]), layers, before, after, lr)


def _loss(learner: Learner, target_11: Array, z_11: Array) -> float | None:
    return _number(float(LOSSES[learner.settings.loss](target_11, learner.output(z_11), z_11)[0, 0]))


def _vector(values: Array) -> Vector:
    return [_number(value) for value in values.ravel().tolist()]


def _matrix(values: Array) -> Matrix:
    return [_vector(row) for row in values]


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
