"""The comparisons behind the claims: effect, 95 % interval, p-value adjusted for their number, and a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.evaluation.comparison import Difference, holm, paired, unpaired
from pipeline.runs import results
from pipeline.runs.results import Result

SIGNIFICANCE = 0.05
RECURRENT = ("lecture_gru", "imdb_rnn", "imdb_gru", "imdb_lstm", "imdb_lstm_pseudo")
PAIRS = (
    *(("imdb_tfidf", recurrent) for recurrent in RECURRENT),
    ("imdb_lstm", "imdb_rnn"),
    ("imdb_lstm", "imdb_gru"),
    ("imdb_lstm", "imdb_bag"),  # a bag is the same net without its recurrent layer
    ("imdb_lstm_pseudo", "imdb_bag_pseudo"),
    ("imdb_lstm_pretrained", "imdb_lstm_unpretrained"),  # the same net from random weights
    ("imdb_lstm_vat", "imdb_lstm_pretrained"),  # the same net without virtual adversarial training
    ("imdb_lstm_pretrained", "imdb_lstm"),  # which has half the units, and embeddings from co-occurrences
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference between two experiments' test accuracies."""

    ours: str
    theirs: str
    difference: Difference
    p: float  # adjusted for the number of comparisons
    samples: int
    seeds: tuple[int, int]

    @property
    def significant(self) -> bool:
        return self.p < SIGNIFICANCE

    @property
    def better(self) -> bool:
        """Whether the first experiment is significantly better."""
        return self.significant and self.difference.value > 0

    @property
    def effect(self) -> str:
        """The difference in percentage points with its interval."""
        value, low, high = (100 * x for x in (self.difference.value, self.difference.low, self.difference.high))
        return f"{value:+.2f} points [{low:+.2f}, {high:+.2f}]"

    @property
    def verdict(self) -> str:
        """The verdict as a sentence."""
        if not self.significant:
            return f"No difference between {self.ours} and {self.theirs} is shown."
        return f"{self.ours} is {'better' if self.better else 'worse'} than {self.theirs}."


class Groups(dict[str, list[Result]]):
    """The results by experiment, with the comparisons of those that have some."""

    @cached_property
    def comparisons(self) -> dict[tuple[str, str], Comparison]:
        """By pair of experiments, in the order of `PAIRS`."""
        pairs = [pair for pair in PAIRS if all(name in self for name in pair)]
        differences = [difference(self[ours], self[theirs]) for ours, theirs in pairs]
        adjusted = holm([each.p for each in differences])
        return {
            (ours, theirs): Comparison(
                ours, theirs, each, p, _samples(self[ours]), (len(self[ours]), len(self[theirs]))
            )
            for (ours, theirs), each, p in zip(pairs, differences, adjusted, strict=True)
        }


def difference(ours: Sequence[Result], theirs: Sequence[Result]) -> Difference:
    """The difference of two experiments: paired if every run of both records which of the same samples are right."""
    both = [*ours, *theirs]
    recorded = [results.right_samples(entry) for entry in both]
    if len({entry.get("truth_digest") for entry in both}) == 1 and all(right is not None for right in recorded):
        right_SN = np.array(recorded)
        return paired(right_SN[: len(ours)], right_SN[len(ours) :])
    accuracies = [[entry["metrics"]["test/accuracy"] for entry in entries] for entries in (ours, theirs)]
    return unpaired(accuracies[0], accuracies[1], _samples(ours))


def markdown(groups: Groups) -> list[str]:
    """The table of comparisons, with a sentence on how they were made; empty without a comparison."""
    rows = groups.comparisons.values()
    if not rows:
        return []
    lines = [
        f"Test accuracy of the first experiment less that of the second, {len(rows)} comparisons. Paired: a bootstrap "
        "over the same test samples and over the seeds; unpaired, where it is not recorded which samples each run "
        "predicts correctly: from the accuracies, the spread over the seeds and the number of samples. p is Holm's, "
        "adjusted for the number of comparisons.",
        "",
        "| comparison | difference, 95 % interval | test samples | seeds | method | p | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        p = f"{row.p:.4f}" if row.p >= 0.0001 else "< 0.0001"
        lines.append(
            f"| {row.ours} - {row.theirs} | {row.effect} | {row.samples:,} | {row.seeds[0]} and {row.seeds[1]} "
            f"| {row.difference.method} | {p} | {row.verdict} |"
        )
    return lines


def _samples(entries: Sequence[Result]) -> int:
    return int(entries[0]["dataset"]["rows"]["test"])
