"""Recurrent language model: predict the next word, and in the backward direction the previous one.

Sources: Mikolov et al. 2010, doi:10.21437/Interspeech.2010-343 (the recurrent model); Jean et al. 2015, arXiv:1412.2007
(sampled softmax); Press, Wolf 2017, arXiv:1608.05859 (tied input and output embeddings);
Peters et al. 2018, arXiv:1802.05365 (bidirectional).
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.models.recurrent import PADDING, RecurrentEncoder

# B batch, T time, E embedding, H state, V vocabulary, N predictions, C candidates
LOGITS_AT_ONCE = 1 << 20  # more logits would not fit the processor's cache


class LanguageModel(RecurrentEncoder):
    """Language model: token ids (B, T), padded with 0 at the end -> (B, T, V) logits of the next word.

    With `bidirectional` a second layer predicts the previous word; both share the embeddings, which are tied to the
    output. Training uses a sampled softmax: its candidates are the `common` lowest ids, which are the most frequent
    words, and `sampled` of the other ids, drawn for each batch, weighted to stand for all of them.
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
        # Longer than a classifier's: with unit vectors the states hardly differ between words for hundreds of steps.
        self.embedding.weight.data.mul_(4)
        self.vocabulary, self.common, self.sampled = vocabulary, min(common, vocabulary), sampled
        self.guesses = nn.ModuleList(nn.Linear(hidden, embedding) for _ in self.ways)
        self.bias_V = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, tokens_BT: Tensor) -> Tensor:
        states_BTH = self.ways[0](self.embedding(tokens_BT))[0]
        logits_BTV: Tensor = F.linear(self.guesses[0](states_BTH), self.embedding.weight, self.bias_V)
        return logits_BTV

    def init_unigram_bias(self, probabilities_V: Tensor) -> None:
        """Initialise the output bias, so that the untrained model predicts the unigram distribution."""
        with torch.no_grad():
            self.bias_V.copy_(probabilities_V.log())

    def nll(self, tokens_BT: Tensor, exact: bool) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood, in nats, of all words that have context, and their number.

        `exact` normalises over the whole vocabulary; else the sum in the denominator is an unbiased estimate.
        """
        predicted_NE, words_N, real_N = self._predict(tokens_BT)
        candidates_C, weights_C = self._candidates(exact)
        # Cast once and not for each part, for mixed precision.
        vectors_CE = self.embedding(candidates_C).to(predicted_NE.dtype)
        bias_C = (self.bias_V[candidates_C] + weights_C).to(predicted_NE.dtype)
        positions_V = torch.full((self.vocabulary,), -1, device=words_N.device)
        positions_V[candidates_C] = torch.arange(len(candidates_C), device=words_N.device)
        target_logit_N = (predicted_NE.float() * self.embedding(words_N)).sum(dim=1) + self.bias_V[words_N]
        rows = max(1, LOGITS_AT_ONCE // len(candidates_C))
        columns = (predicted_NE, target_logit_N, positions_V[words_N], words_N >= self.common, real_N)
        losses = []
        for part_NE, target_N, position_N, rare_N, is_word_N in zip(*(c.split(rows) for c in columns), strict=True):
            logits_NC = F.linear(part_NE, vectors_CE, bias_C).float()
            # A rare target that was also drawn as a candidate would count twice.
            twice = (rare_N & (position_N >= 0)).nonzero().squeeze(1)
            logits_NC[twice, position_N[twice]] = -math.inf
            normaliser_N = logits_NC.logsumexp(dim=1)
            normaliser_N = torch.where(rare_N, torch.logaddexp(normaliser_N, target_N), normaliser_N)
            losses.append(((normaliser_N - target_N) * is_word_N).sum())
        return torch.stack(losses).sum(), real_N.sum()

    def _predict(self, tokens_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, E) predicted output vectors, (N,) the target words, and (N,) False where the target is padding."""
        forward_BTH, *backward = self.states(self.embedding(tokens_BT), tokens_BT != PADDING).chunk(
            len(self.ways), dim=2
        )
        contexts = [forward_BTH[:, :-1], *(states_BTH[:, 1:] for states_BTH in backward)]
        targets = [tokens_BT[:, 1:], tokens_BT[:, :-1]][: len(contexts)]
        real_N = (tokens_BT[:, 1:] != PADDING).flatten()
        predicted_NE = torch.cat(
            [head(states.flatten(0, 1)) for head, states in zip(self.guesses, contexts, strict=True)]
        )
        return predicted_NE, torch.cat([words.flatten() for words in targets]), real_N.repeat(len(self.ways))

    def _candidates(self, exact: bool) -> tuple[Tensor, Tensor]:
        """(C,) candidate words, and (C,) the logarithm of how many words each of them stands for."""
        device, others = self.bias_V.device, self.vocabulary - self.common
        drawn = others if exact else min(self.sampled, others)
        sample = torch.arange(others) if drawn == others else torch.randperm(others)[:drawn]
        weights_C = torch.zeros(self.common + drawn, device=device)
        if drawn:
            weights_C[self.common :] = math.log(others / drawn)
        return torch.cat([torch.arange(self.common), sample + self.common]).to(device), weights_C
