"""Texts to learn a language model from: those of train, whatever their labels, and those without any."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pipeline.data.texts.text_data import TextData
from pipeline.types import DataSet, Split

# V vocabulary
MEASURED = 200  # texts of a split that perplexity is measured on: all 25,000 of IMDB's test would take an hour
HELD_OUT: tuple[Split, Split] = ("val", "test")


class LanguageData(TextData):
    """The batches and the vocabulary of `TextData`; train has the texts without a label, too.

    Validation and test texts are never learned from. Of each, 200 are measured, evenly spread.
    """

    def read(self) -> None:
        if self.truth:
            return
        super().read()
        for split in HELD_OUT:
            part, rows = self.rows_of[split]
            self.rows_of[split], self.truth[split] = (part, measured(rows)), measured(self.truth[split])

    def setup(self, stage: str | None = None) -> None:
        if "val" in self.splits:
            return
        super().setup(stage)
        texts = [*self.splits["train"][0], *self._numbers(*self._unsup())]
        self.splits["train"] = texts, torch.zeros(len(texts), dtype=torch.long)

    def describe(self) -> DataSet:
        known = super().describe()
        return replace(known, rows={**known.rows, "train": known.rows["train"] + len(self.tokens("unsup"))})

    def unigram_probabilities(self) -> Tensor:
        """(V,) how often each number occurs in train, as a share of all; none is 0."""
        counts_V = torch.bincount(torch.cat(self.splits["train"][0]), minlength=self.vocabulary_size) + 0.5
        return counts_V / counts_V.sum()


def measured(rows: Any) -> Any:
    """`MEASURED` of some rows, evenly spread; all, if there are no more."""
    return rows[:: max(1, len(rows) // MEASURED)][:MEASURED]
