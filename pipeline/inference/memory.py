"""The memory of a recurrent net: its gates and states at each word of a text, computed from its weights.

The formulas are those of torch's layers: https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.recurrent import RecurrentEncoder

# T words, E embedding, H units, G units of all gates
Values = dict[str, Tensor]  # (H,) of each gate and state, by its letter in the formulas
# From the word's part of the gates, the former state's part, and the values at the former word.
Step = Callable[[Tensor, Tensor, Values], Values]


@torch.inference_mode()
def gates_and_states(net: RecurrentEncoder, ids_T: Tensor) -> list[dict[str, np.ndarray]]:
    """(T, H) values of each gate and state at each word, for each direction, forward first.

    RNN: h = tanh(word + state), the parts of the word and of the former state. GRU: h = (1 - z) n + z h_before with the
    gates r and z and the candidate n. LSTM: c = f c_before + i g and h = o tanh(c) with the gates i, f, o and the
    candidate g. Backward, the former word is the next one of the text.
    """
    words_TE = net.embedding(ids_T)
    readings = []
    for number, layer in enumerate(net.ways):
        assert isinstance(layer, nn.RNNBase)
        values = _read(layer, words_TE.flip(0) if number else words_TE)
        readings.append({name: (each.flip(0) if number else each).numpy() for name, each in values.items()})
    return readings


def _read(layer: nn.RNNBase, words_TE: Tensor) -> Values:
    """(T, H) values of a layer that reads the words in this order."""
    step, weights = STEPS[type(layer)], dict(layer.named_parameters())
    before = {name: torch.zeros(layer.hidden_size) for name in ("h", "c")}
    read = []
    for word_G in words_TE @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]:
        before = step(word_G, weights["weight_hh_l0"] @ before["h"] + weights["bias_hh_l0"], before)
        read.append(before)
    return {name: torch.stack([values[name] for values in read]) for name in before}


def _rnn(word_H: Tensor, state_H: Tensor, before: Values) -> Values:
    return {"word": word_H, "state": state_H, "h": torch.tanh(word_H + state_H)}


def _gru(word_G: Tensor, state_G: Tensor, before: Values) -> Values:
    (word_r, word_z, word_n), (state_r, state_z, state_n) = word_G.chunk(3), state_G.chunk(3)
    r, z = torch.sigmoid(word_r + state_r), torch.sigmoid(word_z + state_z)
    n = torch.tanh(word_n + r * state_n)
    return {"r": r, "z": z, "n": n, "h": (1 - z) * n + z * before["h"]}


def _lstm(word_G: Tensor, state_G: Tensor, before: Values) -> Values:
    i, f, g, o = (word_G + state_G).chunk(4)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    c = f * before["c"] + i * g
    return {"f": f, "i": i, "g": g, "c": c, "o": o, "h": o * torch.tanh(c)}


STEPS: dict[type[nn.Module], Step] = {nn.RNN: _rnn, nn.GRU: _gru, nn.LSTM: _lstm}
