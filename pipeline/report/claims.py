"""The lecture's seven claims, each with evidence and a verdict, from cheap proofs and from committed results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pipeline.report.claim_proofs import NEEDS, OPEN, Proof, backprop, cnn, gan, lstm, perceptron, tfidf, xor
from pipeline.report.comparisons import Groups
from pipeline.report.gradient_check import Differences, compare
from pipeline.report.markdown import grouped
from pipeline.runs.results import Result

Prove = Callable[[Groups], Proof]  # from results to the proof of a claim


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of the table: a claim, its evidence and verdict, and the command that repeats the evidence."""

    number: int
    claim: str
    evidence: str
    sign: str  # of the verdict: ✓ holds, ± in part, ✗ does not hold, ? not tested yet
    verdict: str
    command: str


def table(entries: Sequence[Result], gradient: Callable[[], Differences] = compare) -> list[Claim]:
    """A row for each claim, from committed results; the evidence names experiments without results.

    `gradient` compares the hand-written gradient with others: anew, or as `gradient_check.cached`.
    """
    groups = Groups(grouped(entries))
    proofs: tuple[Prove, ...] = (perceptron, xor, partial(backprop, gradient), cnn, tfidf, lstm, gan)
    return [
        _row(number, groups, claim, prove, command)
        for (number, (claim, command)), prove in zip(CLAIMS.items(), proofs, strict=True)
    ]


def missing(entries: Sequence[Result]) -> list[str]:
    """The experiments without results that a claim needs."""
    recorded = {entry["experiment"] for entry in entries}
    return sorted({name for needs in NEEDS.values() for name in needs} - recorded)


def markdown(rows: Sequence[Claim]) -> str:
    """The table in markdown."""
    lines = ["| # | claim | evidence | verdict | repeat it |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row.number} | {row.claim} | {row.evidence} | **{row.sign}** {row.verdict} | `{row.command}` |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _row(
    number: int,
    groups: Groups,
    claim: str,
    prove: Prove,
    command: str,
) -> Claim:
    lacking = [name for name in NEEDS[number] if name not in groups]
    if lacking:
        return Claim(number, claim, f"no results of {', '.join(lacking)}", OPEN, "Not tested yet.", command)
    proof = prove(groups)
    return Claim(number, claim, proof.evidence, proof.sign, proof.verdict, command)


CLAIMS: dict[int, tuple[str, str]] = {
    1: (
        "A single-layer perceptron learns every linearly separable function, and 14 of the 16 of two inputs; not XOR",
        "pipeline claims",
    ),
    2: ("A multilayer perceptron computes XOR", "pipeline train experiment=mlp_xor"),
    3: ("Backpropagation's gradient is dE/dw", "pipeline train experiment=backprop_mnist"),
    4: ("A CNN learns to recognise handwritten digits", "pipeline train experiment=mnist_cnn"),
    5: ("TF-IDF with logistic regression outperforms the RNN on IMDB", "pipeline train experiment=imdb_tfidf"),
    6: (
        "LSTM is the popular recurrent architecture; tested here: it outperforms RNN and GRU",
        "pipeline train experiment=imdb_lstm",
    ),
    7: ("A GAN learns to draw digits", "pipeline train experiment=mnist_gan"),
}
