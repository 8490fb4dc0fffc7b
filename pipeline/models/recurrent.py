"""Recurrent nets that read a text word by word: the plain RNN, the GRU, the LSTM; and what classifies by their states.

Sources: Elman 1990, doi:10.1207/s15516709cog1402_1 (RNN); Cho et al. 2014, arXiv:1406.1078 (GRU); Hochreiter,
Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735 (LSTM); Schuster, Paliwal 1997, doi:10.1109/78.650093 (both ways);
Cheng et al. 2016, arXiv:1606.07792 (single features beside a net); Weinberger et al. 2009, arXiv:0902.2206 (hashing).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError

# B batch, T time, E embedding, H state, K class
CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
PADDING, UNKNOWN = 0, 1
FACTOR = 1_000_003  # a prime: spreads pairs of words over their places


class Reader(nn.Module):
    """The states of a recurrent net at each of a text's numbered words (B, T), 0 after its end.

    `ways` are its recurrent layers: none, one that reads on, or another beside it that reads back.
    """

    def __init__(self, vocabulary: int, cell: str, embedding: int, hidden: int, ways: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5)
        self.embedding.weight.data[PADDING] = 0
        self.ways = nn.ModuleList(CELLS[cell](embedding, hidden, batch_first=True) for _ in range(ways))

    def states(self, words_BTE: Tensor, real_BT: Tensor) -> Tensor:
        """The states at each word, of both ways side by side."""
        if not self.ways:
            return words_BTE
        there_BTH: Tensor = self.ways[0](words_BTE)[0]
        if len(self.ways) == 1:
            return there_BTH
        # Reversed before its padding, so that the way back begins at the last word, whatever stands after it.
        turned_BT = self.turned(real_BT)
        back_BTH = self.ways[1](words_BTE.gather(1, turned_BT.expand(-1, -1, words_BTE.shape[2])))[0]
        return torch.cat([there_BTH, back_BTH.gather(1, turned_BT.expand(-1, -1, back_BTH.shape[2]))], dim=2)

    @staticmethod
    def turned(real_BT: Tensor) -> Tensor:
        """(B, T, 1): where each word goes when its text is read backwards; padding stays in place."""
        places_T = torch.arange(real_BT.shape[1], device=real_BT.device)
        back_BT = real_BT.sum(dim=1, keepdim=True) - 1 - places_T
        return torch.where(back_BT >= 0, back_BT, places_T).unsqueeze(2)


class Recurrent(Reader):
    """Text classifier: numbered words (B, T), 0 after a text's end -> (B, K) logits. What stands after it is inert.

    `cell` "none" leaves the recurrence out: what follows sees the embeddings themselves. `pooling` "last" takes the
    state after the last word (of the way back: after the first), "max_mean" the maximum and the mean over the words.
    `word_dropout` makes words unknown at random in training (Iyyer et al. 2015, aclanthology.org/P15-1162).
    With `bigram_buckets`, each two neighbouring words add to the logits what stands at their place, one of so many.
    The word vectors may be moved on the way, by `moved_BTE`.
    `init` says whose first weights it has: torch's, and word vectors of about unit length, or Keras's (`_as_keras`).

    Raises: ConfigError for an unknown cell, pooling or init.
    """

    def __init__(
        self,
        vocabulary: int,
        classes: int,
        cell: Literal["rnn", "gru", "lstm", "none"],
        embedding: int,
        hidden: int,
        bidirectional: bool = False,
        pooling: Literal["last", "max_mean"] = "last",
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        init: Literal["torch", "keras"] = "torch",
        bigram_buckets: int = 0,
    ):
        if cell not in (*CELLS, "none"):
            raise ConfigError(f"model.net.cell: no such cell {cell!r}. There are: {', '.join(CELLS)}, none.")
        if pooling not in ("last", "max_mean") or (pooling == "last" and cell == "none"):
            raise ConfigError(f"model.net.pooling: {pooling!r} with the cell {cell}. Use max_mean, or a cell.")
        if init not in ("torch", "keras"):
            raise ConfigError(f"model.net.init: expected torch or keras, got {init!r}.")
        ways = 0 if cell == "none" else 1 + bidirectional
        super().__init__(vocabulary, cell, embedding, hidden, ways)
        self.pooling, self.word_dropout = pooling, word_dropout
        width = hidden * ways if ways else embedding
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width * (1 + (pooling == "max_mean")), classes))
        self.pairs = nn.Embedding(bigram_buckets, classes) if bigram_buckets else None
        if self.pairs is not None:
            nn.init.zeros_(self.pairs.weight)
        if init == "keras":
            self._as_keras()

    def forward(self, tokens_BT: Tensor, moved_BTE: Tensor | None = None) -> Tensor:
        real_BT = tokens_BT != PADDING
        if self.training and self.word_dropout:
            lost_BT = (torch.rand(tokens_BT.shape, device=tokens_BT.device) < self.word_dropout) & real_BT
            tokens_BT = tokens_BT.masked_fill(lost_BT, UNKNOWN)
        words_BTE = self.embedding(tokens_BT)
        states_BTH = self.states(words_BTE if moved_BTE is None else words_BTE + moved_BTE, real_BT)
        logits_BK: Tensor = self.head(self.pool(states_BTH, real_BT))
        return logits_BK if self.pairs is None else logits_BK + self._of_pairs(self.pairs, tokens_BT, real_BT)

    @staticmethod
    def _of_pairs(pairs: nn.Embedding, tokens_BT: Tensor, real_BT: Tensor) -> Tensor:
        """(B, K): the sum over a text's pairs of words, divided by the root of their number."""
        places_BS = (tokens_BT[:, :-1] * FACTOR + tokens_BT[:, 1:]) % pairs.num_embeddings  # S = T - 1
        real_BS1 = real_BT[:, 1:, None]
        added_BK: Tensor = (pairs(places_BS) * real_BS1).sum(dim=1) / real_BS1.sum(dim=1).clamp(min=1).sqrt()
        return added_BK

    def _as_keras(self) -> None:
        """Uniform word vectors, Glorot's kernels (one for all gates), orthogonal recurrent kernels, biases of zero."""
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        for name, weight in [*self.ways.named_parameters(), *self.head.named_parameters()]:
            if weight.ndim == 1:
                nn.init.zeros_(weight)
            elif "weight_hh" in name:
                nn.init.orthogonal_(weight)
            else:
                nn.init.xavier_uniform_(weight)
        with torch.no_grad():
            self.embedding.weight[PADDING] = 0

    def pool(self, states_BTH: Tensor, real_BT: Tensor) -> Tensor:
        """(B, T, H) -> what is known of the whole text."""
        real_BT1 = real_BT.unsqueeze(2)
        if self.pooling == "max_mean":
            highest_BH = states_BTH.masked_fill(~real_BT1, float("-inf")).amax(dim=1)
            mean_BH = (states_BTH * real_BT1).sum(dim=1) / real_BT1.sum(dim=1)
            return torch.cat([highest_BH, mean_BH], dim=1)
        last_B11 = (real_BT.sum(dim=1) - 1).view(-1, 1, 1)
        there, *back = states_BTH.split(states_BTH.shape[2] // len(self.ways), dim=2)
        ends = [there.gather(1, last_B11.expand(-1, 1, there.shape[2])).squeeze(1), *(way[:, 0] for way in back)]
        return torch.cat(ends, dim=1)
