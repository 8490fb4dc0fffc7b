"""Pig latin: the rule, words as symbols, batches of words with their translations, and whole sentences.

The words are wordfreq's most frequent English ones (Speer 2022, doi:10.5281/zenodo.7199437). They are split by word, so
that nothing in validation or test was ever seen in training.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data.batches import SPLIT_SEED, BatchedData
from pipeline.errors import ConfigError
from pipeline.types import END, PAD, Split

# N words of a split, B batch, T time
SYMBOLS = {letter: number for number, letter in enumerate(ascii_lowercase, start=END + 1)}
ENDING = len("way") + 1  # an answer has at most so many symbols more than its word: "way" and the end
SHORTEST = 2
MOST_FREQUENT = 100_000  # of wordfreq's list; beyond them come mostly names, numbers and errors of spelling
LETTER = r"[^\W_]"  # of any script; digits too, so that "3rd" is one word
# A word is a run of letters, but not the ending behind an apostrophe: the "s" of "John's".
WORD = re.compile(rf"(?<!{LETTER})(?<!{LETTER}['’]){LETTER}+")


def onset(word: str) -> int:
    """How many letters a word's leading consonants are; "qu" is one of them, and y only where it comes first."""
    place = 0
    while place < len(word) and word[place] not in ("aeiouy" if place else "aeiou"):
        place += 2 if word.startswith("qu", place) else 1
    return place


def pig_latin(word: str) -> str:
    """The translation of a word of letters a-z: its leading consonants move to the end, and "ay" follows them.

    A word that begins with a vowel gets "way". One without any vowel moves as a whole, which leaves it where it is:
    "hmm" -> "hmmay".
    """
    moved = onset(word)
    return word[moved:] + word[:moved] + ("ay" if moved else "way")


def kind(word: str) -> str:
    """Which part of the rule a word needs: `vowel`, `consonant` (one), `cluster` (several) or `qu`."""
    leading = word[: onset(word)]
    if "qu" in leading:
        return "qu"
    return ("vowel", "consonant")[len(leading)] if len(leading) < 2 else "cluster"


def translate(sentence: str, translator: Callable[[Sequence[str]], Sequence[str]]) -> str:
    """A sentence with its words translated, all in one call; punctuation, spaces and capitals stay.

    Only words of a-z are translated. Others (digits, accents, other scripts) stay as they are, and so does an ending
    behind an apostrophe: "John's" -> "Ohnjay's". Accents that stand alone are joined to their letter first (NFC).
    """
    sentence = unicodedata.normalize("NFC", sentence)
    found = [match for match in WORD.finditer(sentence) if readable(match[0].lower())]
    answers = translator([match[0].lower() for match in found])
    parts, end = [], 0
    for match, answer in zip(found, answers, strict=True):
        parts += [sentence[end : match.start()], _capitals(match[0], answer)]
        end = match.end()
    return "".join(parts) + sentence[end:]


def readable(word: str) -> bool:
    """Whether all of a word is lower-case a-z."""
    return bool(word) and SYMBOLS.keys() >= set(word)


def encode(words: Sequence[str], width: int, *, ended: bool = False) -> Tensor:
    """Readable words as (N, width) symbols, filled up with padding; `ended` puts the end symbol behind each."""
    symbols = np.full((len(words), width), PAD)
    for row, word in zip(symbols, words, strict=True):
        numbers = [*(SYMBOLS[letter] for letter in word), *[END] * ended]
        row[: len(numbers)] = numbers
    return torch.from_numpy(symbols)


def decode(symbols_NT: Tensor) -> list[str]:
    """The letters of each row before its end."""
    letters = {number: letter for letter, number in SYMBOLS.items()}
    words = []
    for row in symbols_NT.tolist():
        ends = [place for place, symbol in enumerate(row) if symbol not in letters]
        words.append("".join(letters[symbol] for symbol in row[: min(ends, default=len(row))]))
    return words


class PigLatinData(BatchedData):
    """English words and their translations as batches of (source_BT, target_BT), each cut to its longest word.

    A source is letters and padding, a target ends with the end symbol. `symbols` and `steps` are facts that models ask
    for: how many symbols there are, and how many the longest answer takes. `folder` holds nothing for it, since the
    words come with a package.

    Raises: ConfigError if the words do not suffice for the splits, if `steps` is too small for `longest`, or if a batch
    can't be shared equally.
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
                f"data.val_size + data.test_size: {val + test} of {len(words)} words leave none to learn from."
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

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        sources, targets = batch
        return _trim(sources), _trim(targets)


def word_list(count: int, longest: int) -> list[str]:
    """The `count` most frequent English words of 2 to `longest` letters a-z, the most frequent first.

    Raises: ConfigError if there are fewer.
    """
    from wordfreq import top_n_list  # takes .5 s to import

    words = [word for word in top_n_list("en", MOST_FREQUENT) if readable(word) and SHORTEST <= len(word) <= longest]
    words = list(dict.fromkeys(words))[:count]
    if len(words) < count:
        raise ConfigError(f"data.words: {count} asked for, but there are only {len(words)} of 2 to {longest} letters.")
    return words


def _trim(symbols_BT: Tensor) -> Tensor:
    """Without the columns that hold only padding."""
    return symbols_BT[:, : max(1, int((symbols_BT != PAD).sum(1).max()))]


def _capitals(word: str, answer: str) -> str:
    """The answer in capitals as the word has them: all (of several), the first, or none."""
    if word.isupper() and len(word) > 1:
        return answer.upper()
    return answer.capitalize() if word[0].isupper() else answer
