"""A model card states what is known, and says of the rest that it is not recorded."""

from typing import Any

from pipeline.report.model_card import markdown
from pipeline.types import Manifest

CONFIG: dict[str, Any] = {
    "name": "net",
    "seed": 3,
    "data": {"name": "mnist"},
    "model": {
        "net": {"_target_": "pipeline.models.cnn.CNN"},
        "optimizer": {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.01},
    },
    "requires": {},
    "labels": ["0", "1"],
}
MANIFEST: Manifest = {"config_digest": "c", "data_digest": "d", "files": {}}
# The sections of Hugging Face's template, in its order, where something of them is known.
SECTIONS = ["Model Details", "Uses", "Bias, Risks, and Limitations", "How to Get Started with the Model"]
SECTIONS += ["Training Details", "Evaluation", "Environmental Impact", "Reproduction"]


def test_a_card_holds_data_recipe_scores_with_interval_calibration_cost_and_reproduction() -> None:
    metrics = {"test/accuracy": 0.9957, "test/accuracy_low": 0.9942, "test/accuracy_high": 0.9968, "test/ece": 0.0123}
    result = {
        "metrics": {**metrics, "val/accuracy": 0.5},
        "dataset": {"rows": {"test": 10000, "train": 55000, "val": 5000}},
        "commit": "abc",
        "dirty": False,
        "lock_digest": "l",
        "hardware": "EPYC",
        "cpu_s": 79.7,
        "steps": 3003,
        "environment": {"torch": "2.13.0", "MKL_CBWR": None},
        "trail": {"step": [0, 1, 10]},
    }
    card = markdown(CONFIG, MANIFEST, "w" * 64, "A small CNN.", result)
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == SECTIONS
    for fact in (
        *("# Model Card for net-3", "A small CNN.", "`CNN`", "`AdamW`, lr 0.01", "Classes: 0, 1."),
        *("mnist, 10,000 test, 55,000 train, 5,000 val", "accuracy 99.57 %, 95 % interval 99.42 to 99.68 %"),
        *("| test/ece | 0.0123 |", "80 CPU-seconds of training on EPYC", "`abc`", "torch 2.13.0", "at 3 steps"),
        "pipeline reproduce net-3 --steps 10",
    ):
        assert fact in card
    assert "not recorded" not in card
    assert "val/accuracy" not in card
    assert "MKL_CBWR" not in card


def test_a_card_of_a_model_without_a_result_says_what_is_not_recorded() -> None:
    card = markdown(CONFIG, MANIFEST, "w" * 64, "", {})
    for line in ("**Description:** not recorded", "**Commit:** not recorded", "Calibration: not recorded"):
        assert line in card
    assert "| metric" not in card
    assert "were not committed" in markdown(CONFIG, MANIFEST, "w" * 64, "", {"commit": "abc", "dirty": True})


def test_an_interval_that_begins_at_0_is_shown() -> None:
    metrics = {"test/accuracy": 0.0, "test/accuracy_low": 0.0, "test/accuracy_high": 0.1}
    assert "95 % interval 0.00 to 10.00 %" in markdown(CONFIG, MANIFEST, "w" * 64, "", {"metrics": metrics})
