"""Recurrent nets for texts: an encoder of plain RNN, GRU or LSTM layers, and a classifier on its states.

Sources: Elman 1990, doi:10.1207/s15516709cog1402_1 (RNN); Cho et al. 2014, arXiv:1406.1078 (GRU); Hochreiter,
Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735 (LSTM); Schuster, Paliwal 1997, doi:10.1109/78.650093 (bidirectional);
Cheng et al. 2016, arXiv:1606.07792 (wide linear features beside a net); Weinberger et al. 2009, arXiv:0902.2206
(hashing).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError

# B batch, T time, E embedding, H state, K class
CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
PADDING, UNKNOWN = 0, 1
HASH_FACTOR = 1_000_003  # a prime: spreads bigrams over their buckets


class RecurrentEncoder(nn.Module):
    """Embedding and recurrent layers: token ids (B, T), padded with 0 at the end -> states (B, T, directions x H).

    `directions` 0 leaves the recurrence out, 1 reads forward, 2 adds a layer that reads backward.
    """

    def __init__(self, vocabulary: int, cell: str, embedding: int, hidden: int, directions: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5)
        self.embedding.weight.data[PADDING] = 0
        self.ways = nn.ModuleList(CELLS[cell](embedding, hidden, batch_first=True) for _ in range(directions))

    def states(self, words_BTE: Tensor, real_BT: Tensor) -> Tensor:
        """(B, T, directions x H) states at each word, both directions concatenated; `real_BT` is False at padding."""
        if not self.ways:
            return words_BTE
        forward_BTH: Tensor = self.ways[0](words_BTE)[0]
        if len(self.ways) == 1:
            return forward_BTH
        # Padding stays last, so that the backward direction starts at the last word.
        reversed_BT = self.reversed(real_BT)
        backward_BTH = self.ways[1](words_BTE.gather(1, reversed_BT.expand(-1, -1, words_BTE.shape[2])))[0]
        return torch.cat(
            [forward_BTH, backward_BTH.gather(1, reversed_BT.expand(-1, -1, backward_BTH.shape[2]))], dim=2
        )

    @staticmethod
    def reversed(real_BT: Tensor) -> Tensor:
        """(B, T, 1) position of each word in its reversed text; padding keeps its position."""
        positions_T = torch.arange(real_BT.shape[1], device=real_BT.device)
        reversed_BT = real_BT.sum(dim=1, keepdim=True) - 1 - positions_T
        return torch.where(reversed_BT >= 0, reversed_BT, positions_T).unsqueeze(2)


class Recurrent(RecurrentEncoder):
    """Text classifier: token ids (B, T), padded with 0 at the end -> (B, K) logits. Padding has no effect.

    `cell` "none" pools the embeddings themselves. `pooling` "last" takes the state after the last word (backward: after
    the first), "max_mean" concatenates the maximum and the mean over the words. `word_dropout` replaces words by the
    unknown word at random in training (Iyyer et al. 2015, aclanthology.org/P15-1162). `bigram_buckets` > 0 adds logits
    for hashed bigrams. `init` "torch" keeps torch's initial weights, with word vectors of about unit length; "keras"
    draws those of Keras's layers (`_init_as_keras`). `forward` adds `perturbation_BTE`, if given, to the word vectors.

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
            raise ConfigError(f"model.net.cell: unknown cell {cell!r}. Choose one of {', '.join(CELLS)}, none.")
        if pooling not in ("last", "max_mean") or (pooling == "last" and cell == "none"):
            raise ConfigError(f"model.net.pooling: {pooling!r} with the cell {cell}. Set max_mean, or another cell.")
        if init not in ("torch", "keras"):
            raise ConfigError(f"model.net.init: expected torch or keras, got {init!r}. Set model.net.init=torch.")
        directions = 0 if cell == "none" else 1 + bidirectional
        super().__init__(vocabulary, cell, embedding, hidden, directions)
        self.pooling, self.word_dropout = pooling, word_dropout
        width = hidden * directions if directions else embedding
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width * (1 + (pooling == "max_mean")), classes))
        self.pairs = nn.Embedding(bigram_buckets, classes) if bigram_buckets else None
        if self.pairs is not None:
            nn.init.zeros_(self.pairs.weight)
        if init == "keras":
            self._init_as_keras()

    def forward(self, tokens_BT: Tensor, perturbation_BTE: Tensor | None = None) -> Tensor:
        real_BT = tokens_BT != PADDING
        if self.training and self.word_dropout:
            dropped_BT = (torch.rand(tokens_BT.shape, device=tokens_BT.device) < self.word_dropout) & real_BT
            tokens_BT = tokens_BT.masked_fill(dropped_BT, UNKNOWN)
        words_BTE = self.embedding(tokens_BT)
        states_BTH = self.states(words_BTE if perturbation_BTE is None else words_BTE + perturbation_BTE, real_BT)
        logits_BK: Tensor = self.head(self.pool(states_BTH, real_BT))
        return logits_BK if self.pairs is None else logits_BK + self._bigram_logits(self.pairs, tokens_BT, real_BT)

    @staticmethod
    def _bigram_logits(pairs: nn.Embedding, tokens_BT: Tensor, real_BT: Tensor) -> Tensor:
        """(B, K) sum of the logits of a text's bigrams, divided by the root of their number."""
        buckets_BS = (tokens_BT[:, :-1] * HASH_FACTOR + tokens_BT[:, 1:]) % pairs.num_embeddings  # S = T - 1
        real_BS1 = real_BT[:, 1:, None]
        logits_BK: Tensor = (pairs(buckets_BS) * real_BS1).sum(dim=1) / real_BS1.sum(dim=1).clamp(min=1).sqrt()
        return logits_BK

    def _init_as_keras(self) -> None:
        """Draw Keras's initial weights: uniform embeddings, Glorot and (recurrent) orthogonal kernels, zero biases."""
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
        """(B, T, H) states -> (B, H or 2 H) features of the text."""
        real_BT1 = real_BT.unsqueeze(2)
        if self.pooling == "max_mean":
            highest_BH = states_BTH.masked_fill(~real_BT1, float("-inf")).amax(dim=1)
            mean_BH = (states_BTH * real_BT1).sum(dim=1) / real_BT1.sum(dim=1)
            return torch.cat([highest_BH, mean_BH], dim=1)
        last_B11 = (real_BT.sum(dim=1) - 1).view(-1, 1, 1)
        forward_BTH, *backward = states_BTH.split(states_BTH.shape[2] // len(self.ways), dim=2)
        ends = [
            forward_BTH.gather(1, last_B11.expand(-1, 1, forward_BTH.shape[2])).squeeze(1),
            *(states[:, 0] for states in backward),
        ]
        return torch.cat(ends, dim=1)
