"""The memory of recurrent nets: the recomputed states are torch's own."""

import numpy as np
import pytest
import torch

from pipeline.inference.memory import gates_and_states
from pipeline.models.recurrent import Recurrent

IDS_T = torch.tensor([3, 7, 1, 7, 9, 2])
QUANTITIES = {"rnn": "word state h", "gru": "r z n h", "lstm": "f i g c o h"}


def net(cell: str) -> Recurrent:
    torch.manual_seed(2)
    return Recurrent(10, 2, cell, embedding=5, hidden=4, bidirectional=True).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("cell", QUANTITIES)
def test_the_states_equal_those_of_torchs_own_layers_in_both_directions(cell: str) -> None:
    made = net(cell)
    forward, backward = gates_and_states(made, IDS_T)
    with torch.no_grad():
        states_TH = made.states(made.embedding(IDS_T[None]), IDS_T[None] != 0)[0].numpy()
    np.testing.assert_allclose(np.hstack([forward["h"], backward["h"]]), states_TH, atol=1e-6)
    for values in (forward, backward):
        assert " ".join(values) == QUANTITIES[cell]
        assert {each.shape for each in values.values()} == {(6, 4)}


@pytest.mark.parametrize("reading", [0, 1], ids=["forward", "backward"])
def test_the_cell_equals_torchs_after_each_word(reading: int) -> None:
    made = net("lstm")
    cells_TH = gates_and_states(made, IDS_T)[reading]["c"]
    words_TE = made.embedding(IDS_T)
    for place in range(6):
        read_TE = words_TE[place:].flip(0) if reading else words_TE[: place + 1]
        with torch.no_grad():
            _, (_, cell_1H) = made.ways[reading](read_TE)
        np.testing.assert_allclose(cells_TH[place], cell_1H[0].numpy(), atol=1e-6)


def test_a_net_that_reads_forward_has_one_direction() -> None:
    one_way = Recurrent(10, 2, "gru", embedding=5, hidden=4).eval()
    assert len(gates_and_states(one_way, IDS_T)) == 1


def test_gates_by_hand() -> None:
    """An LSTM of one unit whose weights are 0: its biases alone are the gates."""
    made = Recurrent(10, 2, "lstm", embedding=1, hidden=1).eval()
    for weight in made.ways.parameters():
        torch.nn.init.zeros_(weight)
    bias = torch.tensor([0.0, np.log(3), np.arctanh(0.5), -np.log(3)])  # i = .5, f = .75, g = .5, o = .25
    made.ways[0].bias_ih_l0.data = bias.float()
    (values,) = gates_and_states(made, torch.tensor([2, 3]))
    np.testing.assert_allclose(values["c"][:, 0], [0.25, 0.75 * 0.25 + 0.25], atol=1e-6)
    np.testing.assert_allclose(values["h"][:, 0], 0.25 * np.tanh([0.25, 0.4375]), atol=1e-6)
