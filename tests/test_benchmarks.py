"""The performance page states the results, and the contenders do what their descriptions claim."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import gpu, harness, page
from benchmarks.benchmark import Claim, amount, ratio
from benchmarks.contenders import plain_lightning, torch_loop, torch_mnist
from benchmarks.harness import Contender
from pipeline.config import build_data, load_config, resolve
from pipeline.runs import checkpoints
from pipeline.training.fit import build_task, fit
from tests.conftest import TINY

ROOT = Path(__file__).parents[1]
PAIRS = [{"ours": {"cpu_s": cost}, "theirs": {"cpu_s": 12.0}} for cost in (2.0, 3.0, 4.0)]


def test_the_page_states_the_results() -> None:
    assert (ROOT / "docs/performance.md").read_text(encoding="utf-8") == page.render()


def test_every_benchmark_and_every_result_has_a_command() -> None:
    names = {benchmark.name for benchmark in page.BENCHMARKS}
    measured = {file.stem for file in harness.RESULTS.glob("*.json")}
    assert all((ROOT / f"benchmarks/{name}.py").is_file() for name in names | measured)


def test_a_claim_compares_the_median_with_its_threshold_and_shows_the_spread() -> None:
    claim = Claim("less", ratio("cpu_s", "theirs", "ours"), 4, "{:.1f}x")
    assert claim.measured(PAIRS) == "**4.0x** (3.0x to 6.0x; 3)"
    assert claim.holds(PAIRS)
    assert not Claim("cost", amount("cpu_s", "ours"), 2.9, least=False).holds(PAIRS)


def test_an_interrupted_measurement_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    monkeypatch.setattr(harness, "REAP_S", 0)
    prints = "import json, sys; json.load(open('broken')) if sys.argv[1] == 'breaks' else print('{\"seed\": 7}')"
    good = Contender("good", [sys.executable, "-c", prints, "well"])
    with pytest.raises(RuntimeError, match="FileNotFoundError"):
        harness.compare("x", [good, Contender("bad", [sys.executable, "-c", prints, "breaks"])], 1)
    measured = harness.load("x")[0]["good"]
    harness.compare("x", [good, Contender("bad", [sys.executable, "-c", prints, "well"])], 2)
    assert harness.load("x")[0]["good"] == measured
    assert [set(pair) for pair in harness.load("x")] == [{"good", "bad"}] * 2


def test_the_cpu_time_of_a_contender_and_its_orphans_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "REAP_S", 5)  # another test's process may have been left to this one
    burn = "import time; end = time.process_time() + .3\nwhile time.process_time() < end: pass"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}], start_new_session=True)"
    outcome = harness.execute(Contender("left behind", [sys.executable, "-c", parent]), 0, tmp_path)
    assert 0.3 <= outcome.cpu_s < 2


@pytest.mark.parametrize("model", ["cnn", "mlp"])
def test_the_idiomatic_nets_have_the_pipelines_layers(model: str) -> None:
    def sizes(net: nn.Module) -> list[torch.Size]:
        return [weight.shape for weight in net.parameters()]

    ours: Any = build_task(resolve(load_config(f"model={model}", "data=mnist", "model.net.dropout=0")))
    assert sizes(plain_lightning.net(model)) == sizes(ours.net)


def test_the_recipe_of_pytorch_examples_has_its_net() -> None:
    assert sum(weight.numel() for weight in torch_mnist.Net().parameters()) == 1_199_882


def test_the_bare_loop_ends_with_the_pipelines_weights(tiny_mnist: Path) -> None:
    config = resolve(load_config(*TINY, "model=cnn", "data=mnist", "model.net.dropout=0", "trainer.max_epochs=3"))
    config["cluster"]["gpus_per_worker"] = 0
    fit(config, data_dir=tiny_mnist / "data", run_dir=tiny_mnist)
    data: Any = build_data(config, tiny_mnist / "data")
    net: Any = build_task(config).net
    data.setup()
    for _ in torch_loop.steps(net, config, data):
        pass
    checkpoints.save_weights(net, tiny_mnist / "loop.safetensors")
    assert (tiny_mnist / "loop.safetensors").read_bytes() == (tiny_mnist / "model" / checkpoints.MODEL).read_bytes()


@pytest.mark.slow
def test_the_measurement_for_gpus_runs_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "TEXTS", 300)
    monkeypatch.setattr(gpu, "LENGTHS", (5, 20))
    gpu.main(["--device", "cpu", "--epochs", "2", "--out", str(tmp_path / "gpu.json")])
    results = json.loads((tmp_path / "gpu.json").read_text())["results"]
    every = {f"{load}, {precision}" for load in gpu.LOADS for precision in gpu.PRECISIONS}
    assert results.keys() == every - {", ".join(gpu.GPU_ONLY)}
    for found in results.values():
        assert all(found[check] for check in gpu.DETERMINISM)
        assert found["pipeline, samples/s"] > 0
