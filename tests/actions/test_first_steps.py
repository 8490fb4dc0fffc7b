"""Parents of an experiment in either spelling of a configuration, and the digests of its weights."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.actions import first_steps
from pipeline.config import load_config, resolve
from tests.conftest import TINY_TEXT


def config(requires: Any, model: Any = None, teacher: Any = None, seed: int = 1) -> dict[str, Any]:
    return {"requires": requires, "model": model, "data": {"teacher": teacher}, "seed": seed}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (config([], {"of": ["a", "a", "b"]}), config({"members": ["a", "a", "b"]})),
        (config([], {"_target_": "t", "start": "lm-0"}), config({"init_from": "lm-0"}, {"_target_": "t"})),
        (config(["judge-0"], {"_target_": "t"}, "big-3"), config({"judge": "judge-0", "teacher": "big-3"}, {})),
        (config([], {"_target_": "t"}, {"_target_": "b"}), config({}, {"_target_": "t"}, {"_target_": "b"})),
    ],
)
def test_both_spellings_need_the_same_models(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert first_steps.parents(before) == first_steps.parents(now)


def test_the_members_of_a_seed_have_seeds_of_their_own() -> None:
    expected = {"members": ["a-2", "a-3", "b-1", "c-7"]}
    assert first_steps.parents(config({"members": ["a", "a", "b", "c-7"]})) == expected


def test_without_a_seed_in_its_name_a_parent_has_the_experiments_own() -> None:
    assert first_steps.parents(config({"init_from": "lm"})) == {"init_from": ["lm-1"]}


def test_each_tensor_is_described_by_type_shape_and_bytes(tmp_path: Path) -> None:
    arrays: dict[str, np.ndarray] = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a": np.array([3], dtype=np.int64),
    }
    save_file(arrays, tmp_path / "model.safetensors", metadata={"made": "today"})
    (tmp_path / "grams.txt").write_text("good\n")
    assert first_steps.weights(tmp_path) == {
        "a": f"I64 [1] {hashlib.sha256(arrays['a'].tobytes()).hexdigest()}",
        "b": f"F32 [2, 3] {hashlib.sha256(arrays['b'].tobytes()).hexdigest()}",
        "grams.txt": hashlib.sha256(b"good\n").hexdigest(),
    }


@pytest.mark.parametrize("name", first_steps.PLACES)
def test_the_package_has_all_that_is_looked_for(name: str) -> None:
    assert first_steps.place(name)


def test_an_error_is_written_in_the_place_of_a_result(tmp_path: Path) -> None:
    def fail() -> first_steps.StepsResult:
        raise ValueError("no\nsuch thing")

    first_steps.write(tmp_path / "x.json", fail)
    assert (tmp_path / "x.json").read_text() == '{\n "error": "ValueError: no"\n}\n'
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]


class Tiny(first_steps.Side):
    """A side whose nets are small enough for a few reviews."""

    def config(self, experiment: str, seed: int = 0) -> dict[str, Any]:
        words = [f"experiment={experiment}", f"seed={seed}", *TINY_TEXT[1:]]
        if not experiment.endswith(("best", "nbsvm")):
            words += ["model.net.hidden=8"]
        if "_lm" in experiment:
            words += ["model.net.common=8", "model.net.sampled=8", "model.net.embedding=8"]
        elif "model.net.hidden=8" in words:
            words += ["model.net.embedding=8"]
        config: dict[str, Any] = first_steps.place("training")(resolve(load_config(*words)))
        config["cluster"].update(gpus_per_worker=0)
        return config


def test_a_net_with_a_start_and_a_stored_teacher_is_trained_with_all_it_needs(
    tiny_imdb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_steps, "WHOLE", 0)
    (tiny_imdb / "models-2").mkdir()
    found = Tiny(tiny_imdb, steps=2).result("imdb_distilled")
    assert found["steps"] == 2
    made = {folder.name for folder in (tiny_imdb / "models-2").iterdir()}
    parents = {"imdb_lm_small-0", "imdb_lm-0", "imdb_nbsvm-0", "imdb_lstm_pretrained-0", "imdb_pretrained_best-0"}
    assert made == {"imdb_distilled-0", *parents}
    again = Tiny(tiny_imdb, steps=2).result("imdb_distilled")
    assert {**again, "seconds": 0} == {**found, "seconds": 0}


def test_of_an_ensemble_the_members_are_described_in_their_order(tiny_imdb: Path) -> None:
    found = Tiny(tiny_imdb, steps=1).result("imdb_bag_best")["tensors"]
    assert {name.partition("/")[0] for name in found} == {"0", "1"}
    assert "1/grams.txt" in found
