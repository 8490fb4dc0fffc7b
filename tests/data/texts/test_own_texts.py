"""One's own texts, by folder and by CSV file; what is wrong with them is said."""

import csv
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import build_data, load_config, resolve
from pipeline.errors import DataError
from tests.conftest import SMALL_OWN

WORDS = {"praise": "what a great film", "blame": "dull and bad, so bad"}


def texts(folder: Path) -> Path:
    for label, text in WORDS.items():
        (folder / label).mkdir(parents=True)
        for number in range(20):
            (folder / label / f"{number}.txt").write_text(f"{text} {number}")
    return folder


def as_csv(path: Path, lines: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *lines])
    return path


def data(*overrides: str) -> Any:
    return build_data(resolve(load_config(*overrides, *SMALL_OWN)), Path("data"))


def test_a_folder_of_texts_and_a_csv_file_of_them_are_the_same_data(project: Path) -> None:
    folder = texts(project / "letters")
    lines = [(file.read_text(), file.parent.name) for file in sorted(folder.glob("*/*"))]
    table = as_csv(project / "letters.csv", lines)
    one, other = (data("model=gru", "data=own_texts", f"data.path={path}") for path in (folder, table))
    assert one.describe() == other.describe()
    assert one.describe().rows == {"train": 24, "val": 6, "test": 10}
    assert one.labels == ("blame", "praise")
    tokens, labels = next(iter(one.batches("test")))
    assert (tokens[0] != 0).any()
    assert labels.sum() == 5


def test_one_class_alone_or_nothing_at_all_is_refused(project: Path) -> None:
    (project / "empty").mkdir()
    table = as_csv(project / "one.csv", [("a word", "only")] * 3)
    for path in (project / "empty", table):
        with pytest.raises(DataError, match="expected samples of at least two classes"):
            data("model=gru", "data=own_texts", f"data.path={path}").describe()


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
