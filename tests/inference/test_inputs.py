"""Inputs of a prediction: each once, by name, in order; an input that can't be read does not affect the others."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError
from pipeline.inference import reading
from pipeline.inference.inputs import CHUNK_SIZE, InputChunk, check_arguments, chunks
from pipeline.inference.reading import ReadableType, read
from tests.conftest import damaged_tiff, idx_bytes


def everything(
    given: list[str], content: ReadableType, stdin: Sequence[str | bytes] | None = None, in_shape: Any = (1, 28, 28)
) -> list[tuple[str, Any]]:
    found = list(chunks(given, content, stdin))
    held = [one for chunk in found for one in read(chunk, content, in_shape, digits=True)]
    assert [name for name, _ in held] == [name for chunk in found for name in chunk.names]
    return held


def test_texts_are_arguments_files_folders_and_lines(project: Path) -> None:
    (project / "texts/deep").mkdir(parents=True)
    (project / "texts/b.txt").write_text("from b")
    (project / "texts/deep/a.txt").write_text("from a")
    (project / "texts/c.md").write_text("not a text of ours")
    (project / "rows.JSONL").write_text('{"text": "one"}\n"two"\n{"no": 1}\n[]\n')
    found = everything(["plain", "texts", "rows.JSONL", "-"], "texts", ["x\n", "y"])
    assert [(name, content) for name, content in found if isinstance(content, str)] == [
        ("plain", "plain"),
        ("texts/b.txt", "from b"),
        ("texts/deep/a.txt", "from a"),
        ("rows.JSONL:1", "one"),
        ("rows.JSONL:2", "two"),
        ("stdin:1", "x"),
        ("stdin:2", "y"),
    ]
    wrong = [str(content) for _, content in found if isinstance(content, DataError)]
    assert [one.split(": ")[0] for one in wrong] == ["rows.JSONL:3", "rows.JSONL:4"]


def test_a_long_file_of_lines_is_cut_between_lines(project: Path) -> None:
    texts = [f"text {number} ☃" for number in range(2 * CHUNK_SIZE + 3)]
    (project / "rows.jsonl").write_text("".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts))
    assert [chunk.count for chunk in chunks(["rows.jsonl"], "texts")] == [CHUNK_SIZE, CHUNK_SIZE, 3]
    assert [content for _, content in everything(["rows.jsonl"], "texts")] == texts


def test_images_are_pictures_folders_and_idx_files(project: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (CHUNK_SIZE + 2, 28, 28), dtype=np.uint8)
    (project / "images.idx").write_bytes(idx_bytes(images))
    (project / "folder").mkdir()
    dark = images[0] // 3
    Image.fromarray(dark).save(project / "folder/one.png")
    (project / "folder/notes.txt").write_text("no picture")
    (project / "folder/broken.png").write_bytes(b"\x89PNG nothing")
    broken, one, *many = everything(["folder", "images.idx"], "images")
    assert isinstance(broken[1], DataError)
    assert "broken.png" in str(broken[1])
    np.testing.assert_array_equal(one[1], dark)
    assert many[CHUNK_SIZE][0] == f"images.idx[{CHUNK_SIZE}]"
    np.testing.assert_array_equal([image for _, image in many], images)


def test_a_large_picture_is_centred_for_a_net_of_mnist_and_scaled_for_others(project: Path) -> None:
    page = np.zeros((200, 300), np.uint8)
    page[20:140, 30:50] = 255
    Image.fromarray(page).save(project / "page.png")
    (chunk,) = chunks(["page.png"], "images")
    ((_, centred),) = read(chunk, "images", (1, 28, 28), digits=True)
    ((_, scaled),) = read(chunk, "images", (1, 28, 28), digits=False)
    centred, scaled = np.asarray(centred), np.asarray(scaled)
    assert abs((centred.sum(axis=0) @ np.arange(28)) / centred.sum() - 14) <= 0.5
    assert (scaled.sum(axis=0) @ np.arange(28)) / scaled.sum() < 5


def test_an_empty_picture_of_another_size_is_refused(project: Path) -> None:
    Image.new("L", (100, 100)).save(project / "page.png")
    ((_, error),) = everything(["page.png"], "images")
    assert "nothing is drawn" in str(error)


@pytest.mark.parametrize(
    ("given", "content", "said"),
    [
        (["empty"], "images", "no input in this folder"),
        (["empty"], "texts", "no input in this folder"),
        (["empty.jsonl"], "texts", "is empty"),
        (["other.idx"], "images", "expected images of 28x28, got 2x2"),
        (["flat.idx"], "images", "flat.idx"),
    ],
)
def test_what_holds_no_input_is_refused(given: list[str], content: ReadableType, said: str, project: Path) -> None:
    (project / "empty").mkdir()
    (project / "empty.jsonl").touch()
    (project / "other.idx").write_bytes(idx_bytes(np.zeros((1, 2, 2), np.uint8)))
    (project / "flat.idx").write_bytes(idx_bytes(np.zeros(3, np.uint8)))
    with pytest.raises(DataError, match=said):  # noqa: PT012
        ((_, error),) = everything(given, content)
        raise error


def test_no_input_is_larger_than_a_mebibyte(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LINE_BYTES", 10)
    (project / "long.txt").write_text("x" * 11)
    (project / "long.jsonl").write_text('"' + "x" * 11 + '"\n"short"\n')
    (_, file), (_, line), (_, short) = everything(["long.txt", "long.jsonl"], "texts")
    assert isinstance(file, DataError)
    assert isinstance(line, DataError)
    assert short == "short"


@pytest.mark.parametrize(("text", "point"), [("0,1", [0, 1]), ("[-1.5, 2e3]", [-1.5, 2000]), ("(3,4)", [3, 4])])
def test_points_are_numbers_with_commas(text: str, point: list[float]) -> None:
    assert everything([text], "points", in_shape=(2,)) == [(text, point)]


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "nan,0", "1e99,0"])
def test_other_points_are_refused(text: str) -> None:
    ((_, error),) = everything([text], "points", in_shape=(2,))
    assert "expected 2 numbers" in str(error)


def only(argument: str, input_type: ReadableType, **given: Any) -> Any:
    """The single input that an argument names, or the error in its place."""
    ((_, content),) = everything([argument], input_type, **given)
    return content


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("README.md", b"# A heading\n", "got a text file"),
        ("letter.txt", "ö".encode() * 4096, "got a text file"),  # the first 4 KiB may end within a character
        ("empty.png", b"", "got an empty file"),
        ("noise.png", b"\xff\xfe\x00\x01 nothing", r"got a binary file .*\(its first bytes are ff fe 00 01\)"),
    ],
)
@pytest.mark.parametrize("digits", [True, False])
def test_a_file_that_is_not_an_image_is_described_without_advice_on_the_data(
    name: str, content: bytes, found: str, digits: bool, project: Path
) -> None:
    (project / name).write_bytes(content)
    ((_, error),) = read(InputChunk("files", (name,)), "images", (1, 28, 28), digits)
    assert re.search(f"{name}: expected an image .*, {found}", str(error))
    assert "data pull" not in str(error)


def test_a_damaged_image_is_an_error_in_its_place_whatever_pillow_raises(project: Path) -> None:
    (project / "damaged.tiff").write_bytes(damaged_tiff())
    error = only("damaged.tiff", "images")
    assert isinstance(error, DataError)
    assert re.match(r"damaged\.tiff: expected a picture or an IDX file, got TypeError", str(error))


def test_a_pipe_is_not_waited_for_as_an_image(project: Path) -> None:
    os.mkfifo(project / "pipe.png")
    error = only("pipe.png", "images")
    assert isinstance(error, DataError)
    assert str(error).startswith("pipe.png: expected an image")
    assert "(a pipe, device or folder)" in str(error)


def test_a_damaged_idx_file_is_not_blamed_on_the_data_sets(project: Path) -> None:
    (project / "short.idx").write_bytes(idx_bytes(np.zeros((2, 28, 28), np.uint8))[:-1])
    with pytest.raises(DataError, match=r"short\.idx: expected 1,584 bytes") as caught:
        list(chunks(["short.idx"], "images"))
    assert "data pull" not in str(caught.value)


@pytest.mark.parametrize("content", [b"caf\xe9", b"\xff\xfe\x00\x01", b"a\0b", b"\xed\xa0\x80"])
def test_bytes_that_are_not_utf8_text_are_refused_wherever_they_come_from(content: bytes, project: Path) -> None:
    (project / "bytes.txt").write_bytes(content)
    (project / "rows.jsonl").write_bytes(b'"' + content + b'"\n"fine"\n')
    from_file, (from_row, after_row) = only("bytes.txt", "texts"), [c for _, c in everything(["rows.jsonl"], "texts")]
    from_stdin, after_line = [c for _, c in everything(["-"], "texts", [content + b"\n", b"fine\n"])]
    from_argument = only(os.fsdecode(content), "texts")
    for error in (from_file, from_row, from_stdin, from_argument):
        assert isinstance(error, DataError)
    assert after_row == after_line == "fine"


def test_a_surrogate_that_json_escapes_is_refused(project: Path) -> None:
    (project / "rows.jsonl").write_text('"\\ud800"\n')
    assert isinstance(only("rows.jsonl", "texts"), DataError)


@pytest.mark.parametrize("input_type", ["images", "texts", "points"])
def test_an_empty_standard_input_is_an_error(input_type: ReadableType) -> None:
    with pytest.raises(DataError, match="standard input: is empty"):
        list(chunks(["-"], input_type, []))


@pytest.mark.parametrize(
    ("name", "input_type"), [("seven.png", "images"), ("seven", "images"), ("a.txt", "texts"), ("b.jsonl", "points")]
)
def test_a_missing_file_is_an_error_before_anything_is_read(name: str, input_type: ReadableType, project: Path) -> None:
    with pytest.raises(DataError, match=f"{name}: no such file"):
        check_arguments(["-", name], input_type)
    (project / name).touch()
    check_arguments(["-", name], input_type)


@pytest.mark.parametrize("text", ["a fine film", "I read it in a.txt", "1,0", "x" * 5000, "3.5", ""])
def test_a_text_is_not_taken_for_a_missing_file(text: str, project: Path) -> None:
    check_arguments([text], "texts")
    assert only(text, "texts") == text
