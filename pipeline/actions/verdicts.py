"""Compare the weights that two trees trained: pair their experiments, compare the tensors of each pair."""

from dataclasses import dataclass, replace

from pipeline.actions.first_steps import StepsResult
from pipeline.config.aliases import EXPERIMENTS

FORMER = {today: former for former, today in EXPERIMENTS.items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on an experiment: identical, different, error or not compared."""

    experiment: str
    verdict: str
    detail: str = ""
    weights: tuple[str | None, str | None] = (None, None)  # of the commit, of the working tree
    seconds: tuple[float, float] = (0.0, 0.0)
    steps: int = 0

    def __str__(self) -> str:
        word = self.verdict.upper() if self.verdict == "different" else self.verdict
        took = f"{self.steps} steps, {self.seconds[0]:.1f} s and {self.seconds[1]:.1f} s" if self.steps else ""
        return f"{self.experiment:28} {': '.join(filter(None, (word, self.detail or took)))}"


def pair(now: list[str], before: list[str], *, everything: bool) -> tuple[list[tuple[str, str]], list[Verdict]]:
    """Pair the experiments of two trees as (name now, name before).

    Returns: the pairs, and a verdict for each experiment without a counterpart.
    """
    partners = {name: name if name in before else FORMER.get(name) for name in now}
    pairs = [(name, old) for name, old in partners.items() if old in before]
    unpaired = [
        Verdict(name, "not compared", "the commit does not have it") for name in now if partners[name] not in before
    ]
    if everything:
        gone = sorted(set(before) - {old for _, old in pairs})
        unpaired += [Verdict(name, "not compared", "the working tree does not have it") for name in gone]
    return pairs, unpaired


def compare(experiment: str, before: StepsResult, now: StepsResult) -> Verdict:
    """Return the verdict on the results of two trees; weights under other names are identical where all bytes agree."""
    for label, result in (("the commit", before), ("the working tree", now)):
        if "missing" in result:
            return Verdict(experiment, "not compared", f"data missing ({result['missing']})")
        if "error" in result:
            return Verdict(experiment, "error", f"{label}: {result['error']}")
    identical = Verdict(
        experiment,
        "identical",
        weights=(before["weights"], now["weights"]),
        seconds=(before["seconds"], now["seconds"]),
        steps=now["steps"],
    )
    if before["steps"] != now["steps"]:
        detail = f"{before['steps']} steps before, {now['steps']} now"
        return replace(identical, verdict="different", detail=detail)
    if before["weights"] == now["weights"]:
        return identical
    verdict, detail = _difference(before["tensors"], now["tensors"])
    return replace(identical, verdict=verdict, detail=detail)


def _difference(before: dict[str, str], now: dict[str, str]) -> tuple[str, str]:
    """Return the verdict on weights whose digests differ, and the first tensor that differs."""
    differing = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    first = differing[0]
    gone, new = sorted(before.keys() - now.keys()), sorted(now.keys() - before.keys())
    renamed = sorted(before[name] for name in gone) == sorted(now[name] for name in new)
    if renamed and len(differing) == len(gone) + len(new):
        return "identical", f"under other names ({', '.join(gone)} then, {', '.join(new)} now)"
    then = [tensors.get(first, "absent") for tensors in (before, now)]
    return "different", f"{first} first ({_short(then[0])} then, {_short(then[1])} now; {len(differing)} differ)"


def _short(described: str) -> str:
    """Return a tensor's type, shape and 12 digits of its digest."""
    kind, _, content = described.rpartition(" ")
    return f"{kind} {content[:12]}".strip()
