"""Sequence to sequence: an encoder reads, a decoder writes and looks back with attention.

Sources: Sutskever, Vinyals, Le 2014, arXiv:1409.3215 (encoder, decoder); Cho et al. 2014, arXiv:1406.1078 (the gated
recurrent unit); Luong, Pham, Manning 2015, arXiv:1508.04025 (attention, "general", and feeding what it saw back in).
"""

import torch
from torch import Tensor, nn

from pipeline.types import END, PAD

# B batch, S time of the source, T time of the answer, V symbol, E embedding, H hidden, M memory (2 H)
State = tuple[Tensor, Tensor]  # of a decoder


class Encoder(nn.Module):
    """Reads symbols both ways: (B, S) -> a memory of each place (B, S, M), and of the whole (B, M).

    The backward reading turns each word around by itself, so that padding comes last both ways and changes nothing.
    """

    def __init__(self, symbols: int, embedding: int, hidden: int):
        super().__init__()
        self.embed = nn.Embedding(symbols, embedding)
        self.forwards = nn.GRU(embedding, hidden, batch_first=True)
        self.backwards = nn.GRU(embedding, hidden, batch_first=True)

    def forward(self, source_BS: Tensor) -> tuple[Tensor, Tensor]:
        embedded_BSE = self.embed(source_BS)
        length_B1 = (source_BS != PAD).sum(dim=1, keepdim=True)
        # Turns the word's places around and the padding's too: twice turned is as before.
        turned_BS = (length_B1 - 1 - torch.arange(source_BS.shape[1], device=source_BS.device)) % source_BS.shape[1]
        first_BSH, _ = self.forwards(embedded_BSE)
        second_BSH, _ = self.backwards(_take(embedded_BSE, turned_BS))
        last_B1 = (length_B1 - 1).clamp(min=0)
        whole_BM = torch.cat([_take(first_BSH, last_B1), _take(second_BSH, last_B1)], dim=2).squeeze(1)
        return torch.cat([first_BSH, _take(second_BSH, turned_BS)], dim=2), whole_BM


class Attention(nn.Module):
    """Where a state looks in the memory: (B, 1, H), (B, S, M), mask (B, S) -> (B, 1, M), weights (B, 1, S)."""

    def __init__(self, hidden: int, memory: int):
        super().__init__()
        self.query = nn.Linear(hidden, memory, bias=False)

    def forward(self, state_B1H: Tensor, memory_BSM: Tensor, mask_BS: Tensor) -> tuple[Tensor, Tensor]:
        scores_B1S = self.query(state_B1H) @ memory_BSM.transpose(1, 2)
        # The least number and not -inf, of which softmax makes NaN where all is padding.
        scores_B1S = scores_B1S.masked_fill(~mask_BS[:, None], torch.finfo(scores_B1S.dtype).min)
        weights_B1S = scores_B1S.softmax(dim=2)
        return weights_B1S @ memory_BSM, weights_B1S


class Decoder(nn.Module):
    """Writes one symbol: from the one before (B, 1), state and memory to logits (B, 1, V), state, weights (B, 1, S).

    A state is the unit's own (1, B, H) and what it last saw with attention (B, 1, H), which is fed back in, so that it
    knows where in the word it is.
    """

    def __init__(self, symbols: int, embedding: int, hidden: int, memory: int):
        super().__init__()
        self.embed = nn.Embedding(symbols, embedding)
        self.recur = nn.GRU(embedding + hidden, hidden, batch_first=True)
        self.attend = Attention(hidden, memory)
        self.combine = nn.Linear(memory + hidden, hidden)
        self.project = nn.Linear(hidden, symbols)

    def forward(
        self, before_B1: Tensor, state: State, memory_BSM: Tensor, mask_BS: Tensor
    ) -> tuple[Tensor, State, Tensor]:
        own_1BH, seen_B1H = state
        hidden_B1H, own_1BH = self.recur(torch.cat([self.embed(before_B1), seen_B1H], dim=2), own_1BH)
        context_B1M, weights_B1S = self.attend(hidden_B1H, memory_BSM, mask_BS)
        seen_B1H = self.combine(torch.cat([context_B1M, hidden_B1H], dim=2)).tanh()
        return self.project(seen_B1H), (own_1BH, seen_B1H), weights_B1S


class Seq2Seq(nn.Module):
    """Translator of symbols: (B, S), padded with 0 -> (B, steps, V) logits of its own greedy answer.

    What follows the first end symbol (1) of an answer means nothing.
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
        """Logits (B, steps, V) and attention weights (B, steps, S), each step fed the likeliest symbol before."""
        return self._write(source_BS, None, self.steps)

    def teacher_forcing(self, source_BS: Tensor, target_BT: Tensor) -> Tensor:
        """Logits (B, T, V) where each step is fed the true symbol before."""
        return self._write(source_BS, target_BT, target_BT.shape[1])[0]

    def _write(self, source_BS: Tensor, target_BT: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        """Step by step from the end symbol on, along the target or else along its own answer."""
        memory_BSM, whole_BM = self.encoder(source_BS)
        own_1BH = self.start(whole_BM).tanh()[None]
        state: State = (own_1BH, torch.zeros_like(own_1BH).transpose(0, 1))
        symbol_B1, mask_BS = torch.full_like(source_BS[:, :1], END), source_BS != PAD
        steps = []
        for step in range(count):
            logits_B1V, state, weights_B1S = self.decoder(symbol_B1, state, memory_BSM, mask_BS)
            symbol_B1 = logits_B1V.argmax(dim=2) if target_BT is None else target_BT[:, step : step + 1]
            steps.append((logits_B1V, weights_B1S))
        logits, weights = zip(*steps, strict=True)
        return torch.cat(logits, dim=1), torch.cat(weights, dim=1)


def _take(values_BSH: Tensor, places_BT: Tensor) -> Tensor:
    """The values at some places of each row: (B, T, H)."""
    return values_BSH.gather(1, places_BT[:, :, None].expand(-1, -1, values_BSH.shape[2]))
