"""One's own images and texts, by folder and by CSV file; what is wrong with them is said."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.config import build_data, load_config, resolve
from pipeline.errors import DataError
from tests.conftest import SMALL_OWN

WORDS = {"praise": "what a great film", "blame": "dull and bad, so bad"}


def images(folder: Path) -> Path:
    for label, row in (("top", 4), ("bottom", 20)):
        (folder / label).mkdir(parents=True)
        for number in range(20):
            picture = np.zeros((30, 25), np.uint8)
            picture[row + number % 5] = 255
            Image.fromarray(picture).save(folder / label / f"{number}.png")
    return folder


def texts(folder: Path) -> Path:
    for label, text in WORDS.items():
        (folder / label).mkdir(parents=True)
        for number in range(20):
            (folder / label / f"{number}.txt").write_text(f"{text} {number}")
    return folder


def as_csv(path: Path, column: str, lines: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([(column, "label"), *lines])
    return path


def data(*overrides: str) -> Any:
    return build_data(resolve(load_config(*overrides, *SMALL_OWN)), Path("data"))


def test_a_folder_of_images_and_a_csv_file_of_them_are_the_same_data(project: Path) -> None:
    folder = images(project / "shapes")
    lines = [(f"shapes/{file.parent.name}/{file.name}", file.parent.name) for file in sorted(folder.glob("*/*"))]
    table = as_csv(project / "shapes.csv", "file", lines)
    one, other = (data("model=cnn", "data=own_images", f"data.path={path}") for path in (folder, table))
    assert one.describe() == other.describe()
    assert one.describe().rows == {"train": 24, "val": 6, "test": 10}
    assert one.labels == ("bottom", "top")
    for inputs, labels in one.batches("test"):
        assert inputs.shape == (10, 1, 28, 28)
        assert labels.sum() == 5  # every class in proportion
        upper = inputs[:, :, :14].sum(dim=(1, 2, 3)) > inputs[:, :, 14:].sum(dim=(1, 2, 3))
        assert upper.long().tolist() == labels.tolist()


def test_a_folder_of_texts_and_a_csv_file_of_them_are_the_same_data(project: Path) -> None:
    folder = texts(project / "letters")
    lines = [(file.read_text(), file.parent.name) for file in sorted(folder.glob("*/*"))]
    table = as_csv(project / "letters.csv", "text", lines)
    one, other = (data("model=gru", "data=own_texts", f"data.path={path}") for path in (folder, table))
    assert one.describe() == other.describe()
    assert one.describe().rows == {"train": 24, "val": 6, "test": 10}
    assert one.labels == ("blame", "praise")
    tokens, labels = next(iter(one.batches("test")))
    assert (tokens[0] != 0).any()
    assert labels.sum() == 5


@pytest.mark.parametrize("column", ["file", "text"])
def test_one_class_alone_or_nothing_at_all_is_refused(column: str, project: Path) -> None:
    kind = "own_images" if column == "file" else "own_texts"
    model = "cnn" if column == "file" else "gru"
    (project / "empty").mkdir()
    table = as_csv(project / "one.csv", column, [("a.png", "only")] * 3)
    for path in (project / "empty", table):
        with pytest.raises(DataError, match="expected samples of at least two classes"):
            data(f"model={model}", f"data={kind}", f"data.path={path}").describe()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\nhello,a\n,b\n", r"mine\.csv:3: expected something in the columns text and label"),
        (b"words,label\nhello,a\n", r"mine\.csv:2: expected something in the columns text and label"),
        (b"text,label\n\xff\xfe,a\n", "expected a CSV file in UTF-8 or a folder"),
        (b'text,label\n"hello,a\n', "expected a CSV file in UTF-8 or a folder"),
        (b"text,label\nx,a\ny,b\nz,c\n", "data.classes is 2, found 3: a, b, c"),
        (None, "expected a CSV file in UTF-8 or a folder"),
    ],
)
def test_a_table_that_can_not_be_read_is_named_with_its_line(
    content: bytes | None, message: str, project: Path
) -> None:
    if content is not None:
        (project / "mine.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        data("model=gru", "data=own_texts", "data.path=mine.csv").describe()


def test_a_file_that_is_no_text_is_named(project: Path) -> None:
    folder = texts(project / "letters")
    (folder / "blame/bad.txt").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match=r"blame/bad\.txt: expected a text in UTF-8"):
        data("model=gru", "data=own_texts", f"data.path={folder}").describe()


def test_the_path_must_be_given() -> None:
    with pytest.raises(Exception, match=r"data\.path"):
        data("model=gru", "data=own_texts")
