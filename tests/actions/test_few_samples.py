"""With few samples a run takes enough steps, says what would help, and starts from pretrained weights if it can."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from pipeline.actions import sweep
from pipeline.actions.data import check
from pipeline.actions.few_samples import enough_epochs, held_out
from pipeline.config import build_data, load_config, resolve
from pipeline.runs import lookup, records
from pipeline.types import Config
from tests.conftest import Quiet

GRU = ("model=gru", "data=own_texts", "data.path=films.csv")


@pytest.fixture
def films(project: Path) -> Path:
    """40 different texts of two classes in a project: 28 for train."""
    rows = [f"a {label} film of the year {1980 + n},{label}" for n in range(20) for label in ("good", "bad")]
    path = project / "films.csv"
    path.write_text("\n".join(["text,label", *rows]))
    return path


def epochs(root: Path, *overrides: str) -> list[str]:
    return enough_epochs(resolve(load_config(*overrides)), overrides, Quiet(), root=root)


def test_few_samples_get_the_epochs_of_a_thousand_steps(films: Path) -> None:
    assert epochs(films.parent, *GRU, "data.batch_size=2") == ["trainer.max_epochs=72"]  # 14 steps each
    assert epochs(films.parent, *GRU) == ["trainer.max_epochs=200"]  # 1 step each, and no more than 200 epochs
    more = ("data.batch_size=1", "data.test_size=2", "data.val_size=2")  # 36 steps
    assert epochs(films.parent, *GRU, *more) == ["trainer.max_epochs=28"]


def test_epochs_that_are_chosen_and_models_that_need_none_are_left_alone(films: Path, shapes: Path) -> None:
    assert epochs(films.parent, *GRU, "trainer.max_epochs=3") == []
    assert epochs(films.parent, *GRU, "name=mine") == []
    assert epochs(films.parent, "model=tfidf", *GRU[1:]) == []
    assert epochs(films.parent, "model=pretrained", "data=image_folder", "data.path=shapes") == []
    assert epochs(films.parent, "experiment=digits_mlp") == []


def test_a_run_is_configured_with_these_epochs_and_says_so(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train: Any = importlib.import_module("pipeline.actions.train")
    configured: list[Config] = []
    monkeypatch.setattr(train, "execute", lambda config, *_, **__: configured.append(config))
    console = Quiet()
    train.train([*GRU, "data.batch_size=2"], console, root=films.parent)
    assert configured[0]["trainer"]["max_epochs"] == 72
    assert any(line.startswith("epochs      72") for line in console.lines)


def test_the_trials_of_a_sweep_and_the_command_that_repeats_the_best_have_these_epochs(
    films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_run", lambda run_dir, *_, **__: {"run_dir": str(run_dir)})
    search = [*GRU, "data.batch_size=2", "model.optimizer.lr=choice(0.001,0.01)"]
    run_dir = Path(sweep.sweep(search, 2, Quiet(), root=films.parent)["run_dir"])
    folders = [Path(trial["run_dir"]) for trial in lookup.trials(run_dir)]
    assert [records.config(folder)["trainer"]["max_epochs"] for folder in folders] == [72, 72]
    assert "trainer.max_epochs=72" in records.read(run_dir)["sweep"]["train"]


def test_a_run_names_the_setting_that_holds_out_fewer(films: Path, shapes: Path) -> None:
    def lines(*overrides: str) -> list[str]:
        config = resolve(load_config(*overrides))
        return list(held_out(config, build_data(config, films.parent / "data")))

    assert lines(*GRU) == ["held out    12 of 40 samples; data.test_size=0.1 holds out fewer"]
    assert lines(*GRU, "data.test_size=0.1") == []
    (line,) = lines("model=cnn", "data=image_folder", "data.path=shapes")
    assert line.endswith("of 36 samples; data.folds=10 holds out fewer")
    (films.parent / "given").mkdir()
    for split in ("train", "test"):
        text = films.read_text() if split == "train" else "text,label\na first film,good\na last film,bad\n"
        (films.parent / f"given/{split}.csv").write_text(text)
    assert lines(*GRU[:2], "data.path=given") == []


def test_the_command_for_few_images_starts_from_pretrained_weights(shapes: Path) -> None:
    command = check(shapes, None, None, root=shapes.parent).command
    assert command == "pipeline train model=pretrained data=image_folder data.path=shapes 'data.in_shape=[3,192,192]'"
