"""The Playground's learner against an independent reference: TensorFlow's learner in plain Python, one point and one
link at a time, without arrays and without code of the project.
"""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from pipeline.app.play.learner import Learner
from pipeline.app.play.settings import Settings

FUNCTIONS: dict[str, tuple[Any, Any]] = {  # f(z), and the slope at z
    "tanh": (math.tanh, lambda z: 1 - math.tanh(z) ** 2),
    "relu": (lambda z: max(0.0, z), lambda z: 1.0 if z > 0 else 0.0),
    "sigmoid": (lambda z: 1 / (1 + math.exp(-z)), lambda z: 1 / (1 + math.exp(-z)) * (1 - 1 / (1 + math.exp(-z)))),
    "linear": (lambda z: z, lambda z: 1.0),
}


class Link:
    def __init__(self, weight: float):
        self.weight, self.total, self.count, self.dead = weight, 0.0, 0, False


class Unit:
    def __init__(self, links: list[Link], bias: float, name: str):
        self.links, self.bias, self.name, self.total, self.count = links, bias, name, 0.0, 0
        self.z = self.out = self.error = 0.0


class Reference:
    def __init__(self, weights: list[np.ndarray], activations: list[str], kind: str, rate: float):
        self.layers = [
            [Unit([Link(float(w)) for w in row[:-1]], float(row[-1]), name) for row in matrix]
            for matrix, name in zip(weights, activations, strict=True)
        ]
        self.kind, self.rate = kind, rate

    def forward(self, inputs: list[float]) -> float:
        below = inputs
        for layer in self.layers:
            for unit in layer:
                unit.z = unit.bias + sum(link.weight * value for link, value in zip(unit.links, below, strict=True))
                unit.out = FUNCTIONS[unit.name][0](unit.z)
            below = [unit.out for unit in layer]
        return below[0]

    def backward(self, inputs: list[float], target: float) -> None:
        for depth in range(len(self.layers) - 1, -1, -1):
            for place, unit in enumerate(self.layers[depth]):
                if depth == len(self.layers) - 1:
                    outer = unit.out - target
                else:
                    outer = sum(above.links[place].weight * above.error for above in self.layers[depth + 1])
                unit.error = outer * FUNCTIONS[unit.name][1](unit.z)
        for depth, layer in enumerate(self.layers):
            below = [unit.out for unit in self.layers[depth - 1]] if depth else inputs
            for unit in layer:
                unit.total += unit.error
                unit.count += 1
                for link, value in zip(unit.links, below, strict=True):
                    if not link.dead:
                        link.total += unit.error * value
                        link.count += 1

    def update(self, lr: float) -> None:
        for unit in itertools.chain(*self.layers):
            if unit.count:
                unit.bias -= lr * unit.total / unit.count
                unit.total, unit.count = 0.0, 0
            for link in unit.links:
                if link.dead or not link.count:
                    continue
                pull = {"none": 0.0, "l1": math.copysign(1, link.weight) if link.weight else 0.0, "l2": link.weight}
                decay = lr * self.rate * pull[self.kind]
                stepped = link.weight - lr * link.total / link.count
                after = stepped - decay
                if self.kind == "l1" and stepped * after < 0:
                    link.weight, link.dead = 0.0, True
                else:
                    link.weight = after
                link.total, link.count = 0.0, 0

    def epoch(self, rows: list[tuple[list[float], float]], batch: int, lr: float) -> None:
        for number, (inputs, target) in enumerate(rows, 1):
            self.forward(inputs)
            self.backward(inputs, target)
            if number % batch == 0:
                self.update(lr)

    def loss(self, rows: list[tuple[list[float], float]]) -> float:
        return sum(0.5 * (self.forward(inputs) - target) ** 2 for inputs, target in rows) / len(rows)


def compare(epochs: int, **given: Any) -> Learner:
    learner = Learner(Settings(**given))
    settings, points = learner.settings, learner.points
    rows = []
    for (x, y), target in zip(points.xy_N2.tolist(), points.target_N.tolist(), strict=True):
        known = {"x1": x, "x2": y, "x1²": x**2, "x2²": y**2, "x1x2": x * y, "sin x1": math.sin(x)}
        known["sin x2"] = math.sin(y)
        rows.append(([known[name] for name in settings.features], target))
    train, test = rows[: points.train], rows[points.train :]
    names = [layer.activation for layer in settings.layers] + ["tanh" if settings.classifies else "linear"]
    copies = [weights.copy() for weights in learner.net.weights_JI1]
    reference = Reference(copies, names, settings.regularization, settings.rate)
    for _ in range(epochs):
        reference.epoch(train, settings.batch, settings.lr)
        learner.run_epoch()
        assert learner.losses == pytest.approx((reference.loss(train), reference.loss(test)), abs=1e-5)
    for weights, layer in zip(learner.net.weights_JI1, reference.layers, strict=True):
        expected = [[*(link.weight for link in unit.links), unit.bias] for unit in layer]
        np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-5)
    dead = sum(link.dead for unit in itertools.chain(*reference.layers) for link in unit.links)
    assert int((learner.alive == 0).sum()) == dead
    return learner


PROBLEMS = ["circle", "xor", "gauss", "spiral", "plane", "multi-gauss"]
LAYERS = {name: [{"units": 4, "activation": name}, {"units": 2, "activation": name}] for name in FUNCTIONS}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["none", "l1", "l2"])
@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_fifty_epochs_are_those_of_the_reference(problem: str, activation: str, kind: str) -> None:
    compare(50, problem=problem, layers=LAYERS[activation], regularization=kind, rate=0.01, noise=10, seed=3)


@pytest.mark.parametrize("kind", ["none", "l1", "l2"])
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_a_few_epochs_are_those_of_the_reference(activation: str, kind: str) -> None:
    compare(3, layers=LAYERS[activation], regularization=kind, rate=0.03, ratio=20)


def test_a_batch_that_is_not_full_joins_the_next_epochs_first() -> None:
    compare(4, batch=7, ratio=20)  # 100 points: 14 batches, 2 points left


def test_l1_lets_weights_die_and_they_stay_dead() -> None:
    learner = compare(20, regularization="l1", rate=1, ratio=20, batch=3)
    assert learner.any_dead


def test_all_features_and_no_hidden_layer() -> None:
    names = ["x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2"]
    compare(3, features=names, layers=[], ratio=20, lr=0.003)
