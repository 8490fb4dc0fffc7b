"""The multilayer perceptron on numpy arrays that are made once: a training step in microseconds.

At the Playground's sizes a call into torch costs more than the arithmetic in it, so the forward and the backward pass
of `pipeline/models/backprop.py` are written again, on preallocated arrays; tests hold the two against each other. The
activations are those of `pipeline/models/neuron.py`: the common ones written for numpy, the others called as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from pipeline.models.neuron import ACTIVATIONS

# F features, I units of the layer below, J units of a layer, B batch; the last row of I1 and column of JI1 is the bias
Array = np.ndarray[Any, np.dtype[np.float64]]
WEIGHT, BIAS = 0.5, 0.1  # weights start uniform in (-.5, .5), biases at .1, as in TensorFlow's playground


@dataclass(frozen=True, slots=True)
class Fast:
    """An activation on arrays: `function(z, out)` fills out; `chain(error, z, f)` multiplies the error by its slope."""

    function: Callable[[Array, Array], object]
    chain: Callable[[Array, Array, Array], object]


def _tanh_chain(error: Array, z: Array, f: Array) -> None:
    np.multiply(error, 1.0 - f * f, out=error)


def _sigmoid(z: Array, out: Array) -> None:
    np.negative(z, out=out)
    np.exp(out, out=out)
    np.add(out, 1.0, out=out)
    np.reciprocal(out, out=out)


def _borrowed(name: str) -> Fast:
    """An activation of neuron.py, on the arrays' own memory."""
    family = ACTIVATIONS[name]

    def function(z: Array, out: Array) -> None:
        out[:] = family.function(torch.from_numpy(z)).numpy()

    def chain(error: Array, z: Array, f: Array) -> None:
        np.multiply(error, family.derivative(torch.from_numpy(z)).numpy(), out=error)

    return Fast(function, chain)


FAST: dict[str, Fast] = {name: _borrowed(name) for name in ACTIVATIONS} | {
    "linear": Fast(lambda z, out: np.copyto(out, z), lambda error, z, f: None),
    "tanh": Fast(lambda z, out: np.tanh(z, out=out), _tanh_chain),
    "relu": Fast(lambda z, out: np.maximum(z, 0.0, out=out), lambda error, z, f: np.multiply(error, z > 0, out=error)),
    "sigmoid": Fast(_sigmoid, lambda error, z, f: np.multiply(error, f * (1.0 - f), out=error)),
}


@dataclass(slots=True)
class Pass:
    """What one forward pass leaves for the backward pass, for a number of points."""

    totals_JB: list[Array]
    outputs_J1B: list[Array]  # the last row is 1, the next layer's bias
    hidden_JB: list[Array]  # views of outputs_J1B without that row
    errors_JB: list[Array]


class Net:
    """Features -> hidden layers -> one output; all weights and biases stand in one vector, `theta`.

    `weights_JI1[l]` is the view of it that belongs to layer l; its last column holds the biases.
    """

    def __init__(self, features: int, hidden: Sequence[int], activations: Sequence[str], rng: np.random.Generator):
        self.widths = [features, *hidden, 1]
        shapes = [(units, below + 1) for below, units in pairwise(self.widths)]
        size = sum(units * columns for units, columns in shapes)
        self.theta, self.gradient = np.full(size, BIAS), np.zeros(size)
        self.weights_JI1, self.gradients_JI1 = self._views(self.theta, shapes), self._views(self.gradient, shapes)
        self.is_weight = np.zeros(size, bool)
        for weights, marks in zip(self.weights_JI1, self._views(self.is_weight, shapes), strict=True):
            weights[:, :-1] = rng.uniform(-WEIGHT, WEIGHT, (weights.shape[0], weights.shape[1] - 1))
            marks[:, :-1] = True
        self._back_IJ = [weights[:, :-1].T for weights in self.weights_JI1]
        self.activations = [FAST[name] for name in activations]
        self._passes: dict[int, Pass] = {}

    @staticmethod
    def _views(flat: Any, shapes: Sequence[tuple[int, int]]) -> list[Any]:
        ends = np.cumsum([units * columns for units, columns in shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

    def arrays(self, count: int) -> Pass:
        """The arrays for a number of points, made when first asked for; their content lasts until the next pass."""
        if count not in self._passes:
            outputs = [np.ones((units + 1, count)) for units in self.widths[1:-1]]
            self._passes[count] = Pass(
                [np.empty((units, count)) for units in self.widths[1:]],
                outputs,
                [output[:-1] for output in outputs],
                [np.empty((units, count)) for units in self.widths[1:-1]],
            )
        return self._passes[count]

    def forward(self, x_F1B: Array, masks: Sequence[Array] = ()) -> Array:
        """(1, B): the output's total input; `masks` multiply the hidden outputs (dropout)."""
        kept = self.arrays(x_F1B.shape[1])
        below = x_F1B
        for depth, activation in enumerate(self.activations):
            np.dot(self.weights_JI1[depth], below, out=kept.totals_JB[depth])
            activation.function(kept.totals_JB[depth], kept.hidden_JB[depth])
            if masks:
                kept.hidden_JB[depth] *= masks[depth]
            below = kept.outputs_J1B[depth]
        return np.dot(self.weights_JI1[-1], below, out=kept.totals_JB[-1])

    def backward(self, x_F1B: Array, error_1B: Array, masks: Sequence[Array] = ()) -> None:
        """Fill `gradient` with dE/dtheta, summed over the points of the last forward pass, from the output's dE/dz."""
        kept = self.arrays(x_F1B.shape[1])
        error = error_1B
        for depth in range(len(self.activations), -1, -1):
            below = kept.outputs_J1B[depth - 1] if depth else x_F1B
            np.dot(error, below.T, out=self.gradients_JI1[depth])
            if depth:
                passed, hidden = kept.errors_JB[depth - 1], kept.hidden_JB[depth - 1]
                np.dot(self._back_IJ[depth], error, out=passed)
                if masks:  # the slope is of what the activation gave, not of what was left of it
                    np.multiply(passed, masks[depth - 1], out=passed)
                    hidden = np.empty_like(hidden)
                    self.activations[depth - 1].function(kept.totals_JB[depth - 1], hidden)
                self.activations[depth - 1].chain(passed, kept.totals_JB[depth - 1], hidden)
                error = passed
