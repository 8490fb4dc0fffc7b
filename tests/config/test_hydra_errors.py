"""Hydra's and OmegaConf's errors reach users in this project's words."""

from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.errors import ConfigError, DataError

FOREIGN = ("hydra", "omegaconf", "interpolation", "full_key", "object_type", "lexer", "mismatched", "multirun")


def message(*overrides: str, config_dir: Path | None = None) -> str:
    with pytest.raises((ConfigError, DataError)) as error:
        load_config(*overrides, config_dir=config_dir)
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("overrides", "start", "parts"),
    [
        (
            ["model=cnn", "data=imdb"],
            "model.net.in_shape: this model needs data.in_shape, which data=imdb does not have. Choose",
            ["digits", "mnist", "lstm"],
        ),
        (
            ["experiment=mnist_cnn", "model=seq2seq"],
            "model.net.symbols: this model needs data.symbols, which data=mnist does not have. Choose",
            ["other data (piglatin)", "another model", "cnn"],
        ),
        (["data=image_folder"], "data.path: not set, and there is no default. Set it with `data.path=…`.", []),
        (["data=image_folder", "data.classes=2"], "data.path: not set, and there is no default. Set it", []),
        (["data.mirror=${oc.env:NO_SUCH}"], "NO_SUCH: this environment variable is not set.", []),
        (["model.optimizer.lr=${nothing.here}"], "model.optimizer.lr: refers to nothing.here, which is not set.", []),
        (["lr=1"], "lr: no such key. Did you mean model.optimizer.lr?", []),
    ],
)
def test_an_error_names_the_key_the_choice_and_the_next_step(
    overrides: list[str], start: str, parts: list[str]
) -> None:
    text = message(*overrides)
    assert text.startswith(start)
    assert all(part in text for part in parts)
    assert not [word for word in FOREIGN if word in text.lower()]


OWN = ("image_folder", "idx_images", "own_texts")  # data sets that need a path


def test_the_models_that_are_proposed_fit_the_data_and_the_data_fit_the_model() -> None:
    text = message("model=cnn", "data=imdb")
    data, models = (part.partition(")")[0].split(", ") for part in text.split("(")[1:])
    for name in data:
        path = ["data.path=tests"] if name in OWN else []
        try:
            load_config("model=cnn", f"data={name}", *path)
        except DataError:  # this folder holds no pictures
            assert name in OWN
    for name in models:
        load_config(f"model={name}", "data=imdb")


def test_an_error_of_ours_inside_an_interpolation_stays_as_it_is(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    text = message("data=image_folder", f"data.path={missing}")
    assert text.startswith(f"{missing}: expected a folder, a tar or zip archive or a CSV file")
    assert not [word for word in FOREIGN if word in text.lower()]
