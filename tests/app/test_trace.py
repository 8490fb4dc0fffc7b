"""The trace of one point equals the hand-written backward pass of models/backprop.py, and changes nothing."""

import numpy as np
import pytest
import torch

from pipeline.app.play.learner import Learner
from pipeline.app.play.settings import Settings
from pipeline.app.play.trace import trace
from pipeline.errors import ConfigError
from pipeline.models.backprop import backward_pass, forward_pass
from pipeline.models.neuron import ACTIVATIONS


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_every_number_equals_that_of_backprop(activation: str) -> None:
    layers = [{"units": units, "activation": activation} for units in (4, 3)]
    learner = Learner(Settings.model_validate({"problem": "xor", "layers": layers, "lr": 0.3}))
    learner.run_epoch()
    traced = trace(learner, 7)
    ours = [
        (torch.from_numpy(weights[:, :-1].copy()), torch.from_numpy(weights[:, -1].copy()))
        for weights in learner.net.weights_JI1
    ]
    x_BI = torch.from_numpy(learner.x_F1N[:-1, 7:8].T.copy())
    inputs, totals = forward_pass(x_BI, ours, ACTIVATIONS[activation])
    output = totals[-1].tanh()
    error = (output - traced.target) * (1 - output**2)
    gradients = backward_pass(error, inputs, totals, ours, ACTIVATIONS[activation])
    assert traced.loss == pytest.approx(float(0.5 * (output - traced.target) ** 2), rel=1e-12)
    for layer, z, (weight_JI, bias_J), (by_weight, by_bias) in zip(traced.layers, totals, ours, gradients, strict=True):
        gradient = np.column_stack([by_weight.numpy(), by_bias.numpy()])
        np.testing.assert_allclose(np.array(layer.z, float), z[0].numpy(), rtol=1e-12)
        np.testing.assert_allclose(np.array(layer.gradient, float), gradient, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(np.array(layer.error, float), by_bias.numpy(), rtol=1e-10, atol=1e-15)
        updated = np.column_stack([weight_JI.numpy(), bias_J.numpy()]) - 0.3 * gradient
        np.testing.assert_allclose(np.array(layer.updated, float), updated, rtol=1e-10)


def test_a_trace_leaves_training_as_it_is_and_a_small_step_lowers_the_loss() -> None:
    settings = Settings.model_validate({"problem": "spiral", "batch": 1, "lr": 0.01})
    traced, other = Learner(settings), Learner(settings)
    for point in (0, 249, 250):
        numbers = trace(traced, point)
        assert numbers.point == point % traced.points.train
        assert numbers.loss_after is not None
        assert numbers.loss is not None
        assert numbers.loss_after < numbers.loss
    traced.run_epoch()
    other.run_epoch()
    assert traced.net.theta.tobytes() == other.net.theta.tobytes()


def test_rosenblatts_rule_has_no_backward_pass() -> None:
    with pytest.raises(ConfigError, match="has no backward pass"):
        trace(Learner(Settings.model_validate({"rule": "rosenblatt", "layers": []})), 0)


def test_weights_that_start_at_zero_learn_nothing_but_the_output_bias() -> None:
    learner = Learner(Settings.model_validate({"init_zero": True}))
    assert not learner.net.theta.any()
    learner.run_epoch()
    assert not learner.net.theta[:-1].any()
