"""Comparisons of experiments: paired where the right samples are recorded, counted together, told in a sentence."""

from typing import Any

import numpy as np
import pytest

from pipeline.report.comparisons import Groups, markdown
from pipeline.runs import results
from pipeline.runs.results import Result

N = 1000


def entries(name: str, errors: list[range], *, recorded: bool = True, digest: str = "t") -> list[Result]:
    """A run for each range of samples that it gets wrong."""
    found: list[Result] = []
    for seed, wrong in enumerate(errors):
        right_N = np.ones(N, int)
        right_N[list(wrong)] = 0
        bits: Result = {"right": results.pack("".join(map(str, right_N))), "truth_digest": digest} if recorded else {}
        entry: Result = {"experiment": name, "seed": seed, "metrics": {"test/accuracy": float(right_N.mean())}}
        found.append({**entry, "dataset": {"rows": {"test": N}}, **bits})
    return found


def compared(**changes: Any) -> Groups:
    ours = entries("imdb_lstm", [range(100, 180), range(100, 181)])
    return Groups({"imdb_lstm": ours, "imdb_rnn": entries("imdb_rnn", [range(100, 200), range(100, 199)], **changes)})


def test_runs_on_the_same_samples_are_paired_and_others_are_not() -> None:
    paired = compared().comparisons["imdb_lstm", "imdb_rnn"]
    assert (paired.difference.method, paired.samples, paired.seeds) == ("paired", N, (2, 2))
    assert paired.better
    assert paired.verdict == "imdb_lstm is better than imdb_rnn."
    for change in ({"recorded": False}, {"digest": "other samples"}):
        unpaired = compared(**change).comparisons["imdb_lstm", "imdb_rnn"]
        assert unpaired.difference.method == "unpaired"
        assert unpaired.difference.value == pytest.approx(paired.difference.value)
        assert unpaired.verdict == "No difference between imdb_lstm and imdb_rnn is shown."


def test_more_comparisons_make_each_p_value_larger() -> None:
    groups = compared(recorded=False)
    (alone,) = groups.comparisons.values()
    both = Groups({**groups, "imdb_gru": entries("imdb_gru", [range(500)] * 2, recorded=False)}).comparisons
    assert both["imdb_lstm", "imdb_gru"].p < 1e-9
    assert both["imdb_lstm", "imdb_rnn"].p == pytest.approx(alone.p)  # the last one to be judged
    three = Groups({**groups, "imdb_gru": entries("imdb_gru", [range(100, 180)] * 2, recorded=False)}).comparisons
    assert three["imdb_lstm", "imdb_rnn"].p == pytest.approx(min(1, 2 * alone.p))


def test_the_table_has_effect_interval_samples_and_verdict_of_each() -> None:
    lines = markdown(compared())
    assert "1 comparisons" in lines[0]
    assert lines[-1].startswith("| imdb_lstm - imdb_rnn | +1.90 points [")
    assert lines[-1].endswith("| imdb_lstm is better than imdb_rnn. |")
    assert markdown(Groups()) == []
