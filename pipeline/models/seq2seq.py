"""Sequence to sequence: an encoder reads, a decoder writes and looks back with attention.

Sources: Sutskever, Vinyals, Le 2014, arXiv:1409.3215 (encoder, decoder); Cho et al. 2014, arXiv:1406.1078 (the gated
recurrent unit); Luong, Pham, Manning 2015, arXiv:1508.04025 (the attention, "general").
"""

import torch
from torch import Tensor, nn

from pipeline.types import END, PAD

# B batch, S time of the source, T time of the answer, V symbol, E embedding, H hidden, M memory (2 H)


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
    """Where each of T states looks in the memory: (B, T, H), (B, S, M), mask (B, S) -> (B, T, M), weights (B, T, S)."""

    def __init__(self, hidden: int, memory: int):
        super().__init__()
        self.key = nn.Linear(memory, hidden, bias=False)

    def forward(self, state_BTH: Tensor, memory_BSM: Tensor, mask_BS: Tensor) -> tuple[Tensor, Tensor]:
        scores_BTS = state_BTH @ self.key(memory_BSM).transpose(1, 2)
        # The least number and not -inf, of which softmax makes NaN where all is padding.
        scores_BTS = scores_BTS.masked_fill(~mask_BS[:, None], torch.finfo(scores_BTS.dtype).min)
        weights_BTS = scores_BTS.softmax(dim=2)
        return weights_BTS @ memory_BSM, weights_BTS


class Decoder(nn.Module):
    """Writes: from the symbols before (B, T), a state (1, B, H) and the memory to logits (B, T, V), state, weights.

    Attention does not feed back into the state, so that T symbols known beforehand are one call.
    """

    def __init__(self, symbols: int, embedding: int, hidden: int, memory: int):
        super().__init__()
        self.embed = nn.Embedding(symbols, embedding)
        self.start = nn.Linear(memory, hidden)
        self.recur = nn.GRU(embedding, hidden, batch_first=True)
        self.attend = Attention(hidden, memory)
        self.combine = nn.Linear(memory + hidden, hidden)
        self.project = nn.Linear(hidden, symbols)

    def forward(
        self, before_BT: Tensor, state_1BH: Tensor, memory_BSM: Tensor, mask_BS: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        hidden_BTH, state_1BH = self.recur(self.embed(before_BT), state_1BH)
        context_BTM, weights_BTS = self.attend(hidden_BTH, memory_BSM, mask_BS)
        combined_BTH = self.combine(torch.cat([context_BTM, hidden_BTH], dim=2)).tanh()
        return self.project(combined_BTH), state_1BH, weights_BTS


class Seq2Seq(nn.Module):
    """Translator of symbols: (B, S), padded with 0 -> (B, steps, V) logits of its own greedy answer.

    What follows the first end symbol (1) of an answer means nothing.
    """

    def __init__(self, symbols: int, steps: int, embedding: int, hidden: int):
        super().__init__()
        self.steps = steps
        self.encoder = Encoder(symbols, embedding, hidden)
        self.decoder = Decoder(symbols, embedding, hidden, 2 * hidden)

    def forward(self, source_BS: Tensor) -> Tensor:
        return self.greedy(source_BS)[0]

    def greedy(self, source_BS: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, steps, V) and attention weights (B, steps, S), each step fed the likeliest symbol before."""
        state, memory, mask = self._read(source_BS)
        symbol_B1 = torch.full_like(source_BS[:, :1], END)
        steps = []
        for _ in range(self.steps):
            logits_B1V, state, weights_B1S = self.decoder(symbol_B1, state, memory, mask)
            symbol_B1 = logits_B1V.argmax(dim=2)
            steps.append((logits_B1V, weights_B1S))
        logits, weights = zip(*steps, strict=True)
        return torch.cat(logits, dim=1), torch.cat(weights, dim=1)

    def teach(self, source_BS: Tensor, target_BT: Tensor) -> Tensor:
        """Logits (B, T, V) where each step is fed the true symbol before; the end symbol stands before the first."""
        before_BT = torch.cat([torch.full_like(target_BT[:, :1], END), target_BT[:, :-1]], dim=1)
        logits_BTV: Tensor = self.decoder(before_BT, *self._read(source_BS))[0]
        return logits_BTV

    def _read(self, source_BS: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The decoder's first state, the memory, and which of its places are not padding."""
        memory_BSM, whole_BM = self.encoder(source_BS)
        return self.decoder.start(whole_BM).tanh()[None], memory_BSM, source_BS != PAD


def _take(values_BSH: Tensor, places_BT: Tensor) -> Tensor:
    """The values at some places of each row: (B, T, H)."""
    return values_BSH.gather(1, places_BT[:, :, None].expand(-1, -1, values_BSH.shape[2]))
