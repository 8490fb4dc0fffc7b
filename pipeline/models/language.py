"""A recurrent language model: from the words read so far, the next one; reading back, the one before.

Sources: Mikolov et al. 2010, doi:10.21437/Interspeech.2010-343 (the recurrent model); Jean et al. 2015, arXiv:1412.2007
(learning from some of the vocabulary at a time); Press, Wolf 2017, arXiv:1608.05859 (words in and out share vectors);
Peters et al. 2018, arXiv:1802.05365 (both ways, sharing vectors).
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.models.recurrent import PADDING, Reader

# B batch, T time, E embedding, H state, V vocabulary, N words to guess, C candidates
CELLS_AT_ONCE = 1 << 20  # logits that are in memory together: more would not fit the processor's cache


class LanguageModel(Reader):
    """Guesses words: numbered words (B, T), 0 after a text's end -> (B, T, V) logits of the word after each.

    It reads each text from its first word, and with `bidirectional` another layer reads it from its last. In training a
    word is told from the `common` lowest numbers, which are the commonest words, and from `sampled` others, drawn for
    each batch, that stand for all others.
    """

    def __init__(
        self,
        vocabulary: int,
        cell: Literal["rnn", "gru", "lstm"],
        embedding: int,
        hidden: int,
        bidirectional: bool,
        common: int,
        sampled: int,
    ):
        super().__init__(vocabulary, cell, embedding, hidden, 1 + bidirectional)
        # Longer than a classifier's: with vectors of length 1 the states hardly tell words apart for hundreds of steps.
        self.embedding.weight.data.mul_(4)
        self.vocabulary, self.common, self.sampled = vocabulary, min(common, vocabulary), sampled
        self.guesses = nn.ModuleList(nn.Linear(hidden, embedding) for _ in self.ways)
        self.bias_V = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, tokens_BT: Tensor) -> Tensor:
        states_BTH = self.ways[0](self.embedding(tokens_BT))[0]
        logits_BTV: Tensor = F.linear(self.guesses[0](states_BTH), self.embedding.weight, self.bias_V)
        return logits_BTV

    def init_unigram_bias(self, shares_V: Tensor) -> None:
        """Guess each word, before anything is learned, as often as it occurs."""
        with torch.no_grad():
            self.bias_V.copy_(shares_V.log())

    def nll(self, tokens_BT: Tensor, exact: bool) -> tuple[Tensor, Tensor]:
        """The negative log-likelihood in nats of all words that have a neighbour to be guessed from, and their number.

        `exact` takes the whole vocabulary for candidates; else the sum over all words is an estimate without bias.
        """
        guesses_NE, words_N, real_N = self._guess(tokens_BT)
        candidates_C, weights_C = self._candidates(exact)
        # Cast once, not for each part, where the precision is mixed.
        vectors_CE = self.embedding(candidates_C).to(guesses_NE.dtype)
        bias_C = (self.bias_V[candidates_C] + weights_C).to(guesses_NE.dtype)
        places_V = torch.full((self.vocabulary,), -1, device=words_N.device)
        places_V[candidates_C] = torch.arange(len(candidates_C), device=words_N.device)
        own_N = (guesses_NE.float() * self.embedding(words_N)).sum(dim=1) + self.bias_V[words_N]
        rows = max(1, CELLS_AT_ONCE // len(candidates_C))
        parts = (guesses_NE, own_N, places_V[words_N], words_N >= self.common, real_N)
        losses = []
        for guess_NE, one_N, place_N, rare_N, some_N in zip(*(part.split(rows) for part in parts), strict=True):
            logits_NC = F.linear(guess_NE, vectors_CE, bias_C).float()
            # A rare word that is its own rival by chance would count twice.
            twice = (rare_N & (place_N >= 0)).nonzero().squeeze(1)
            logits_NC[twice, place_N[twice]] = -math.inf
            all_N = logits_NC.logsumexp(dim=1)
            all_N = torch.where(rare_N, torch.logaddexp(all_N, one_N), all_N)
            losses.append(((all_N - one_N) * some_N).sum())
        return torch.stack(losses).sum(), real_N.sum()

    def _guess(self, tokens_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is expected beside each word (N, E), what stands there, and whether it is a word at all."""
        there_BTH, *back = self.states(self.embedding(tokens_BT), tokens_BT != PADDING).chunk(len(self.ways), dim=2)
        seen = [there_BTH[:, :-1], *(back_BTH[:, 1:] for back_BTH in back)]
        words = [tokens_BT[:, 1:], tokens_BT[:, :-1]][: len(seen)]
        real_N = (tokens_BT[:, 1:] != PADDING).flatten()
        guesses_NE = torch.cat([guess(side.flatten(0, 1)) for guess, side in zip(self.guesses, seen, strict=True)])
        return guesses_NE, torch.cat([side.flatten() for side in words]), real_N.repeat(len(self.ways))

    def _candidates(self, exact: bool) -> tuple[Tensor, Tensor]:
        """(C,) the words that are told apart, and the logarithm of how many words each of them stands for."""
        device, others = self.bias_V.device, self.vocabulary - self.common
        drawn = others if exact else min(self.sampled, others)
        some = torch.arange(others) if drawn == others else torch.randperm(others)[:drawn]
        weights_C = torch.zeros(self.common + drawn, device=device)
        if drawn:
            weights_C[self.common :] = math.log(others / drawn)
        return torch.cat([torch.arange(self.common), some + self.common]).to(device), weights_C
