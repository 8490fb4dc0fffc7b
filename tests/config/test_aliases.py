"""Stored configurations of former versions, written out by hand, read as today's."""

from typing import Any

import pytest

from pipeline.config import aliases
from pipeline.config.aliases import upgrade

NET = {"_target_": "pipeline.models.recurrent.Recurrent", "hidden": 4}


def old(requires: Any, model: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"name": "x", "seed": 1, "requires": requires, "model": model, "data": {"name": "imdb", **data}}


@pytest.mark.parametrize(
    ("former", "requires", "model"),
    [
        (old(["mnist_cnn-0"], {"_target_": "a.GAN"}), {"judge": "mnist_cnn-0"}, {"_target_": "a.GAN"}),
        (old([], {"of": ["a", "b"]}), {"members": ["a", "b"]}, {}),
        (old([], {"start": "imdb_lm-0", "net": NET}), {"init_from": "imdb_lm-0"}, {"net": NET}),
        (old([], {"start": None, "net": NET}), {}, {"net": NET}),
        (old([], {"net": NET}, teacher="imdb_pretrained_best-0"), {"teacher": "imdb_pretrained_best-0"}, {"net": NET}),
        (old([], {"net": NET}, teacher=dict(aliases.NBSVM)), {"teacher": "imdb_nbsvm-0"}, {"net": NET}),
        (old([], {"net": NET}, teacher=None), {}, {"net": NET}),
    ],
)
def test_the_former_spellings_of_a_dependency_are_read_as_requires(
    former: dict[str, Any], requires: dict[str, Any], model: dict[str, Any]
) -> None:
    before = repr(former)
    assert upgrade(former) == {"name": "x", "seed": 1, "requires": requires, "model": model, "data": {"name": "imdb"}}
    assert repr(former) == before


def test_a_configuration_of_today_stays_as_it_is() -> None:
    today = old({"members": ["a"], "judge": None}, {})
    assert upgrade(today) == today
    assert upgrade(upgrade(today)) == today


def test_a_class_that_moved_is_named_by_its_present_place_however_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aliases, "MOVED", {"pipeline.data.folder": "pipeline.new", "pipeline.data.own.A": "pipeline.B"})
    former = old({}, {"layers": [{"_target_": "pipeline.data.own.A"}]}, _target_="pipeline.data.folder.ImageFolder")
    found = upgrade(former)
    assert found["data"]["_target_"] == "pipeline.new.ImageFolder"
    assert found["model"] == {"layers": [{"_target_": "pipeline.B"}]}


def test_former_names_of_keys_and_experiments_are_read_as_todays() -> None:
    former = old([], {"log_odds": 0.2, "net": {**NET, "pairs": 64}}, keep="last", pieces=4, rounds=2)
    found = upgrade(
        {**former, "name": "imdb_lstm_virtual", "requires": {"members": ["imdb_lstm_taught-3", "imdb_nbsvm"]}}
    )
    assert found["name"] == "imdb_lstm_vat"
    assert found["requires"] == {"members": ["imdb_lstm_pseudo-3", "imdb_nbsvm"]}
    assert found["data"] == {"name": "imdb", "truncation_side": "left", "chunks": 4, "labeled_repeats": 2}
    assert found["model"] == {"logit_match_weight": 0.2, "net": {**NET, "bigram_buckets": 64}}
    assert upgrade(old([], {}, keep="first"))["data"]["truncation_side"] == "right"


def test_former_keys_of_augmentation_and_nets_are_read_as_todays() -> None:
    former = old(
        [], {"net": {"start": "keras", "brightness": 255, "shift_px": 1}}, augment={"light": 0.1, "erase": 0.2}
    )
    found = upgrade({**former, "data": {**former["data"], "name": "plane"}})
    assert found["model"] == {"net": {"init": "keras", "input_scale": 255, "tta_shift_px": 1}}
    assert found["data"] == {"name": "plane", "augment": {"brightness": 0.1, "erase": 0.2}}
    assert upgrade(old([], {}, augment=None))["data"]["augment"] is None
