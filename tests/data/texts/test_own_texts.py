"""One's own texts, by folder and by CSV file; what is wrong with them is said."""

import csv
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import build_data, load_config, resolve
from pipeline.errors import ConfigError, DataError
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
        with pytest.raises(DataError, match="at least two classes"):
            data("model=gru", "data=own_texts", f"data.path={path}").describe()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\nhello,a\n,b\n", r"got 1 of 1.* Set aside: mine\.csv:3 is empty"),
        (b"words,label\nhello,a\n", r"mine\.csv: .*no column that is known as the text in the first line: 'words'"),
        (b"text,label\n\xff\xfe,a\n", r"mine\.csv: is not UTF-8: it looks like Latin-1"),
        (b'text,label\n"hello,a\n', r"mine\.csv:2: .*a quote that is opened here is never closed"),
        (b"text,label\nx,a\ny,b\nz,c\n", "data.classes is 2, found 3: a, b, c"),
        (None, r"mine\.csv: expected a .*table"),
    ],
)
def test_a_table_that_can_not_be_read_is_named_with_its_line(
    content: bytes | None, message: str, project: Path
) -> None:
    if content is not None:
        (project / "mine.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        data("model=gru", "data=own_texts", "data.path=mine.csv").describe()


def test_a_file_that_is_not_a_text_is_set_aside_and_named(project: Path) -> None:
    folder = texts(project / "letters")
    (folder / "blame/bad.txt").write_bytes(b"\xff\xff")
    module = data("model=gru", "data=own_texts", f"data.path={folder}")
    assert sum(module.describe().rows.values()) == 40
    assert next(iter(module.remarks())).startswith("set aside   blame/bad.txt: is not UTF-8: it looks like Latin-1")


def test_sizes_below_one_are_shares_and_sizes_that_leave_nothing_are_an_error(project: Path) -> None:
    table = as_csv(project / "few.csv", [(f"{text} {n}", label) for label, text in WORDS.items() for n in range(49)])
    config = load_config("model=gru", "data=own_texts", f"data.path={table}")
    assert build_data(resolve(config), Path("data")).describe().rows == {"train": 68, "val": 10, "test": 20}
    for sizes in (["data.val_size=100"], ["data.test_size=100"], ["data.test_size=2.5"]):
        config = load_config("model=gru", "data=own_texts", f"data.path={table}", *sizes)
        with pytest.raises(
            ConfigError, match=r"data\.(val|test)_size: (100 of 98 samples leaves none|expected a share)"
        ):
            build_data(resolve(config), Path("data")).describe()


def test_a_path_is_relative_to_the_project_and_a_tilde_is_the_home(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts(project / "letters")
    (project / "docs").mkdir()
    monkeypatch.chdir(project / "docs")
    monkeypatch.setenv("HOME", str(project))
    for path in ("letters", "'~/letters'"):
        config = load_config("model=gru", "data=own_texts", f"data.path={path}", root=project)
        assert build_data(resolve(config), project / "data").describe().rows == {"train": 28, "val": 4, "test": 8}


def test_the_path_must_be_given() -> None:
    with pytest.raises(Exception, match=r"data\.path"):
        data("model=gru", "data=own_texts")
