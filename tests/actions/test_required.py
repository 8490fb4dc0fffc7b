"""The models that a run needs of other experiments: found if they are as configured now, otherwise asked for."""

from pathlib import Path

import pytest

from pipeline import checkpoint
from pipeline.actions import required
from pipeline.config import digest, load_config, resolve
from pipeline.errors import LaunchError


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


def test_a_torn_model_is_passed_over(project: Path) -> None:
    folder = kept(project, "mnist_cnn-0", as_configured("experiment=mnist_cnn"))
    (folder / "manifest.json").write_text("{")
    with pytest.raises(LaunchError, match="not trained yet"):
        required.find("mnist_cnn-0", project)
