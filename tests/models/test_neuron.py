"""The threshold unit by truth tables, the activation functions against autograd and finite differences."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.models.neuron import ACTIVATIONS, Activate, Neuron, gate

SMOOTH = sorted(set(ACTIVATIONS) - {"step", "relu", "leaky_relu"})
BITS = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))


def fires(neuron: Neuron, inputs: torch.Tensor) -> torch.Tensor:
    """(B,) of 1 and 0."""
    fired_B: torch.Tensor = neuron(inputs).argmax(dim=1)
    return fired_B


@pytest.mark.parametrize(
    ("name", "table"), [("and", [0, 0, 0, 1]), ("or", [0, 1, 1, 1]), ("nand", [1, 1, 1, 0]), ("nor", [1, 0, 0, 0])]
)
def test_a_neuron_computes_the_gate(name: str, table: list[int]) -> None:
    assert fires(gate(name), BITS).tolist() == table


def test_no_neuron_is_offered_for_xor() -> None:
    with pytest.raises(ConfigError, match=r"unknown gate 'xor'\. Choose one of and, or, nand, nor"):
        gate("xor")


def test_a_neuron_rests_at_its_threshold_and_fires_above_it() -> None:
    neuron = Neuron([1.0], 0.5)
    assert fires(neuron, torch.tensor([[0.5], [0.5001]])).tolist() == [0, 1]


def test_two_layers_of_neurons_compute_xor_which_no_neuron_of_a_grid_does() -> None:
    hidden = torch.stack([fires(gate("or"), BITS), fires(gate("nand"), BITS)], dim=1).float()
    assert fires(gate("and"), hidden).tolist() == [0, 1, 1, 0]
    grid = torch.linspace(-2, 2, 9).tolist()
    outputs = [fires(Neuron([a, b], c), BITS).tolist() for a, b, c in itertools.product(grid, repeat=3)]
    assert [0, 1, 1, 0] not in outputs
    assert len({tuple(table) for table in outputs}) == 14  # of the 16 functions of two bits


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_stated_slope_is_autograds_and_at_0_torchs(name: str) -> None:
    x = torch.linspace(-4, 4, 81, dtype=torch.double, requires_grad=True)
    out = ACTIVATIONS[name].function(x)
    (slope,) = torch.autograd.grad(out.sum(), x) if out.requires_grad else (torch.zeros_like(x),)
    torch.testing.assert_close(ACTIVATIONS[name].derivative(x.detach()), slope)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_stated_slope_is_that_of_finite_differences(name: str) -> None:
    x = torch.linspace(-4, 4, 80, dtype=torch.double)
    function, step = ACTIVATIONS[name].function, 1e-6
    slope = (function(x + step) - function(x - step)) / (2 * step)
    torch.testing.assert_close(ACTIVATIONS[name].derivative(x), slope, atol=1e-7, rtol=1e-6)


@given(st.sampled_from(sorted(ACTIVATIONS)), st.floats(-50, 50))
def test_values_stay_in_the_stated_range(name: str, x: float) -> None:
    low, high = ACTIVATIONS[name].range
    value = ACTIVATIONS[name].function(torch.tensor(x, dtype=torch.double)).item()
    assert low <= value <= high


@pytest.mark.parametrize(
    ("formula", "x", "value"),
    [
        ("sigmoid", 0.0, 0.5),
        ("tanh", 1.0, (math.e**2 - 1) / (math.e**2 + 1)),
        ("softplus", 0.0, math.log(2)),
        ("elu", -1.0, 1 / math.e - 1),
        ("leaky_relu", -2.0, -0.02),
        ("silu", 1.0, 1 / (1 + 1 / math.e)),
    ],
)
def test_values_worked_by_hand(formula: str, x: float, value: float) -> None:
    assert ACTIVATIONS[formula].function(torch.tensor(x, dtype=torch.double)).item() == pytest.approx(value)


def test_an_unknown_activation_is_answered_with_the_family() -> None:
    with pytest.raises(ConfigError, match=r"unknown function 'rleu'. Choose one of linear, step, sigmoid"):
        Activate("rleu")
