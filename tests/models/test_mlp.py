"""The feedforward net: counts and XOR by hand, gradients against finite differences."""

import pytest
import torch

from pipeline.models.mlp import MLP
from pipeline.models.neuron import ACTIVATIONS

BITS = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
XOR = torch.tensor([0, 1, 1, 0])


def test_parameters_are_weights_and_biases_of_each_layer() -> None:
    net = MLP([1, 28, 28], 10, [300, 100])
    assert sum(p.numel() for p in net.parameters()) == 300 * (784 + 1) + 100 * (300 + 1) + 10 * (100 + 1)


def test_weights_set_by_hand_compute_xor() -> None:
    net = MLP([2], 2, [2], activation="step")
    state = {
        "layers.1.weight": torch.tensor([[1.0, 1], [1, 1]]),  # one unit counts at least 1, the other 2
        "layers.1.bias": torch.tensor([-0.5, -1.5]),
        "layers.4.weight": torch.tensor([[0.0, 0], [1, -2]]),
        "layers.4.bias": torch.tensor([0.5, 0.0]),
    }
    net.load_state_dict(state)
    assert torch.equal(net(BITS).argmax(1), XOR)


def test_a_net_without_hidden_layers_is_linear_and_never_learns_xor() -> None:
    net = MLP([2], 2, [])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(300):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(BITS), XOR).backward()
        optimizer.step()
        assert (net(BITS).argmax(1) == XOR).sum() < 4


@pytest.mark.parametrize("seed", range(5))
def test_one_hidden_layer_learns_xor(seed: int) -> None:
    torch.manual_seed(seed)
    net = MLP([2], 2, [8], activation="tanh")
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(BITS), XOR).backward()
        optimizer.step()
    assert torch.equal(net(BITS).argmax(1), XOR)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"step"}))
def test_the_gradient_is_that_of_finite_differences(activation: str) -> None:
    torch.manual_seed(0)
    net = MLP([3, 2], 3, [5, 4], activation=activation).double()
    assert torch.autograd.gradcheck(net, (torch.randn(4, 3, 2, dtype=torch.double, requires_grad=True),))
