"""From text to numbers: words, and the vocabulary that numbers them."""

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

PADDING, UNKNOWN = 0, 1  # the first two numbers
FILE = "vocabulary.txt"
_TAG = re.compile(r"<[^<>]{0,100}>")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]")
_KEPT = string.ascii_letters + string.digits + "!?'"
_PLAIN = bytes(ord(chr(byte).lower()) if chr(byte) in _KEPT else ord(" ") for byte in range(256))


def tokenize(text: str) -> list[str]:
    """The lower-case words of a text, and its `!` and `?`; tags (`<br />`) and other signs are left out."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    if not text.isascii():
        return _WORD.findall(text.lower())
    # The same without a regular expression, in half the time: an apostrophe stays between two letters or digits only.
    plain = text.encode().translate(_PLAIN).replace(b"!", b" ! ").replace(b"?", b" ? ").replace(b"''", b"  ")
    return (b" %b " % plain).replace(b" '", b"  ").replace(b"' ", b"  ").decode().split()


@dataclass(frozen=True)
class Vocabulary:
    """The words a net knows, the commonest first. The commonest `dropped` of them are left out of every text."""

    words: tuple[str, ...]
    dropped: int = 0

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], size: int, dropped: int = 0) -> "Vocabulary":
        """The `size` commonest words of texts that are already split; words equally common are in alphabetic order."""
        return cls.commonest(Counter(chain.from_iterable(texts)), size, dropped)

    @classmethod
    def commonest(cls, counts: Mapping[str, int], size: int, dropped: int = 0) -> "Vocabulary":
        """The same from how often each word occurs."""
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(tuple(word for word, _ in ranked[:size]), dropped)

    def __len__(self) -> int:
        """How many numbers there are, padding and the unknown word included."""
        return len(self.words) + 2

    def encode(self, text: Sequence[str]) -> list[int]:
        """The numbers of a text's words, without those that are left out; an empty text is one unknown word."""
        return [number for number in self.numbers(text) if number] or [UNKNOWN]

    def numbers(self, text: Iterable[str]) -> Iterator[int]:
        """The number of each word, 0 for those that are left out."""
        known = self._numbers
        return (known.get(word, UNKNOWN) for word in text)

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
