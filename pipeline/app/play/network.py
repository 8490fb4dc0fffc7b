"""A multilayer perceptron on preallocated numpy arrays: a training step takes microseconds.

At the Playground's sizes a call into torch costs more than its arithmetic. The forward and backward pass of
`pipeline/models/backprop.py` are therefore written again in numpy; tests compare the two. The activations are those of
`pipeline/models/neuron.py`: the common ones in numpy, the others through torch on shared memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.models.neuron import ACTIVATIONS

# F features, I units of the layer below, J units of a layer, B points. The last row of I1 and the last column of JI1
# belong to the bias.
Array = NDArray[np.float64]
# As in TensorFlow's playground: initial weights are uniform in (-0.5, 0.5), initial biases are 0.1.
INITIAL_WEIGHT, INITIAL_BIAS = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class ArrayActivation:
    """An activation that writes into given arrays.

    `function(z, out)` fills `out` with f(z); `apply_slope(error, z, f)` multiplies `error` by f'(z) in place.
    """

    function: Callable[[Array, Array], object]
    apply_slope: Callable[[Array, Array, Array], object]


def _apply_tanh_slope(error: Array, z: Array, f: Array) -> None:
    np.multiply(error, 1.0 - f * f, out=error)


def _sigmoid(z: Array, out: Array) -> None:
    np.negative(z, out=out)
    np.exp(out, out=out)
    np.add(out, 1.0, out=out)
    np.reciprocal(out, out=out)


def _from_torch(name: str) -> ArrayActivation:
    """Wrap an activation of neuron.py; the tensors share the arrays' memory."""
    activation = ACTIVATIONS[name]

    def function(z: Array, out: Array) -> None:
        out[:] = activation.function(torch.from_numpy(z)).numpy()

    def apply_slope(error: Array, z: Array, f: Array) -> None:
        np.multiply(error, activation.derivative(torch.from_numpy(z)).numpy(), out=error)

    return ArrayActivation(function, apply_slope)


ARRAY_ACTIVATIONS: dict[str, ArrayActivation] = {name: _from_torch(name) for name in ACTIVATIONS} | {
    "linear": ArrayActivation(lambda z, out: np.copyto(out, z), lambda error, z, f: None),
    "tanh": ArrayActivation(lambda z, out: np.tanh(z, out=out), _apply_tanh_slope),
    "relu": ArrayActivation(
        lambda z, out: np.maximum(z, 0.0, out=out), lambda error, z, f: np.multiply(error, z > 0, out=error)
    ),
    "sigmoid": ArrayActivation(_sigmoid, lambda error, z, f: np.multiply(error, f * (1.0 - f), out=error)),
}


@dataclass(slots=True)
class Workspace:
    """Arrays of one batch size: filled by the forward pass, read by the backward pass."""

    totals_JB: list[Array]  # z = W x + b of each layer
    outputs_J1B: list[Array]  # hidden outputs and a last row of ones, the input of the next layer's bias
    hidden_JB: list[Array]  # views of outputs_J1B without the row of ones
    errors_JB: list[Array]  # dE/dz of each hidden layer


class Network:
    """Features -> hidden layers -> one output unit; the vector `theta` holds all weights and biases.

    `weights_JI1[l]` is layer l's view of `theta`; its last column holds the biases.
    """

    def __init__(self, features: int, hidden: Sequence[int], activations: Sequence[str], rng: np.random.Generator):
        self.widths = [features, *hidden, 1]
        shapes = [(units, below + 1) for below, units in pairwise(self.widths)]
        size = sum(units * columns for units, columns in shapes)
        self.theta, self.gradient = np.full(size, INITIAL_BIAS), np.zeros(size)
        self.weights_JI1, self.gradients_JI1 = self._views(self.theta, shapes), self._views(self.gradient, shapes)
        self.is_weight = np.zeros(size, bool)
        for weights, marks in zip(self.weights_JI1, self._views(self.is_weight, shapes), strict=True):
            weights[:, :-1] = rng.uniform(-INITIAL_WEIGHT, INITIAL_WEIGHT, (weights.shape[0], weights.shape[1] - 1))
            marks[:, :-1] = True
        self._transposed_IJ = [weights[:, :-1].T for weights in self.weights_JI1]
        self.activations = [ARRAY_ACTIVATIONS[name] for name in activations]
        self._workspaces: dict[int, Workspace] = {}

    @staticmethod
    def _views(flat: Array, shapes: Sequence[tuple[int, int]]) -> list[Array]:
        ends = np.cumsum([units * columns for units, columns in shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

    def workspace(self, count: int) -> Workspace:
        """The arrays for `count` points, allocated once; each pass over as many points overwrites them."""
        if count not in self._workspaces:
            outputs = [np.ones((units + 1, count)) for units in self.widths[1:-1]]
            self._workspaces[count] = Workspace(
                [np.empty((units, count)) for units in self.widths[1:]],
                outputs,
                [output[:-1] for output in outputs],
                [np.empty((units, count)) for units in self.widths[1:-1]],
            )
        return self._workspaces[count]

    def forward(self, x_F1B: Array, masks: Sequence[Array] = ()) -> Array:
        """(1, B): z of the output unit. `masks` are dropout masks, one (J, B) a hidden layer."""
        work = self.workspace(x_F1B.shape[1])
        below = x_F1B
        for depth, activation in enumerate(self.activations):
            np.dot(self.weights_JI1[depth], below, out=work.totals_JB[depth])
            activation.function(work.totals_JB[depth], work.hidden_JB[depth])
            if masks:
                work.hidden_JB[depth] *= masks[depth]
            below = work.outputs_J1B[depth]
        return np.dot(self.weights_JI1[-1], below, out=work.totals_JB[-1])

    def backward(self, x_F1B: Array, error_1B: Array, masks: Sequence[Array] = ()) -> None:
        """Fill `gradient` with dE/dtheta, summed over the points of the last forward pass.

        `error_1B` is dE/dz of the output unit; `masks` are those of the forward pass.
        """
        work = self.workspace(x_F1B.shape[1])
        error = error_1B
        for depth in range(len(self.activations), -1, -1):
            below = work.outputs_J1B[depth - 1] if depth else x_F1B
            np.dot(error, below.T, out=self.gradients_JI1[depth])
            if depth:
                propagated, hidden = work.errors_JB[depth - 1], work.hidden_JB[depth - 1]
                np.dot(self._transposed_IJ[depth], error, out=propagated)
                if masks:  # The slope depends on the activation's output before dropout.
                    np.multiply(propagated, masks[depth - 1], out=propagated)
                    hidden = np.empty_like(hidden)
                    self.activations[depth - 1].function(work.totals_JB[depth - 1], hidden)
                self.activations[depth - 1].apply_slope(propagated, work.totals_JB[depth - 1], hidden)
                error = propagated
