"""Tokenisation of texts, and the vocabulary that maps words to token ids."""

import hashlib
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from pipeline.errors import CheckpointError

PADDING, UNKNOWN = 0, 1  # the first two token ids
FILE = "vocabulary.txt"
_TAG = re.compile(r"<[^<>]{0,100}>")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]")
_KEPT = string.ascii_letters + string.digits + "!?'"
_PLAIN = bytes(ord(chr(byte).lower()) if chr(byte) in _KEPT else ord(" ") for byte in range(256))


def tokenize(text: str) -> list[str]:
    """Lower-case words of a text, and its `!` and `?`; HTML tags (`<br />`) and other characters are dropped."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    if not text.isascii():
        return _WORD.findall(text.lower())
    # The same without a regular expression in half the time; an apostrophe stays only between letters or digits.
    plain = text.encode().translate(_PLAIN).replace(b"!", b" ! ").replace(b"?", b" ? ").replace(b"''", b"  ")
    return (b" %b " % plain).replace(b" '", b"  ").replace(b"' ", b"  ").decode().split()


@dataclass(frozen=True)
class Vocabulary:
    """Words by descending frequency; the `dropped` most frequent are removed from every text as stop words."""

    words: tuple[str, ...]
    dropped: int = 0

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], size: int, dropped: int = 0) -> "Vocabulary":
        """The `size` most frequent words of tokenised texts; ties are in alphabetic order."""
        return cls.most_frequent(Counter(chain.from_iterable(texts)), size, dropped)

    @classmethod
    def most_frequent(cls, counts: Mapping[str, int], size: int, dropped: int = 0) -> "Vocabulary":
        """The `size` most frequent words, from the frequency of each word."""
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(tuple(word for word, _ in ranked[:size]), dropped)

    def __len__(self) -> int:
        """Number of token ids, including padding and the unknown word."""
        return len(self.words) + 2

    def encode(self, text: Sequence[str]) -> list[int]:
        """Token ids of a tokenised text without its stop words; an empty text is one unknown word."""
        return [number for number in self.numbers(text) if number] or [UNKNOWN]

    def numbers(self, text: Iterable[str]) -> Iterator[int]:
        """Token id of each word, 0 for stop words."""
        known = self._numbers
        return (known.get(word, UNKNOWN) for word in text)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self._text.encode()).hexdigest()

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(self._text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Vocabulary":
        """Raises: CheckpointError if the file is missing or not a vocabulary."""
        try:
            first, *known = (folder / FILE).read_text(encoding="utf-8").splitlines()
            return cls(tuple(known), int(first))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{folder / FILE}: not a vocabulary ({error}). Train again.") from error

    @property
    def _text(self) -> str:
        return "\n".join((str(self.dropped), *self.words)) + "\n"

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number if number > self.dropped + 1 else 0 for number, word in enumerate(self.words, start=2)}
