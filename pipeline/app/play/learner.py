"""How the Playground learns: the exact learner of TensorFlow's playground, and what it lacks.

Source: Smilkov et al. 2017, arXiv:1708.03788. One epoch visits the points in a fixed order; a last batch that is not
full is not applied but joins the next epoch's first. Optimisers as in torch.optim: Kingma, Ba 2015, arXiv:1412.6980.
"""

from collections.abc import Callable

import numpy as np
import torch

from pipeline.app.play.net import Array, Net
from pipeline.app.play.points import draw, features
from pipeline.app.play.settings import Change, Settings
from pipeline.models.perceptron import corrections

CHUNK = 250  # points whose products with each other Rosenblatt's rule keeps at a time


class Optimizer:
    """The direction of a step from the mean gradient; plain SGD's is the gradient itself."""

    def __init__(self, name: str, size: int):
        self.name, self.steps = name, 0
        self.first, self.second = np.zeros(size), np.zeros(size)

    def direction(self, gradient: Array) -> Array:
        if self.name == "sgd":
            return gradient
        if self.name == "momentum":
            self.first *= 0.9
            self.first += gradient
            return self.first
        self.steps += 1
        decay = 0.999 if self.name == "adam" else 0.99
        self.second *= decay
        self.second += (1 - decay) * gradient * gradient
        if self.name == "rmsprop":
            return gradient / (np.sqrt(self.second) + 1e-8)
        self.first *= 0.9
        self.first += 0.1 * gradient
        root = np.sqrt(self.second / (1 - 0.999**self.steps)) + 1e-8
        return self.first / (1 - 0.9**self.steps) / root


# Each loss by (target, output, total input z): what a point costs, and dE/dz. The output is tanh z for two classes,
# where the cross-entropy is that of the probability (1 + tanh z) / 2, and z for a value to be met.
LOSSES: dict[str, Callable[[Array, Array, Array], Array]] = {
    "squared": lambda t, o, z: 0.5 * (o - t) ** 2,
    "cross_entropy": lambda t, o, z: np.logaddexp(0.0, -2 * t * z),
    "hinge": lambda t, o, z: np.maximum(0.0, 1 - t * z),
    "absolute": lambda t, o, z: np.abs(o - t),
}


class Learner:
    """A net, its points, and one epoch after the other."""

    def __init__(self, settings: Settings):
        self.settings, self.points = settings.model_copy(), draw(settings)
        self.classifies, self.epoch = settings.classifies, 0
        self.x_F1N = features(self.points.xy_N2, settings.features)
        self.target_1N = self.points.target_N[np.newaxis]
        self.net = Net(
            len(settings.features),
            [layer.units for layer in settings.layers],
            [layer.activation for layer in settings.layers],
            np.random.default_rng([settings.seed, 1]),
        )
        self.optimizer = Optimizer(settings.optimizer, len(self.net.theta))
        self.alive = np.ones(len(self.net.theta))  # L1 lets weights die at 0
        self.dead = False
        self.waiting, self.waiting_points = np.zeros_like(self.net.theta), 0  # gradients of a batch that is not full
        self.losses = self.measure()

    def output(self, z: Array) -> Array:
        """What the net says for a total input of its output unit."""
        if self.settings.rule == "rosenblatt":
            return np.where(z > 0, 1.0, -1.0)
        return np.tanh(z) if self.classifies else z

    def measure(self) -> tuple[float, float]:
        """Mean loss of train and test, without regularization."""
        z = self.net.forward(self.x_F1N)
        cost = LOSSES[self.settings.loss](self.target_1N, self.output(z), z)[0]
        train, test = cost[: self.points.train], cost[self.points.train :]
        return float(train.mean()), float(test.mean()) if len(test) else float("nan")

    def run_epoch(self) -> None:
        """Visit every point to learn from once."""
        with np.errstate(all="ignore"):
            if self.settings.rule == "rosenblatt":
                self._rosenblatt()
            else:
                self._descend()
            self.epoch += 1
            self.losses = self.measure()

    def _descend(self) -> None:
        net, count = self.net, self.points.train
        batch = min(self.settings.batch, count)
        dropout = np.random.default_rng([self.settings.seed, 2, self.epoch]) if self.settings.dropout else None
        for start in range(0, count, batch):
            x, target = self.x_F1N[:, start : min(start + batch, count)], self.target_1N[:, start : start + batch]
            target = target[:, : x.shape[1]]
            masks = [self._mask(dropout, units, x.shape[1]) for units in net.widths[1:-1]] if dropout else ()
            z = net.forward(x, masks)
            net.backward(x, self.error(target, z), masks)
            if start + batch > count:
                self.waiting += net.gradient
                self.waiting_points += x.shape[1]
            elif self.waiting_points:
                self.waiting += net.gradient
                self._step(self.waiting, self.waiting_points + batch)
                self.waiting[:], self.waiting_points = 0.0, 0
            else:
                self._step(net.gradient, batch)

    def _mask(self, rng: np.random.Generator, units: int, count: int) -> Array:
        kept = 1 - self.settings.dropout
        return (rng.random((units, count)) < kept) / kept

    def error(self, target: Array, z: Array) -> Array:
        """dE/dz of each point."""
        loss = self.settings.loss
        if loss == "cross_entropy":
            return np.tanh(z) - target
        if loss == "hinge":
            return np.where(target * z < 1, -target, 0.0)
        output = np.tanh(z) if self.classifies else z
        error = output - target if loss == "squared" else np.sign(output - target)
        if self.classifies:
            error *= 1.0 - output * output
        return error

    def _step(self, gradient: Array, count: int) -> None:
        """One step against the mean of a gradient summed over `count` points; then the weights' decay."""
        net, lr, kind = self.net, self.settings.lr, self.settings.regularization
        if self.dead:
            gradient *= self.alive
        if self.optimizer.name == "sgd":
            change = gradient * (lr / count)
        else:
            change = lr * self.optimizer.direction(gradient / count) * self.alive
        if kind == "none" or not self.settings.rate:
            net.theta -= change
            return
        pull = np.sign(net.theta) if kind == "l1" else net.theta
        shrink = lr * self.settings.rate * pull * net.is_weight
        net.theta -= change
        if kind == "l2":
            net.theta -= shrink
            return
        shrunk = net.theta - shrink
        crossed = (net.theta * shrunk < 0) & net.is_weight
        net.theta[:] = np.where(crossed, 0.0, shrunk)
        if crossed.any():
            self.alive[crossed], self.dead = 0.0, True

    def _rosenblatt(self) -> None:
        """His rule for the output's weights; hidden layers are fixed, as his association units were."""
        net, lr = self.net, self.settings.lr
        for start in range(0, self.points.train, CHUNK):
            end = min(start + CHUNK, self.points.train)
            x = self.x_F1N[:, start:end]
            scores = net.forward(x)
            seen = net.arrays(x.shape[1]).outputs_J1B[-1] if net.activations else x
            labels = torch.from_numpy((self.target_1N[0, start:end] < 0).astype(np.int64))  # class 0 is +1
            gram = torch.from_numpy(lr * (seen.T @ seen))
            changes = corrections(torch.from_numpy(scores.T.copy()), gram, labels, "one_vs_all")
            net.weights_JI1[-1] += lr * (changes.numpy().T @ seen.T)

    def change(self, change: Change) -> None:
        """Change what may change while a net learns."""
        given = change.model_dump(exclude_none=True, exclude={"epoch", "weight"})
        self.settings = self.settings.model_copy(update=given)
        if (edit := change.weight) and edit.layer < len(self.net.weights_JI1):
            weights = self.net.weights_JI1[edit.layer]
            if edit.unit < weights.shape[0] and edit.source < weights.shape[1]:
                weights[edit.unit, edit.source] = edit.value
        self.losses = self.measure()
