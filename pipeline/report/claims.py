"""The lecture's seven claims, each with evidence and a verdict, from cheap proofs and from committed results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pipeline.report.claim_proofs import NEEDS, OPEN, Entry, backprop, cnn, gan, lstm, perceptron, tfidf, xor
from pipeline.report.gradient_check import Differences, compare

Proof = Callable[[dict[str, list[Entry]]], tuple[str, str]]  # from results to evidence and verdict


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of the table: a claim, its evidence and verdict, and the command that repeats the evidence."""

    number: int
    claim: str
    evidence: str
    verdict: str
    command: str


def table(entries: Sequence[Entry], gradient: Callable[[], Differences] = compare) -> list[Claim]:
    """A row for each claim, from committed results; the evidence names experiments without results.

    `gradient` compares the hand-written gradient with others: anew, or as `gradient_check.cached`.
    """
    by_experiment: dict[str, list[Entry]] = {}
    for entry in entries:
        by_experiment.setdefault(entry["experiment"], []).append(entry)
    proofs: tuple[Proof, ...] = (perceptron, xor, partial(backprop, gradient), cnn, tfidf, lstm, gan)
    return [
        _row(number, by_experiment, claim, prove, command)
        for (number, (claim, command)), prove in zip(CLAIMS.items(), proofs, strict=True)
    ]


def missing(entries: Sequence[Entry]) -> list[str]:
    """The experiments without results that a claim needs."""
    recorded = {entry["experiment"] for entry in entries}
    return sorted({name for needs in NEEDS.values() for name in needs} - recorded)


def markdown(rows: Sequence[Claim]) -> str:
    """The table in markdown."""
    lines = ["| # | claim | evidence | verdict | repeat it |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {row.number} | {row.claim} | {row.evidence} | **{row.verdict}** | `{row.command}` |" for row in rows]
    return "\n".join(lines) + "\n"


def _row(
    number: int,
    by_experiment: dict[str, list[Entry]],
    claim: str,
    prove: Proof,
    command: str,
) -> Claim:
    lacking = [name for name in NEEDS[number] if name not in by_experiment]
    if lacking:
        return Claim(number, claim, f"no results of {', '.join(lacking)}", OPEN, command)
    evidence, verdict = prove(by_experiment)
    return Claim(number, claim, evidence, verdict, command)


CLAIMS: dict[int, tuple[str, str]] = {
    1: (
        "A single-layer perceptron learns every linearly separable function, and 14 of the 16 of two inputs; not XOR",
        "pipeline claims",
    ),
    2: ("A multilayer perceptron computes XOR", "pipeline train experiment=mlp_xor"),
    3: ("Backpropagation's gradient is dE/dw", "pipeline train experiment=backprop_mnist"),
    4: ("A CNN learns to recognise handwritten digits", "pipeline train experiment=mnist_cnn"),
    5: ("TF-IDF with logistic regression outperforms the RNN on IMDB", "pipeline train experiment=imdb_tfidf"),
    6: ("LSTM is the popular recurrent architecture: its gain", "pipeline train experiment=imdb_lstm"),
    7: ("A GAN learns to draw digits", "pipeline train experiment=mnist_gan"),
}
