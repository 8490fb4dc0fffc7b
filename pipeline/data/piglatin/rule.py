"""Pig latin: the translation rule, words as symbols, and translation of sentences."""

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

ENDING = len("way") + 1  # most symbols that a translation adds to its word: "way" and the end

LETTER = r"[^\W_]"  # of any script; digits too, so that "3rd" is one word

# A word is a run of letters, but not the ending behind an apostrophe: the "s" of "John's".
WORD = re.compile(rf"(?<!{LETTER})(?<!{LETTER}['’]){LETTER}+")


def onset(word: str) -> int:
    """Length of the onset, a word's leading consonants; "qu" counts as one of them, y only as the first letter."""
    length = 0
    while length < len(word) and word[length] not in ("aeiouy" if length else "aeiou"):
        length += 2 if word.startswith("qu", length) else 1
    return length


def pig_latin(word: str) -> str:
    """Translate a word of letters a-z: its onset moves to the end, followed by "ay".

    A word that begins with a vowel gets "way". A word without a vowel is all onset: "hmm" -> "hmmay".
    """
    length = onset(word)
    return word[length:] + word[:length] + ("ay" if length else "way")


def rule_case(word: str) -> str:
    """Case of the rule that applies to a word: `vowel`, `consonant` (one), `cluster` (several) or `qu`."""
    leading = word[: onset(word)]
    if "qu" in leading:
        return "qu"
    return ("vowel", "consonant")[len(leading)] if len(leading) < 2 else "cluster"


def translate(sentence: str, translator: Callable[[Sequence[str]], Sequence[str]]) -> str:
    """Translate the words of a sentence in one call of `translator`, keeping punctuation, spaces and capitals.

    Only words of a-z are translated. Others (digits, accents, other scripts) stay, and so does an ending after an
    apostrophe: "John's" -> "Ohnjay's". The sentence is normalised to NFC first.
    """
    sentence = unicodedata.normalize("NFC", sentence)
    matches = [match for match in WORD.finditer(sentence) if translatable(match[0].lower())]
    translations = translator([match[0].lower() for match in matches])
    parts, end = [], 0
    for match, translation in zip(matches, translations, strict=True):
        parts += [sentence[end : match.start()], _capitalised(match[0], translation)]
        end = match.end()
    return "".join(parts) + sentence[end:]


def translatable(word: str) -> bool:
    """Whether a word is not empty and all lower-case a-z."""
    return bool(word) and SYMBOLS.keys() >= set(word)


def encode(words: Sequence[str], width: int, *, ended: bool = False) -> Tensor:
    """Translatable words as (N, width) symbols, padded; `ended` appends the end symbol to each."""
    symbols = np.full((len(words), width), PAD)
    for row, word in zip(symbols, words, strict=True):
        numbers = [*(SYMBOLS[letter] for letter in word), *[END] * ended]
        row[: len(numbers)] = numbers
    return torch.from_numpy(symbols)


def decode(symbols_NT: Tensor) -> list[str]:
    """Letters of each row before its first other symbol."""
    letters = {number: letter for letter, number in SYMBOLS.items()}
    words = []
    for row in symbols_NT.tolist():
        ends = [index for index, symbol in enumerate(row) if symbol not in letters]
        words.append("".join(letters[symbol] for symbol in row[: min(ends, default=len(row))]))
    return words


def _capitalised(word: str, translation: str) -> str:
    """The translation with the word's capitals: all (of several letters), the first, or none."""
    if word.isupper() and len(word) > 1:
        return translation.upper()
    return translation.capitalize() if word[0].isupper() else translation
