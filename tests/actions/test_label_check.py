"""Labels that were made wrong on purpose are named, in images and in texts; right ones are left alone."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.actions.label_check import LabelCheck, Suspect, check_labels
from tests.conftest import idx_bytes, striped_digits

GOOD, BAD = ["lovely", "warm", "clever", "funny", "great"], ["dull", "cold", "stupid", "boring", "awful"]


def review(rng: np.random.Generator, words: list[str]) -> str:
    return " ".join([*rng.choice(words, 4), *rng.choice(["film", "story", "actor", "music"], 3)])


def test_reviews_with_the_wrong_label_are_named_by_file_and_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(review(rng, (GOOD, BAD)[n % 2]), ("good", "bad")[n % 2]) for n in range(120)]
    for wrong in (10, 61):
        rows[wrong] = (rows[wrong][0], {"good": "bad", "bad": "good"}[rows[wrong][1]])
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    found = check_labels(tmp_path / "reviews.csv", None, None)
    assert found.suspects is not None
    assert {each.sample for each in found.suspects} == {"reviews.csv:12", "reviews.csv:63"}  # a header, lines from 1
    named = {each.sample: (each.label, each.looks_like) for each in found.suspects}
    assert named["reviews.csv:12"] == ("bad", "good")
    assert "2 labels look wrong" in next(found.lines())


def test_pictures_with_the_wrong_label_are_named_by_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label, channel in (("red", 0), ("blue", 2)):
        (tmp_path / label).mkdir()
        for number in range(30):
            pixels = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
            pixels[..., channel if (label, number) != ("red", 7) else 2] += 150
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    found = check_labels(tmp_path, None, None)
    assert found.suspects is not None
    assert [(each.sample, each.looks_like) for each in found.suspects] == [("red/7.png", "blue")]


def test_idx_images_with_the_wrong_label_are_named_by_split_and_number(tmp_path: Path) -> None:
    for part, count in (("train", 200), ("t10k", 100)):
        images, labels = striped_digits(count, seed=count)
        if part == "t10k":
            labels[33] = (labels[33] + 5) % 10
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    found = check_labels(tmp_path, None, None)
    assert found.suspects is not None
    assert [each.sample for each in found.suspects] == ["test 33"]


def test_classifiers_that_learn_nothing_judge_no_label(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(review(rng, GOOD), str(rng.choice(["a", "b"]))) for _ in range(80)]
    with (tmp_path / "noise.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    found = check_labels(tmp_path / "noise.csv", None, None)
    assert found.suspects is None
    assert "not judged" in next(found.lines())


@pytest.mark.parametrize(("count", "lines"), [(0, 1), (1, 2), (12, 13), (14, 14)])
def test_the_terminal_shows_the_first_twelve(count: int, lines: int) -> None:
    named = tuple(Suspect(f"{n}.png", "cat", 0.01, "dog", 0.9) for n in range(count))
    assert len(list(LabelCheck(100, 0.95, named).lines())) == lines
