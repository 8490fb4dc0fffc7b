"""Pig latin: the rule, words as symbols, batches of words with their translations, and whole sentences.

The words are wordfreq's most frequent English ones (Speer 2022, doi:10.5281/zenodo.7199437). They are split by word, so
that nothing in validation or test was ever seen in training.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from string import ascii_lowercase

import numpy as np
import torch
from torch import Tensor

from pipeline.types import END, PAD

# N words of a split, B batch, T time
SYMBOLS = {letter: number for number, letter in enumerate(ascii_lowercase, start=END + 1)}

ENDING = len("way") + 1  # an answer has at most so many symbols more than its word: "way" and the end

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


def rule_case(word: str) -> str:
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
    found = [match for match in WORD.finditer(sentence) if translatable(match[0].lower())]
    answers = translator([match[0].lower() for match in found])
    parts, end = [], 0
    for match, answer in zip(found, answers, strict=True):
        parts += [sentence[end : match.start()], _capitals(match[0], answer)]
        end = match.end()
    return "".join(parts) + sentence[end:]


def translatable(word: str) -> bool:
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


def _capitals(word: str, answer: str) -> str:
    """The answer in capitals as the word has them: all (of several), the first, or none."""
    if word.isupper() and len(word) > 1:
        return answer.upper()
    return answer.capitalize() if word[0].isupper() else answer
