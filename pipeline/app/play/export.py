"""Exports of the Playground's network: weights as JSON, a PyTorch program, an experiment of this pipeline."""

import json

import numpy as np

from pipeline.app.play.learner import Learner
from pipeline.errors import ConfigError

FEATURES = {
    "x1": "x",
    "x2": "y",
    "x1²": "x * x",
    "x2²": "y * y",
    "x1x2": "x * y",
    "sin x1": "x.sin()",
    "sin x2": "y.sin()",
}
LAYERS = {
    "tanh": "nn.Tanh()",
    "relu": "nn.ReLU()",
    "sigmoid": "nn.Sigmoid()",
    "linear": "nn.Identity()",
    "step": "Step()",
    "leaky_relu": "nn.LeakyReLU()",
    "elu": "nn.ELU()",
    "softplus": "nn.Softplus()",
    "gelu": "nn.GELU()",
    "silu": "nn.SiLU()",
}
PROGRAM = '''"""A network trained in the Playground for {epoch} epochs. Run it: python {name}

It maps points (N, 2), with coordinates from -6 to 6, to (N, 1): {meaning}.
"""

import torch
from torch import nn


class Step(nn.Module):
    def forward(self, z):
        return (z > 0).to(z.dtype)


class Sign(nn.Module):
    def forward(self, z):
        return torch.where(z > 0, 1.0, -1.0).to(z.dtype)


def features(points):
    x, y = points[:, 0], points[:, 1]
    return torch.stack([{features}], dim=1)


net = nn.Sequential(
{layers}
).double()
weights = {weights}
with torch.no_grad():
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    for layer, (weight, bias) in zip(linear, weights):
        layer.weight.copy_(torch.tensor(weight, dtype=torch.float64))
        layer.bias.copy_(torch.tensor(bias, dtype=torch.float64))

if __name__ == "__main__":
    points = torch.tensor([[0.0, 0.0], [1.0, 2.0], [-3.0, 1.0], [4.0, -4.0]], dtype=torch.float64)
    with torch.inference_mode():
        for point, output in zip(points.tolist(), net.eval()(features(points)).squeeze(1).tolist()):
            print(*point, output)
'''
EXPERIMENT_YAML = """# @package _global_
# Exported from the Playground. Save this file as my_conf/experiment/playground.yaml, then run:
# pipeline train --config-dir my_conf experiment=playground
# Same problem and network; the loss is cross-entropy and the initial weights are torch's.
defaults:
  - override /data: plane
  - override /model: {model}

name: playground
seed: {seed}
data:
  problem: {problem}
  noise: {noise}
  features: {features}
  in_shape: [{count}]
  batch_size: {batch}
"""
MODEL_YAML = """model:
  _target_: pipeline.tasks.classification.Classification
  net:
    _target_: pipeline.models.mlp.MLP
    in_shape: ${{data.in_shape}}
    classes: ${{data.classes}}
    hidden: {hidden}
    activation: {activation}
    dropout: {dropout}
    batch_norm: false
  optimizer:
    _target_: {optimizer}
    _partial_: true
    lr: {lr}
{momentum}    weight_decay: {decay}
trainer:
  max_epochs: {epochs}
"""
OPTIMIZERS = {"sgd": "SGD", "momentum": "SGD", "rmsprop": "RMSprop", "adam": "Adam"}


def export(learner: Learner, form: str) -> tuple[str, str]:
    """Name and text of an exported file; `form` is json, pytorch or yaml.

    Raises: ConfigError if the pipeline cannot train this network, or its weights are not finite.
    """
    if form != "yaml" and not np.isfinite(learner.net.theta).all():
        raise ConfigError(
            "Export: expected finite weights, got NaN or infinity: training has diverged. "
            "Reset the network and choose a smaller learning rate."
        )
    if form == "json":
        return "playground.json", weights_json(learner)
    return ("playground.py", program(learner)) if form == "pytorch" else ("playground.yaml", experiment_yaml(learner))


def weights_json(learner: Learner) -> str:
    """Settings, losses, and each layer's weights (unit, input) and biases."""
    layers = [{"weights": w[:, :-1].tolist(), "biases": w[:, -1].tolist()} for w in learner.net.weights_JI1]
    content = {
        "settings": learner.settings.model_dump(),
        "epoch": learner.epoch,
        "loss": dict(zip(("train", "test"), learner.losses, strict=True)),
        "layers": layers,
    }
    return json.dumps(content, indent=1) + "\n"


def program(learner: Learner) -> str:
    """A Python program that holds the weights and imports nothing but torch."""
    settings, net = learner.settings, learner.net
    output = "Sign()" if settings.rule == "rosenblatt" else "nn.Tanh()" if learner.classifies else "nn.Identity()"
    names = [*(LAYERS[layer.activation] for layer in settings.layers), output]
    lines = []
    for below, units, name in zip(net.widths, net.widths[1:], names, strict=False):
        lines += [f"    nn.Linear({below}, {units}),", f"    {name},"]
    return PROGRAM.format(
        epoch=learner.epoch,
        name="playground.py",
        meaning="above 0 is blue, below 0 is orange" if learner.classifies else "the predicted value",
        features=", ".join(FEATURES[name] for name in settings.features),
        layers="\n".join(lines),
        weights=json.dumps([[w[:, :-1].tolist(), w[:, -1].tolist()] for w in net.weights_JI1]),
    )


def experiment_yaml(learner: Learner) -> str:
    """A configuration for `pipeline train`.

    Raises: ConfigError for a problem or learning rule that the pipeline's tasks do not have.
    """
    settings = learner.settings
    if settings.problem == "own" or not learner.classifies:
        raise ConfigError(
            "Experiment (YAML): expected the problem circle, xor, gauss or spiral, "
            f"got {settings.problem}. Export the PyTorch code instead."
        )
    if settings.rule == "rosenblatt" and settings.layers:
        raise ConfigError(
            "Experiment (YAML): Rosenblatt's rule trains no hidden layers in the pipeline, "
            f"got {len(settings.layers)} hidden layers. Remove them first."
        )
    if settings.init_zero:
        raise ConfigError(
            "Experiment (YAML): the pipeline's nets start from random weights, got weights of 0. "
            "Clear “All weights start at 0” first, or export the PyTorch code instead."
        )
    head = EXPERIMENT_YAML.format(
        model="perceptron" if settings.rule == "rosenblatt" else "null",
        seed=settings.seed,
        problem=settings.problem,
        noise=settings.noise / 100,
        features=json.dumps(settings.features, ensure_ascii=False),
        count=len(settings.features),
        batch=settings.batch,
    )
    epochs = max(1, learner.epoch)
    if settings.rule == "rosenblatt":
        return f"{head}trainer:\n  max_epochs: {epochs}\n"
    momentum = "    momentum: 0.9\n" if settings.optimizer == "momentum" else ""
    decay = settings.rate if settings.regularization == "l2" else 0
    return head + MODEL_YAML.format(
        hidden=[layer.units for layer in settings.layers],
        activation=json.dumps([layer.activation for layer in settings.layers]),
        dropout=settings.dropout,
        optimizer=f"torch.optim.{OPTIMIZERS[settings.optimizer]}",
        lr=settings.lr,
        momentum=momentum,
        decay=decay,
        epochs=epochs,
    )
