"""From translations to measures: strings in, numbers out, whatever made the answers."""

from pipeline.data.piglatin.rule import rule_case
from pipeline.types import Translations


def metrics(translations: Translations) -> dict[str, float]:
    """`exact_match`: the share of answers that are right; `letter_error_rate`: edits needed for each true letter."""
    pairs = list(zip(translations.truth, translations.answers, strict=True))
    return {
        "exact_match": sum(truth == answer for truth, answer in pairs) / len(pairs),
        "letter_error_rate": sum(edits(*pair) for pair in pairs) / sum(map(len, translations.truth)),
    }


def by_kind(translations: Translations) -> dict[str, tuple[int, int]]:
    """How many answers are right, of how many: for each part of the rule that occurs."""
    counts: dict[str, tuple[int, int]] = {}
    for source, truth, answer in zip(translations.sources, translations.truth, translations.answers, strict=True):
        right, all_ = counts.get(rule_case(source), (0, 0))
        counts[rule_case(source)] = right + (truth == answer), all_ + 1
    return counts


def edits(one: str, other: str) -> int:
    """The least number of letters to insert, remove or replace that makes two words one (Levenshtein 1966)."""
    row = list(range(len(other) + 1))  # from the letters of `one` so far to each beginning of `other`
    for place, letter in enumerate(one, start=1):
        above, row = row, [place]
        for column, rival in enumerate(other):
            row.append(min(above[column] + (letter != rival), above[column + 1] + 1, row[column] + 1))
    return row[-1]
