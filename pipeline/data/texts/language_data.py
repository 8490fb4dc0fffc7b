"""Data module of a language model: the texts of train and the unlabelled texts, without labels."""

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from pipeline.data.texts.text_data import TextData
from pipeline.types import DataSet, Split

if TYPE_CHECKING:
    import numpy as np

# V vocabulary
EVALUATED = 200  # texts of a split for perplexity: all 25,000 of IMDB's test would take an hour
HELD_OUT: tuple[Split, Split] = ("val", "test")


class LanguageData(TextData):
    """`TextData` whose train split also has the unlabelled texts.

    Validation and test hold 200 evenly spaced texts of theirs.
    """

    def read(self) -> None:
        if self.truth:
            return
        super().read()
        for split in HELD_OUT:
            part, rows = self.rows_of[split]
            self.rows_of[split], self.truth[split] = (part, evenly_spaced(rows)), evenly_spaced(self.truth[split])

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
        """(V,) relative frequency of each token id in train, smoothed so that none is 0."""
        counts_V = torch.bincount(torch.cat(self.splits["train"][0]), minlength=self.vocabulary_size) + 0.5
        return counts_V / counts_V.sum()


T = TypeVar("T", "np.ndarray", Tensor)


def evenly_spaced(rows: T) -> T:
    """`EVALUATED` evenly spaced rows; all rows if there are no more."""
    return rows[:: max(1, len(rows) // EVALUATED)][:EVALUATED]
