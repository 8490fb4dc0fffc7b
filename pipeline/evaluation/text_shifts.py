"""Shifts of texts that users' texts differ by: typos, truncation, negation.

Sources: Belinkov, Bisk 2018, arXiv:1711.02173 (typos); Ribeiro, Wu, Guestrin, Singh 2020, arXiv:2005.04118 (short
sentences of one form, whose class is known, for negation).
"""

import random
from collections.abc import Sequence
from itertools import product
from string import ascii_lowercase

SEED = 0
NOUNS = ("film", "movie", "story", "plot", "acting", "cast", "script", "music", "dialogue", "ending")
PRAISE = ("good", "great", "funny", "clever", "interesting", "enjoyable", "original", "convincing", "exciting", "fun")
BLAME = ("bad", "awful", "boring", "stupid", "dull", "terrible", "weak", "annoying", "ridiculous", "predictable")
# Words from the negation to the adjective; 0: there is no negation.
SENTENCES = {
    0: "The {noun} is {adjective}.",
    1: "The {noun} is not {adjective}.",
    3: "The {noun} is not at all {adjective}.",
    6: "I would not say that the {noun} is {adjective}.",
}


def with_typos(texts: Sequence[str], share: float) -> list[str]:
    """Put one typo into each word with a probability: letters swapped, or one dropped, doubled or replaced."""
    drawn = random.Random(SEED)
    return [
        " ".join(_with_typo(word, drawn) if drawn.random() < share else word for word in text.split(" "))
        for text in texts
    ]


def _with_typo(word: str, drawn: random.Random) -> str:
    places = [place for place, letter in enumerate(word) if letter.isalpha()]
    if len(places) < 2:
        return word
    at = drawn.choice(places[:-1])
    before, letter, after = word[:at], word[at], word[at + 1 :]
    match drawn.randrange(4):
        case 0:
            return before + after[:1] + letter + after[1:]
        case 1:
            return before + after
        case 2:
            return before + letter * 2 + after
        case _:
            return before + drawn.choice(ascii_lowercase) + after


def truncated(texts: Sequence[str], share: float) -> list[str]:
    """Cut off the last words of each text, a share of them; one word is left at least."""
    return [_without_end(text.split(" "), share) for text in texts]


def _without_end(words: Sequence[str], share: float) -> str:
    return " ".join(words[: max(1, round(len(words) * (1 - share)))])


def negated(distance: int) -> tuple[list[str], list[bool]]:
    """Short sentences whose negation is some words before the adjective, and whether each is praise."""
    form = SENTENCES[distance]
    adjectives = [(adjective, True) for adjective in PRAISE] + [(adjective, False) for adjective in BLAME]
    pairs = list(product(NOUNS, adjectives))
    texts = [form.format(noun=noun, adjective=adjective) for noun, (adjective, _) in pairs]
    return texts, [praise != bool(distance) for _, (_, praise) in pairs]
