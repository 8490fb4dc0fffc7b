"""The claims table: its proofs, its verdicts from made-up results, and what it says where results are missing."""

import re
from pathlib import Path

import pytest

from pipeline.report import claim_proofs, claims, gradient_check
from pipeline.runs.results import Result

BETTER, WORSE = [0.92, 0.921, 0.919], [0.88, 0.881, 0.879]


def entries(name: str, values: list[float], **more: float) -> list[Result]:
    return [
        {
            "experiment": name,
            "seed": seed,
            "metrics": {"test/accuracy": value, **{f"test/{k}": v for k, v in more.items()}},
            "dataset": {"name": "imdb", "rows": {"test": 25_000}},
        }
        for seed, value in enumerate(values)
    ]


def told(found: str) -> str:
    """Evidence without the intervals of its differences."""
    return re.sub(r" \[[^]]*\]", "", found)


def row(number: int, found: list[Result]) -> claims.Claim:
    return next(row for row in claims.table(found) if row.number == number)


def everything(values: dict[str, list[float]]) -> list[Result]:
    return [entry for name, scores in values.items() for entry in entries(name, scores)]


def test_every_claim_has_a_line_and_missing_results_are_named() -> None:
    table = claims.table([])
    assert [line.number for line in table] == [1, 2, 3, 4, 5, 6, 7]
    assert [line.sign for line in table] == [claim_proofs.HOLDS, *[claim_proofs.OPEN] * 6]
    assert row(2, []).evidence == "no results of mlp_xor"
    assert "mlp_xor" in claims.missing([])


def test_the_perceptrons_claim_is_proved_on_all_sixteen_functions_and_every_start() -> None:
    evidence = row(1, []).evidence
    assert "14 of 16 functions learned from each of 125 starting points, 2 from none" in evidence


def test_one_seed_that_does_not_learn_xor_is_enough_against_the_claim() -> None:
    assert row(2, entries("mlp_xor", [1.0, 1.0, 1.0])).sign == claim_proofs.HOLDS
    assert row(2, entries("mlp_xor", [1.0, 0.75, 1.0])).sign == claim_proofs.FAILS


def test_the_gradients_claim_is_computed_anew() -> None:
    line = row(3, entries("backprop_mnist", [0.98, 0.98]))
    assert "within 1e-6 of autograd and of finite differences" in line.evidence
    assert line.sign == claim_proofs.HOLDS


def test_the_gradients_are_compared_once_for_the_same_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = gradient_check.cached(tmp_path)
    assert found == gradient_check.compare()
    (file,) = tmp_path.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(gradient_check, "compare", lambda: pytest.fail("compared again"))
        assert gradient_check.cached(tmp_path) == found
        patch.setattr(gradient_check, "code_digest", lambda file: "changed")
        with pytest.raises(pytest.fail.Exception):
            gradient_check.cached(tmp_path)
    file.write_text("{")
    assert gradient_check.cached(tmp_path) == found


@pytest.mark.parametrize(
    ("recurrent", "verdict"),
    [
        ({}, "✓ Holds: TF-IDF outperforms every recurrent net."),
        (
            {"imdb_lstm": BETTER},
            "± Holds in part: TF-IDF outperforms lecture_gru, imdb_rnn, imdb_gru and imdb_lstm_pseudo, "
            "but not imdb_lstm.",
        ),
        (dict.fromkeys(claim_proofs.NEEDS[5][2:], BETTER), "✗ Does not hold: TF-IDF outperforms no recurrent net."),
    ],
)
def test_the_baseline_wins_where_it_is_significantly_ahead(recurrent: dict[str, list[float]], verdict: str) -> None:
    scores = dict.fromkeys(claim_proofs.NEEDS[5], WORSE) | {"imdb_tfidf": [0.909] * 3} | recurrent
    line = row(5, everything(scores))
    assert f"{line.sign} {line.verdict}" == verdict


def test_a_gain_within_the_noise_is_called_noise() -> None:
    scores = dict.fromkeys(claim_proofs.NEEDS[6], WORSE) | {"imdb_gru": BETTER, "imdb_lstm": [0.9205, 0.921, 0.92]}
    line = row(6, everything(scores))
    assert "imdb_lstm +4.05 points over imdb_rnn (significant)" in told(line.evidence)
    assert "imdb_lstm +0.05 points over imdb_gru (not significant)" in told(line.evidence)
    assert "imdb_lstm_pseudo +0.00 points over imdb_bag_pseudo (not significant)" in told(line.evidence)
    assert line.sign == claim_proofs.PARTLY
    assert line.verdict == "Holds in part: the LSTM outperforms the RNN, but not the GRU."


def test_what_reading_first_is_worth_is_told_once_there_are_results() -> None:
    scores = dict.fromkeys(claim_proofs.NEEDS[6], WORSE)
    assert "pretrained" not in row(6, everything(scores)).evidence
    more = scores | {"imdb_lstm_pretrained": BETTER, "imdb_lstm_unpretrained": [0.9, 0.901, 0.899]}
    evidence = told(row(6, everything(more)).evidence)
    assert "imdb_lstm_pretrained +2.00 points over imdb_lstm_unpretrained (significant)" in evidence
    assert "imdb_lstm_pretrained +4.00 points over imdb_lstm (significant)" in evidence


def test_a_generator_that_collapsed_does_not_draw_digits() -> None:
    good = {"fid": 0.1, "fid_floor": 0.02, "coverage": 0.99, "variance_ratio": 0.9, "precision": 0.7, "recall": 0.7}
    found = [*entries("mnist_gan", [0.0], **good), *entries("lecture_gan", [0.0], **good)]
    assert row(7, found).sign == claim_proofs.HOLDS
    collapsed = [*entries("mnist_gan", [0.0], **good | {"variance_ratio": 0.1}), *entries("lecture_gan", [0.0], **good)]
    assert row(7, collapsed).verdict == "Holds in part: lecture_gan draws digits, mnist_gan does not."


def test_the_table_for_documents_has_a_verdict_on_every_line() -> None:
    lines = claims.markdown(claims.table([])).splitlines()
    assert len(lines) == 2 + 7
    assert all("**" in line for line in lines[2:])
