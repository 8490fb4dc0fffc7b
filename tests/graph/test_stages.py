"""runs.yaml: a line a run, with the data it reads and the models it requires."""

from pathlib import Path

import pytest
import yaml

from pipeline.errors import ConfigError
from pipeline.graph import stages


def written(root: Path, **seeds: int) -> dict[str, dict[str, object]]:
    (root / "params.yaml").write_text(yaml.safe_dump({"seeds": seeds}, sort_keys=False))
    runs: dict[str, dict[str, object]] = yaml.safe_load(stages.write(root).read_text())["runs"]
    return runs


def test_each_seed_is_a_run_with_the_models_that_it_requires(project: Path) -> None:
    runs = written(project, mnist_ensemble=2, mnist_gan=1, dogcat_cnn=1, mlp_xor=1)
    assert list(runs) == ["mnist_ensemble-0", "mnist_ensemble-1", "mnist_gan-0", "dogcat_cnn-0", "mlp_xor-0"]
    assert runs["mnist_ensemble-1"]["requires"] == ["models/mnist_cnn_best-2", "models/mnist_cnn_best-3"]
    assert runs["mnist_gan-0"]["requires"] == ["models/mnist_cnn-0", "prepared/mnist.json"]
    assert runs["dogcat_cnn-0"]["data"] == "prepared/dogs-vs-cats.json"
    assert runs["mlp_xor-0"]["data"] == "prepared/fingerprint/mlp_xor.json"  # nothing is downloaded


def test_the_runs_that_a_stage_compares_are_those_whose_evaluations_it_depends_on(tmp_path: Path) -> None:
    assert stages.compared("quick", tmp_path) == []
    deps = ["evaluations/mlp_xor/0", "evaluations/mnist_cnn/12", "evaluations/${key}", "results"]
    graph = {"stages": {"quick": {"deps": deps}, "collect": {"foreach": {}, "do": {"deps": deps}}}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(graph))
    assert stages.compared("quick", tmp_path) == ["mlp_xor-0", "mnist_cnn-12"]
    assert stages.compared("collect", tmp_path) == []
    assert stages.compared("mlp_xor-0", tmp_path) == []


def test_more_required_models_than_dvc_yaml_has_places_for_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "MOST", 1)
    with pytest.raises(ConfigError, match=r"mnist_ensemble.yaml: requires 2 models"):
        written(project, mnist_ensemble=1)
