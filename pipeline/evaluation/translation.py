"""Metrics of translations: exact match and letter error rate."""

from pipeline.data.piglatin.rule import rule_case
from pipeline.types import Translations


def metrics(translations: Translations) -> dict[str, float]:
    """`exact_match`, the fraction of correct words, and `letter_error_rate`, edits per letter of the references."""
    pairs = list(zip(translations.references, translations.predictions, strict=True))
    return {
        "exact_match": sum(reference == prediction for reference, prediction in pairs) / len(pairs),
        "letter_error_rate": sum(edit_distance(*pair) for pair in pairs) / sum(map(len, translations.references)),
    }


def exact_match_by_rule(translations: Translations) -> dict[str, tuple[int, int]]:
    """(correct predictions, all predictions) for each part of the pig latin rule that applies to some source."""
    counts: dict[str, tuple[int, int]] = {}
    triples = zip(translations.sources, translations.references, translations.predictions, strict=True)
    for source, reference, prediction in triples:
        correct, total = counts.get(rule_case(source), (0, 0))
        counts[rule_case(source)] = correct + (reference == prediction), total + 1
    return counts


def edit_distance(source: str, target: str) -> int:
    """The Levenshtein distance: the least number of insertions, deletions and substitutions (Levenshtein 1966)."""
    row = list(range(len(target) + 1))  # distances from the letters of `source` so far to each prefix of `target`
    for count, letter in enumerate(source, start=1):
        above, row = row, [count]
        for column, target_letter in enumerate(target):
            row.append(min(above[column] + (letter != target_letter), above[column + 1] + 1, row[column] + 1))
    return row[-1]
