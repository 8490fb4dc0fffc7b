"""Training on a CUDA GPU leaves what training on a CPU leaves."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import kinds
from pipeline.config import build_data, load_config, resolve
from pipeline.training.fit import fit
from tests.conftest import TINY

pytestmark = pytest.mark.gpu


def trained(project: Path, name: str, *overrides: str) -> tuple[Path, dict[str, Any]]:
    config = resolve(load_config(*TINY, "trainer.max_epochs=30", *overrides))
    config["cluster"]["gpus_per_worker"] = 1
    run_dir = project / name
    run_dir.mkdir()
    fit(config, data_dir=project / "data", run_dir=run_dir)
    return run_dir, config


def test_a_gpu_is_seen() -> None:
    import torch

    assert torch.zeros(1, device="cuda").device.type == "cuda"


def test_a_model_from_a_gpu_predicts_on_the_cpu(tiny_mnist: Path) -> None:
    run_dir, config = trained(tiny_mnist, "a")
    data: Any = build_data(config, tiny_mnist / "data")
    data.setup()
    predictor: Any = kinds.load(run_dir / "model")
    assert kinds.kind_of(config).evaluate(predictor, data, "test").metrics["accuracy"] == 1.0
