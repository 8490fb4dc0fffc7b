"""From text to numbers: words, and the vocabulary that numbers them."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from pipeline.errors import CheckpointError

PADDING, UNKNOWN = 0, 1  # the first two numbers
FILE = "vocabulary.txt"
_TAG = re.compile(r"<[^<>]{0,100}>")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]")


def words(text: str) -> list[str]:
    """The lower-case words of a text, and its `!` and `?`; tags (`<br />`) and other signs are left out."""
    return _WORD.findall(_TAG.sub(" ", text).lower())


@dataclass(frozen=True)
class Vocabulary:
    """The words a net knows, the commonest first. The commonest `dropped` of them are left out of every text."""

    words: tuple[str, ...]
    dropped: int = 0

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], size: int, dropped: int = 0) -> "Vocabulary":
        """The `size` commonest words of texts that are already split; words equally common are in alphabetic order."""
        counts = Counter(chain.from_iterable(texts))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(tuple(word for word, _ in ranked[:size]), dropped)

    def __len__(self) -> int:
        """How many numbers there are, padding and the unknown word included."""
        return len(self.words) + 2

    def encode(self, text: Sequence[str]) -> list[int]:
        """The numbers of a text's words, without those that are left out; an empty text is one unknown word."""
        known = self._numbers
        return [number for word in text if (number := known.get(word, UNKNOWN))] or [UNKNOWN]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self._text.encode()).hexdigest()

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(self._text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Vocabulary":
        """Raises: CheckpointError if the file is missing or no vocabulary."""
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
