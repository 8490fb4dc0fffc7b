"""What is the same for the scores of all kinds of models."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.actions.assess import assess, named_metrics
from pipeline.inference.language_model import LanguageModel


def test_scores_are_computed_by_one_thread_however_many_cores_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def measured(data: Any, split: str) -> float:
        threads.append(torch.get_num_threads())
        return 0.0

    torch.set_num_threads(2)
    config = {"name": "x", "requires": {}, "model": {"_target_": "pipeline.tasks.language_modelling.LanguageModelling"}}
    model: Any = LanguageModel(torch.nn.Identity(), config, {})
    monkeypatch.setattr(LanguageModel, "mean_nll", lambda self, data, split: measured(data, split))
    data: Any = None
    assert named_metrics(assess(model, data, "test", root=tmp_path), "test") == {
        "test/loss": 0.0,
        "test/perplexity": 1.0,
    }
    assert threads == [1]
