"""`pipeline claims --run` trains exactly what is missing, three seeds each, and keeps the results."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.actions import claims as action
from pipeline.actions import evaluate, record, train
from pipeline.report import claim_proofs
from pipeline.runs import results
from tests.conftest import Quiet


def test_what_is_missing_is_trained_tested_and_kept_and_nothing_else(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [{"experiment": name} for needs in claim_proofs.NEEDS.values() for name in needs if name != "mlp_xor"]
    done: list[Any] = []
    monkeypatch.setattr(results, "committed", lambda root: there)

    def trained(overrides: list[str], console: Quiet, **_: Any) -> dict[str, list[str]]:
        done.append(overrides)
        return {"run": overrides}

    monkeypatch.setattr(train, "train", trained)
    monkeypatch.setattr(record, "model", lambda summary, root: done.append(summary))
    monkeypatch.setattr(evaluate, "evaluate", lambda folder, split, **_: "evaluated")
    monkeypatch.setattr(record, "evaluation", lambda result, *_: done.append(result))
    monkeypatch.setattr(record, "collect", lambda experiment, root: done.append(experiment))
    action.run_missing(Quiet(), root=project)
    expected: list[Any] = []
    for seed in (0, 1, 2):
        overrides = ["experiment=mlp_xor", f"seed={seed}"]
        expected += [overrides, {"run": overrides}, "evaluated"]
    assert done == [*expected, "mlp_xor"]
