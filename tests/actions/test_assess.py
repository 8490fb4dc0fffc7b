"""What is the same for the scores of all kinds of models."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from pipeline.actions.assess import assess


def test_scores_are_computed_by_one_thread_however_many_cores_there_are(tmp_path: Path) -> None:
    threads = []

    def nats(data: Any, split: str) -> float:
        threads.append(torch.get_num_threads())
        return 0.0

    torch.set_num_threads(2)
    model = SimpleNamespace(config={"model": {"_target_": "pipeline.tasks.language.LanguageModelling"}}, nats=nats)
    assert assess(model, None, "test", root=tmp_path) == {"test/loss": 0.0, "test/perplexity": 1.0}
    assert threads == [1]
