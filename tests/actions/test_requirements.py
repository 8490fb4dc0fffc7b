"""The models that a run requires of other experiments: found if they are as configured now."""

import json
from pathlib import Path

import pytest
import torch

from pipeline.actions.requirements import fetch, find
from pipeline.config import build, build_data, digest, load_config, resolve
from pipeline.data.jsonl import read_jsonl
from pipeline.data.texts import pseudo_labels as teaching
from pipeline.errors import LaunchError
from pipeline.runs import checkpoints, requirements
from pipeline.training import baselines
from pipeline.training.fit import fit
from tests.conftest import TINY_TEXT, Quiet


def store(root: Path, name: str, config_digest: str) -> Path:
    folder = root / "models" / name
    return checkpoints.publish(folder, lambda aside: None, config_digest=config_digest)


def configured(*overrides: str) -> str:
    return digest(resolve(load_config(*overrides)))


def test_a_stored_model_is_found_if_it_is_as_configured_now(project: Path) -> None:
    folder = store(project, "mnist_cnn-1", configured("experiment=mnist_cnn", "seed=1"))
    assert find("mnist_cnn-1", project) == folder


def test_a_model_of_another_seed_or_configuration_is_not_found(project: Path) -> None:
    store(project, "mnist_cnn-1", configured("experiment=mnist_cnn", "seed=1", "trainer.max_epochs=1"))
    for name in ("mnist_cnn-1", "mnist_cnn-2"):
        with pytest.raises(LaunchError, match=rf"{name}: no model of today's configuration"):
            find(name, project)


def test_a_judge_that_was_trained_on_cpus_is_found_where_there_is_a_gpu(project: Path) -> None:
    folder = store(project, "mnist_cnn-0", configured("experiment=mnist_cnn", "cluster.gpus_per_worker=0"))
    assert find("mnist_cnn-0", project) == folder
    assert configured("cluster.gpus_per_worker=1") == configured("cluster.gpus_per_worker=0")


def test_a_net_requires_the_model_of_its_initial_weights() -> None:
    assert requirements.names(resolve(load_config("experiment=imdb_lstm_pretrained"))) == ["imdb_lm-0"]
    assert requirements.names(resolve(load_config("experiment=imdb_lstm_unpretrained"))) == []


def test_a_model_is_built_on_its_initial_weights_teacher_and_members_but_not_on_its_judge() -> None:
    def built_on(experiment: str) -> list[str]:
        return requirements.built_on(resolve(load_config(f"experiment={experiment}", "seed=1")))

    assert built_on("imdb_distilled") == ["imdb_lm_small-0", "imdb_pretrained_best-0"]
    assert built_on("mnist_ensemble") == ["mnist_cnn_best-2", "mnist_cnn_best-3"]
    assert built_on("mnist_gan") == []


def test_a_torn_model_is_not_found(project: Path) -> None:
    folder = store(project, "mnist_cnn-0", configured("experiment=mnist_cnn"))
    (folder / "manifest.json").write_text("{")
    with pytest.raises(LaunchError, match="no model of today's configuration"):
        find("mnist_cnn-0", project)


def test_one_experiment_as_a_dependency_has_the_seed_of_the_run_and_a_fixed_one_its_own() -> None:
    config = resolve(load_config("experiment=mnist_gan", "seed=3", "requires.judge=mnist_cnn"))
    assert requirements.names(config) == ["mnist_cnn-3"]
    assert requirements.names(resolve(load_config("experiment=mnist_gan", "seed=3"))) == ["mnist_cnn-0"]


def test_a_model_stored_before_a_renaming_is_found_by_the_weights_that_are_recorded(project: Path) -> None:
    def record(**facts: object) -> None:
        runs = [{"seed": 1, "weights_digest": weights, "config_digest": today, **facts}]
        (project / "results/mnist_cnn.json").write_text(json.dumps({"experiment": "mnist_cnn", "runs": runs}))

    today = digest(resolve(load_config("experiment=mnist_cnn", "seed=1")))
    folder = checkpoints.publish(
        project / "models/mnist_cnn-1",
        lambda aside: checkpoints.save_tensors({"w": torch.ones(1)}, aside / checkpoints.MODEL),
        config_digest="former",
    )
    weights = checkpoints.weights_digest(checkpoints.verify(folder))
    (project / "results").mkdir()
    for other in ({"seed": 2}, {"weights_digest": "another"}, {"config_digest": "former"}):
        record(**other)
        with pytest.raises(LaunchError, match="no model of today's configuration"):
            find("mnist_cnn-1", project)
    record()
    assert find("mnist_cnn-1", project) == folder


def test_a_stored_teachers_predictions_come_into_the_runs_folder_bit_for_bit_as_of_the_model_that_was_just_fitted(
    tiny_imdb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = resolve(load_config(*TINY_TEXT, "model=nbsvm"))
    stored = baselines.fit(teacher, data_dir=tiny_imdb / "data", run_dir=tiny_imdb / "teacher").model_dir
    monkeypatch.setattr("pipeline.actions.requirements.find", lambda name, root: {"imdb_nbsvm-0": stored}[name])
    config = resolve(load_config(*TINY_TEXT, "model=gru", "+requires.teacher=imdb_nbsvm-0"))
    assert requirements.names(config) == ["imdb_nbsvm-0"]
    monkeypatch.setattr(teaching, "BATCH", 8)
    console = Quiet()
    fetch(config, tiny_imdb / "run", tiny_imdb, console)
    assert console.lines == ["answers 8/20", "answers 16/20", "answers 20/20"]
    predictions_MK = checkpoints.weights(tiny_imdb / "run" / checkpoints.TEACHER)[checkpoints.TEACHER]
    texts = [row["text"] for row in read_jsonl(tiny_imdb / "data/imdb/unsup.jsonl")]
    data, fitted = build_data(teacher, tiny_imdb / "data"), build(teacher["model"])
    data.read()
    fitted.fit(data.texts["train"], data.truth["train"].numpy())
    assert torch.equal(predictions_MK, torch.from_numpy(fitted.probabilities(texts)).float())
    config["cluster"]["gpus_per_worker"] = 0
    learned = fit(config, data_dir=tiny_imdb / "data", run_dir=tiny_imdb / "run")
    assert learned.steps == config["trainer"]["max_epochs"] * -(-(60 + 20) // config["data"]["batch_size"])


def test_a_run_of_a_former_version_goes_on_with_the_predictions_under_their_former_name(tiny_imdb: Path) -> None:
    config = resolve(load_config(*TINY_TEXT, "model=gru", "+requires.teacher=imdb_nbsvm-0", "trainer.max_epochs=1"))
    config["cluster"]["gpus_per_worker"] = 0
    weights = []
    for folder, name in (("then", "taught"), ("now", checkpoints.TEACHER)):
        checkpoints.publish(
            tiny_imdb / folder / name,
            lambda aside, name=name: checkpoints.save_tensors(  # type: ignore[misc]
                {name: torch.full((20, 2), 0.5)}, aside / checkpoints.MODEL
            ),
        )
        fetch(config, tiny_imdb / folder, tiny_imdb, Quiet())
        fit(config, data_dir=tiny_imdb / "data", run_dir=tiny_imdb / folder)
        weights.append(checkpoints.weights_digest(checkpoints.verify(tiny_imdb / folder / "model")))
    assert weights[0] == weights[1]
