"""What scores are uncertain of, as tables, and what is said where nothing is recorded."""

from typing import Any

import pytest
from scipy.stats import binomtest

from pipeline.report import uncertainty
from pipeline.runs.results import Result


def entry(*, data: str = "mnist", rows: int = 10_000, val: int = 5_000, **metrics: Any) -> Result:
    return {
        "dataset": {"name": data, "rows": {"val": val, "test": rows}},
        "metrics": {f"test/{name}": value for name, value in metrics.items()},
    }


CALIBRATED: dict[str, Any] = {
    "accuracy": 0.9,
    "accuracy_low": 0.88,
    "ece": 0.012,
    "ece_uncalibrated": 0.1,
    "temperature": 2.5,
    "brier": 0.25,
    "coverage": 0.991,
    "set_size": 1.2,
}


def test_the_interval_is_over_the_test_samples_around_the_mean_of_the_seeds() -> None:
    expected = binomtest(9950, 10_000).proportion_ci(method="wilson")
    text = f"{100 * expected.low:.2f} to {100 * expected.high:.2f} %"
    assert uncertainty.interval([entry(accuracy=0.994), entry(accuracy=0.996)]) == text


@pytest.mark.parametrize("found", [entry(fid=0.5), entry(rows=0, accuracy=0.5)])
def test_what_is_no_fraction_of_samples_has_no_interval(found: Result) -> None:
    assert uncertainty.interval([found]) == ""


def test_calibrated_models_have_a_row_and_others_the_reason() -> None:
    groups = {
        "cnn": [entry(**CALIBRATED), entry(**{**CALIBRATED, "ece": 0.014})],
        "enough": [entry(val=99, **CALIBRATED)],
        "few": [entry(val=98, **CALIBRATED)],
        "perceptron": [entry(accuracy=0.9, accuracy_low=0.88)],
        "older": [entry(accuracy=0.9)],
        "gan": [entry(fid=0.5)],
    }
    lines = uncertainty.calibration_markdown(groups)
    (row,) = [line for line in lines if line.startswith("| cnn |")]
    assert row.startswith("| cnn | 1.30 ± 0.14 | 10.00 ± 0.00 | 2.50 ± 0.00 | 0.2500 ± 0.0000 | 99.10 ± 0.00 | 1.20")
    assert "Too few validation samples for 99 %, so that a set has every class: few (98)." in lines
    assert "No probabilities, since threshold units have none: perceptron." in lines
    assert "Not recorded: older." in lines


def test_the_area_under_the_curve_of_letters_is_shown_for_models_with_a_detector() -> None:
    groups = {"cnn": [entry(ood_auroc_letters=0.99), entry(ood_auroc_letters=0.97)], "lstm": [entry(accuracy=0.9)]}
    assert "| cnn | 0.9800 ± 0.0141 |" in uncertainty.foreign_markdown(groups)
    assert uncertainty.foreign_markdown({"lstm": [entry(accuracy=0.9)]}) == []
