"""The hand-written backward pass: a step by hand, autograd, finite differences, and the same learning."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.errors import ConfigError
from pipeline.models.backprop import Backprop, backward_pass, forward_pass
from pipeline.models.mlp import MLP
from pipeline.models.neuron import ACTIVATIONS


def pair(activation: str, dtype: torch.dtype = torch.float32) -> tuple[MLP, Backprop]:
    """The same net twice, from the same seed."""
    nets = []
    for kind in (MLP, Backprop):
        torch.manual_seed(3)
        nets.append(kind([2, 3], 4, [7, 5], activation=activation).to(dtype))
    return nets[0], nets[1]  # type: ignore[return-value]


def gradients(net: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
    net.zero_grad()
    F.cross_entropy(net(inputs), labels).backward()
    return [parameter.grad for parameter in net.parameters() if parameter.grad is not None]


def test_one_weight_of_two_layers_is_worked_by_hand() -> None:
    # y = w2 tanh(w1 x), E = y: dE/dw2 = tanh(w1 x), dE/dw1 = w2 (1 - tanh(w1 x)^2) x, at x = 2, w1 = .5, w2 = 3.
    layers = [(torch.tensor([[0.5]]), torch.zeros(1)), (torch.tensor([[3.0]]), torch.zeros(1))]
    inputs, totals = forward_pass(torch.tensor([[2.0]]), layers, ACTIVATIONS["tanh"])
    (dw1, db1), (dw2, db2) = backward_pass(torch.ones(1, 1), inputs, totals, layers, ACTIVATIONS["tanh"])
    tanh1 = 0.7615941559557649
    assert dw2.item() == pytest.approx(tanh1)
    assert dw1.item() == pytest.approx(3 * (1 - tanh1**2) * 2)
    assert db1.item() == pytest.approx(3 * (1 - tanh1**2))
    assert db2.item() == 1


def test_the_same_seed_gives_the_weights_of_the_mlp() -> None:
    mlp, by_hand = pair("relu")
    for a, b in zip(mlp.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-6), (torch.float64, 1e-9)])
def test_the_gradient_is_autograds(activation: str, dtype: torch.dtype, within: float) -> None:
    inputs, labels = torch.randn(6, 2, 3, dtype=dtype), torch.tensor([0, 1, 2, 3, 0, 1])
    mlp, by_hand = pair(activation, dtype)
    torch.testing.assert_close(by_hand(inputs), mlp(inputs), atol=within, rtol=0)
    expected = gradients(mlp, inputs, labels)
    if activation == "step":  # autograd stops at the last layer: a step has no slope
        expected = [*(torch.zeros_like(p) for p in list(mlp.parameters())[:4]), *expected[-2:]]
    for ours, autograds in zip(gradients(by_hand, inputs, labels), expected, strict=True):
        torch.testing.assert_close(ours, autograds, atol=within, rtol=0)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"step"}))
def test_the_gradient_is_that_of_finite_differences(activation: str) -> None:
    _, net = pair(activation, torch.double)
    inputs, labels = torch.randn(5, 2, 3, dtype=torch.double), torch.tensor([0, 1, 2, 3, 0])
    found, step = gradients(net, inputs, labels), 1e-6
    with torch.no_grad():
        for parameter, gradient in zip(net.parameters(), found, strict=True):
            for index in range(0, parameter.numel(), 3):
                weight = parameter.view(-1)[index]
                kept = weight.item()
                losses = []
                for moved in (kept + step, kept - step):
                    weight.fill_(moved)
                    losses.append(F.cross_entropy(net(inputs), labels).item())
                weight.fill_(kept)
                slope = (losses[0] - losses[1]) / (2 * step)
                assert gradient.view(-1)[index].item() == pytest.approx(slope, abs=1e-7)


def test_it_learns_as_autograd_does() -> None:
    inputs, labels = torch.randn(64, 2, 3), torch.randint(0, 4, (64,))
    curves = []
    for net in pair("tanh"):
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
        curve = []
        for _ in range(300):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(inputs), labels)
            loss.backward()
            optimizer.step()
            curve.append(loss.item())
        curves.append(curve)
    assert curves[0][-1] < 0.5 * curves[0][0]
    assert curves[1] == pytest.approx(curves[0], abs=1e-3)


def test_an_unknown_activation_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="unknown function"):
        Backprop([2], 2, [3], activation="relux")
