"""Sequence-to-sequence model: a bidirectional GRU encoder and a GRU decoder with attention.

Sources: Sutskever, Vinyals, Le 2014, arXiv:1409.3215 (encoder, decoder); Cho et al. 2014, arXiv:1406.1078 (the gated
recurrent unit); Luong, Pham, Manning 2015, arXiv:1508.04025 ("general" attention with input feeding).
"""

import torch
from torch import Tensor, nn

from pipeline.types import END, PAD

# B batch, S time of the source, T time of the target, V symbol, E embedding, H hidden, M memory (2 H)
State = tuple[Tensor, Tensor]  # of a decoder


class Encoder(nn.Module):
    """Bidirectional encoder: symbols (B, S) -> states (B, S, M), and the last state of both directions (B, M).

    The backward direction reverses each word without its padding, which stays last and has no effect.
    """

    def __init__(self, symbols: int, embedding: int, hidden: int):
        super().__init__()
        self.embed = nn.Embedding(symbols, embedding)
        self.forwards = nn.GRU(embedding, hidden, batch_first=True)
        self.backwards = nn.GRU(embedding, hidden, batch_first=True)

    def forward(self, source_BS: Tensor) -> tuple[Tensor, Tensor]:
        embedded_BSE = self.embed(source_BS)
        length_B1 = (source_BS != PAD).sum(dim=1, keepdim=True)
        # Reverses the word's positions, and the padding's among themselves: reversing twice restores the order.
        reversed_BS = (length_B1 - 1 - torch.arange(source_BS.shape[1], device=source_BS.device)) % source_BS.shape[1]
        forward_BSH, _ = self.forwards(embedded_BSE)
        backward_BSH, _ = self.backwards(_take(embedded_BSE, reversed_BS))
        last_B1 = (length_B1 - 1).clamp(min=0)
        summary_BM = torch.cat([_take(forward_BSH, last_B1), _take(backward_BSH, last_B1)], dim=2).squeeze(1)
        return torch.cat([forward_BSH, _take(backward_BSH, reversed_BS)], dim=2), summary_BM


class Attention(nn.Module):
    """Attention over the memory: (B, 1, H), (B, S, M), mask (B, S) -> context (B, 1, M), weights (B, 1, S)."""

    def __init__(self, hidden: int, memory: int):
        super().__init__()
        self.query = nn.Linear(hidden, memory, bias=False)

    def forward(self, state_B1H: Tensor, memory_BSM: Tensor, mask_BS: Tensor) -> tuple[Tensor, Tensor]:
        scores_B1S = self.query(state_B1H) @ memory_BSM.transpose(1, 2)
        # The smallest finite number, because softmax of a row of -inf is NaN where all is padding.
        scores_B1S = scores_B1S.masked_fill(~mask_BS[:, None], torch.finfo(scores_B1S.dtype).min)
        weights_B1S = scores_B1S.softmax(dim=2)
        return weights_B1S @ memory_BSM, weights_B1S


class Decoder(nn.Module):
    """One decoding step: previous symbol (B, 1), state and memory -> logits (B, 1, V), state, weights (B, 1, S).

    A state is the GRU's hidden state (1, B, H) and the last attentional vector (B, 1, H), which is fed back as input.
    """

    def __init__(self, symbols: int, embedding: int, hidden: int, memory: int):
        super().__init__()
        self.embed = nn.Embedding(symbols, embedding)
        self.recur = nn.GRU(embedding + hidden, hidden, batch_first=True)
        self.attend = Attention(hidden, memory)
        self.combine = nn.Linear(memory + hidden, hidden)
        self.project = nn.Linear(hidden, symbols)

    def forward(
        self, previous_B1: Tensor, state: State, memory_BSM: Tensor, mask_BS: Tensor
    ) -> tuple[Tensor, State, Tensor]:
        gru_1BH, attentional_B1H = state
        hidden_B1H, gru_1BH = self.recur(torch.cat([self.embed(previous_B1), attentional_B1H], dim=2), gru_1BH)
        context_B1M, weights_B1S = self.attend(hidden_B1H, memory_BSM, mask_BS)
        attentional_B1H = self.combine(torch.cat([context_B1M, hidden_B1H], dim=2)).tanh()
        return self.project(attentional_B1H), (gru_1BH, attentional_B1H), weights_B1S


class Seq2Seq(nn.Module):
    """Translator of symbols: (B, S), padded with 0 -> (B, steps, V) logits of greedy decoding.

    Symbols after the first end symbol (1) of an output are meaningless.
    """

    def __init__(self, symbols: int, steps: int, embedding: int, hidden: int):
        super().__init__()
        self.steps = steps
        self.encoder = Encoder(symbols, embedding, hidden)
        self.start = nn.Linear(2 * hidden, hidden)
        self.decoder = Decoder(symbols, embedding, hidden, 2 * hidden)

    def forward(self, source_BS: Tensor) -> Tensor:
        return self.greedy(source_BS)[0]

    def greedy(self, source_BS: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, steps, V) and attention weights (B, steps, S) of greedy decoding."""
        return self._decode(source_BS, None, self.steps)

    def teacher_forcing(self, source_BS: Tensor, target_BT: Tensor) -> Tensor:
        """Logits (B, T, V) where each step is fed the true previous symbol."""
        return self._decode(source_BS, target_BT, target_BT.shape[1])[0]

    def _decode(self, source_BS: Tensor, target_BT: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        """Decode `count` steps from the end symbol, fed the target's symbols or, without a target, its own output."""
        memory_BSM, summary_BM = self.encoder(source_BS)
        gru_1BH = self.start(summary_BM).tanh()[None]
        state: State = (gru_1BH, torch.zeros_like(gru_1BH).transpose(0, 1))
        symbol_B1, mask_BS = torch.full_like(source_BS[:, :1], END), source_BS != PAD
        steps = []
        for step in range(count):
            logits_B1V, state, weights_B1S = self.decoder(symbol_B1, state, memory_BSM, mask_BS)
            symbol_B1 = logits_B1V.argmax(dim=2) if target_BT is None else target_BT[:, step : step + 1]
            steps.append((logits_B1V, weights_B1S))
        logits, weights = zip(*steps, strict=True)
        return torch.cat(logits, dim=1), torch.cat(weights, dim=1)


def _take(values_BSH: Tensor, positions_BT: Tensor) -> Tensor:
    """(B, T, H) values at the given positions of each row."""
    return values_BSH.gather(1, positions_BT[:, :, None].expand(-1, -1, values_BSH.shape[2]))
