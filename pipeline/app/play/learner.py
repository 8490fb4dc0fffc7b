"""The learner of TensorFlow's playground, with further optimisers, losses, dropout and Rosenblatt's rule.

Source: Smilkov et al. 2017, arXiv:1708.03788. An epoch visits the points in a fixed order. The gradients of a last
batch that is not full are added to the next epoch's first batch. Optimisers as in torch.optim: Kingma, Ba 2015,
arXiv:1412.6980.
"""

from collections.abc import Callable

import numpy as np
import torch

from pipeline.app.play.dataset import features, make_points
from pipeline.app.play.network import Array, Network
from pipeline.app.play.settings import Change, Settings
from pipeline.models.perceptron import corrections

GRAM_POINTS = 250  # points of one Gram matrix in Rosenblatt's rule


class Optimizer:
    """The step direction of an optimiser, computed from the mean gradient; SGD's is the gradient itself."""

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


# Each loss of a point as a function of (target t, output o, total input z). In classification o = tanh z, and
# cross-entropy is that of the probability (1 + tanh z) / 2; in regression o = z.
LOSSES: dict[str, Callable[[Array, Array, Array], Array]] = {
    "squared": lambda t, o, z: 0.5 * (o - t) ** 2,
    "cross_entropy": lambda t, o, z: np.logaddexp(0.0, -2 * t * z),
    "hinge": lambda t, o, z: np.maximum(0.0, 1 - t * z),
    "absolute": lambda t, o, z: np.abs(o - t),
}


class Learner:
    """A network, its points, and its training epoch by epoch."""

    def __init__(self, settings: Settings):
        self.settings, self.points = settings.model_copy(), make_points(settings)
        self.classifies, self.epoch = settings.classifies, 0
        self.x_F1N = features(self.points.xy_N2, settings.features)
        self.target_1N = self.points.target_N[np.newaxis]
        self.net = Network(
            len(settings.features),
            [layer.units for layer in settings.layers],
            [layer.activation for layer in settings.layers],
            # numpy pads the entropy with zeros: initialization 0 draws the weights of [seed, 1].
            np.random.default_rng([settings.seed, 1, settings.initialization]),
        )
        if settings.init_zero:
            self.net.theta[:] = 0.0
        self.optimizer = Optimizer(settings.optimizer, len(self.net.theta))
        self.alive = np.ones(len(self.net.theta))  # 0 for a weight that L1 has set to 0 for good
        self.any_dead = False
        # Summed gradient, and number of points, of a last batch that is not full.
        self.carried, self.carried_points = np.zeros_like(self.net.theta), 0
        self.losses = self.measure()

    def output(self, z: Array) -> Array:
        """The network's output for z, the total input of its output unit."""
        if self.settings.rule == "rosenblatt":
            return np.where(z > 0, 1.0, -1.0)
        return np.tanh(z) if self.classifies else z

    def measure(self) -> tuple[float, float]:
        """Mean loss of the training and of the test points, without the regularization term."""
        z = self.net.forward(self.x_F1N)
        cost = LOSSES[self.settings.loss](self.target_1N, self.output(z), z)[0]
        train, test = cost[: self.points.train], cost[self.points.train :]
        return float(train.mean()), float(test.mean()) if len(test) else float("nan")

    def run_epoch(self) -> None:
        """Visit every training point once."""
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
                self.carried += net.gradient
                self.carried_points += x.shape[1]
            elif self.carried_points:
                self.carried += net.gradient
                self._step(self.carried, self.carried_points + batch)
                self.carried[:], self.carried_points = 0.0, 0
            else:
                self._step(net.gradient, batch)

    def _mask(self, rng: np.random.Generator, units: int, count: int) -> Array:
        keep_probability = 1 - self.settings.dropout
        return (rng.random((units, count)) < keep_probability) / keep_probability

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
        """One step against the mean of a gradient summed over `count` points, then regularization of the weights."""
        net, lr, kind = self.net, self.settings.lr, self.settings.regularization
        if self.any_dead:
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
            self.alive[crossed], self.any_dead = 0.0, True

    def _rosenblatt(self) -> None:
        """Rosenblatt's rule for the output's weights; hidden layers stay fixed, as his association units did."""
        net, lr = self.net, self.settings.lr
        for start in range(0, self.points.train, GRAM_POINTS):
            end = min(start + GRAM_POINTS, self.points.train)
            x = self.x_F1N[:, start:end]
            scores = net.forward(x)
            inputs = net.workspace(x.shape[1]).outputs_J1B[-1] if net.activations else x
            labels = torch.from_numpy((self.target_1N[0, start:end] < 0).astype(np.int64))  # class 0 is +1
            gram = torch.from_numpy(lr * (inputs.T @ inputs))
            changes = corrections(torch.from_numpy(scores.T.copy()), gram, labels, "one_vs_all")
            net.weights_JI1[-1] += lr * (changes.numpy().T @ inputs.T)

    def change(self, change: Change) -> None:
        """Apply a change during training; one of a weight that does not exist is ignored."""
        updates = change.model_dump(exclude_none=True, exclude={"epoch", "weight"})
        self.settings = self.settings.model_copy(update=updates)
        if (edit := change.weight) and edit.layer < len(self.net.weights_JI1):
            weights = self.net.weights_JI1[edit.layer]
            if edit.unit < weights.shape[0] and edit.source < weights.shape[1]:
                weights[edit.unit, edit.source] = edit.value
        self.losses = self.measure()
