"""Data module of English words and their pig latin translations.

The words are wordfreq's most frequent English ones (Speer 2022, doi:10.5281/zenodo.7199437), split by word.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from pipeline.data.batches import SPLIT_SEED, BatchedData
from pipeline.data.piglatin.rule import ENDING, SYMBOLS, encode, pig_latin, translatable
from pipeline.errors import ConfigError
from pipeline.types import END, PAD, Split

SHORTEST = 2

MOST_FREQUENT = 100_000  # of wordfreq's list; less frequent ones are mostly names, numbers and misspellings


class PigLatinData(BatchedData):
    """English words and their translations as batches of (source_BT, target_BT), padded to the longest of the batch.

    A target ends with the end symbol. Models read `symbols`, the number of symbols, and `steps`, the length of the
    longest target, from the configuration. `folder` is not used, since the words ship with a package.

    Raises: ConfigError if there are fewer words than the splits take, if `steps` does not fit `longest`, or if the
    batch size is not a multiple of the number of workers.
    """

    def __init__(
        self,
        name: str,
        symbols: int,
        longest: int,
        steps: int,
        batch_size: int,
        words: int,
        val_size: int,
        test_size: int,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(name, batch_size, seed)
        if symbols != END + 1 + len(SYMBOLS) or steps != longest + ENDING:
            raise ConfigError(
                f"data: {symbols} symbols and {steps} steps for words of up to {longest} letters; expected "
                f"{END + 1 + len(SYMBOLS)} and {longest + ENDING}. Set data.steps to data.longest + {ENDING}."
            )
        self.longest, self.steps = longest, steps
        self.sizes = {"words": words, "val": val_size, "test": test_size}
        self.words: dict[Split, list[str]] = {}

    def setup(self, stage: str | None = None) -> None:
        if self.splits:
            return
        words = word_list(self.sizes["words"], self.longest)
        val, test = self.sizes["val"], self.sizes["test"]
        if val + test >= len(words):
            raise ConfigError(
                f"data.val_size + data.test_size: {val + test} of {len(words)} words leave none to train on. "
                "Lower one of them."
            )
        order = torch.randperm(len(words), generator=torch.Generator().manual_seed(SPLIT_SEED)).tolist()
        shuffled = [words[index] for index in order]
        self.words = {"train": shuffled[val + test :], "val": shuffled[:val], "test": shuffled[val : val + test]}
        for split, own in self.words.items():
            targets = encode([pig_latin(word) for word in own], self.steps, ended=True)
            self.splits[split] = encode(own, self.longest), targets

    def digest(self) -> str:
        text = "\n".join(word for split in self.words.values() for word in split)
        return hashlib.sha256(text.encode()).hexdigest()

    def on_after_batch_transfer(self, batch: Sequence[Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        sources, targets = batch
        return _trim(sources), _trim(targets)


def word_list(count: int, longest: int) -> list[str]:
    """The `count` most frequent English words of 2 to `longest` letters a-z, by descending frequency.

    Raises: ConfigError if there are fewer.
    """
    from wordfreq import top_n_list  # takes .5 s to import

    words = [
        word for word in top_n_list("en", MOST_FREQUENT) if translatable(word) and SHORTEST <= len(word) <= longest
    ]
    words = list(dict.fromkeys(words))[:count]
    if len(words) < count:
        raise ConfigError(f"data.words: {count}, but there are only {len(words)} of 2 to {longest} letters. Lower it.")
    return words


def _trim(symbols_BT: Tensor) -> Tensor:
    """Remove the columns that hold only padding."""
    return symbols_BT[:, : max(1, int((symbols_BT != PAD).sum(1).max()))]
