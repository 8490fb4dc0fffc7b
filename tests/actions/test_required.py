"""The models that a run needs of other experiments: found if they are as configured now, otherwise asked for."""

from pathlib import Path

import numpy as np
import pytest

from pipeline import baselines, checkpoint
from pipeline.actions import required
from pipeline.config import digest, load_config, resolve
from pipeline.data import teacher as teaching
from pipeline.data.raw import read_jsonl
from pipeline.errors import LaunchError
from pipeline.fit import fit
from tests.conftest import TINY_TEXT, Quiet


def kept(root: Path, name: str, config_digest: str) -> Path:
    folder = root / "models" / name
    return checkpoint.publish(folder, lambda aside: None, config_digest=config_digest)


def as_configured(*overrides: str) -> str:
    config = resolve(load_config(*overrides))
    config["cluster"]["gpus_per_worker"] = 0
    return digest(config)


def test_a_kept_model_is_found_if_it_is_as_configured_now(project: Path) -> None:
    folder = kept(project, "mnist_cnn-1", as_configured("experiment=mnist_cnn", "seed=1"))
    assert required.find("mnist_cnn-1", project) == folder


def test_a_model_of_another_seed_another_configuration_or_none_at_all_is_asked_for(project: Path) -> None:
    kept(project, "mnist_cnn-1", as_configured("experiment=mnist_cnn", "seed=1", "trainer.max_epochs=1"))
    for name in ("mnist_cnn-1", "mnist_cnn-2"):
        with pytest.raises(LaunchError, match=rf"{name} was not trained yet as it is configured now"):
            required.find(name, project)


def test_a_net_needs_the_model_that_it_begins_with_if_it_begins_with_one() -> None:
    assert required.names(resolve(load_config("experiment=imdb_lstm_pretrained"))) == ["imdb_lm-0"]
    assert required.names(resolve(load_config("experiment=imdb_lstm_unpretrained"))) == []


def test_what_a_model_is_built_on_is_its_start_its_teacher_or_its_members_but_not_its_judge() -> None:
    def built_on(experiment: str) -> list[str]:
        return required.built_on(resolve(load_config(f"experiment={experiment}", "seed=1")))

    assert built_on("imdb_distilled") == ["imdb_lm_small-0", "imdb_pretrained_best-0"]
    assert built_on("mnist_ensemble") == ["mnist_cnn_best-2", "mnist_cnn_best-3"]
    assert built_on("mnist_gan") == []


def test_a_torn_model_is_passed_over(project: Path) -> None:
    folder = kept(project, "mnist_cnn-0", as_configured("experiment=mnist_cnn"))
    (folder / "manifest.json").write_text("{")
    with pytest.raises(LaunchError, match="not trained yet"):
        required.find("mnist_cnn-0", project)


def test_a_stored_teachers_answers_to_the_unlabelled_texts_come_into_the_runs_folder(
    tiny_imdb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = resolve(load_config(*TINY_TEXT, "model=nbsvm"))
    stored = baselines.fit(teacher, data_dir=tiny_imdb / "data", run_dir=tiny_imdb / "teacher").model_dir
    monkeypatch.setattr(required, "find", lambda name, root: {"imdb_nbsvm-0": stored}[name])
    config = resolve(load_config(*TINY_TEXT, "model=gru", "+data.teacher=imdb_nbsvm-0"))
    assert required.names(config) == ["imdb_nbsvm-0"]
    monkeypatch.setattr(teaching, "AT_ONCE", 8)
    out = Quiet()
    required.bring(config, tiny_imdb / "run", tiny_imdb, out)
    assert out.lines == ["answers 8/20", "answers 16/20", "answers 20/20"]
    answers_NK = checkpoint.weights(tiny_imdb / "run" / checkpoint.TAUGHT)[checkpoint.TAUGHT]
    texts = [row["text"] for row in read_jsonl(tiny_imdb / "data/imdb/unsup.jsonl")]
    np.testing.assert_allclose(answers_NK.numpy(), baselines.load(stored).texts(texts), atol=1e-6)
    config["cluster"]["gpus_per_worker"] = 0
    learned = fit(config, data_dir=tiny_imdb / "data", run_dir=tiny_imdb / "run")
    assert learned.steps == config["trainer"]["max_epochs"] * -(-(60 + 20) // config["data"]["batch_size"])
