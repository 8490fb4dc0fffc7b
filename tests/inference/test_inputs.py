"""What a model is asked about: every input once, by name, in order; what can't be read is told and spoils no other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError
from pipeline.inference import inputs
from pipeline.inference.inputs import COUNT, Content, chunks, read
from tests.conftest import idx_bytes


def everything(
    given: list[str], content: Content, stdin: list[str] | None = None, in_shape: Any = (1, 28, 28)
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
    (project / "rows.jsonl").write_text('{"text": "one"}\n"two"\n{"no": 1}\n[]\n')
    found = everything(["plain", "texts", "rows.jsonl", "-"], "texts", ["x\n", "y"])
    assert [(name, content) for name, content in found if isinstance(content, str)] == [
        ("plain", "plain"),
        ("texts/b.txt", "from b"),
        ("texts/deep/a.txt", "from a"),
        ("rows.jsonl:1", "one"),
        ("rows.jsonl:2", "two"),
        ("stdin:1", "x"),
        ("stdin:2", "y"),
    ]
    wrong = [str(content) for _, content in found if isinstance(content, DataError)]
    assert [one.split(": ")[0] for one in wrong] == ["rows.jsonl:3", "rows.jsonl:4"]


def test_a_long_file_of_lines_is_cut_between_lines(project: Path) -> None:
    texts = [f"text {number} ☃" for number in range(2 * COUNT + 3)]
    (project / "rows.jsonl").write_text("".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts))
    assert [chunk.count for chunk in chunks(["rows.jsonl"], "texts")] == [COUNT, COUNT, 3]
    assert [content for _, content in everything(["rows.jsonl"], "texts")] == texts


def test_images_are_pictures_folders_and_idx_files(project: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (COUNT + 2, 28, 28), dtype=np.uint8)
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
    assert many[COUNT][0] == f"images.idx[{COUNT}]"
    np.testing.assert_array_equal([image for _, image in many], images)


def test_a_large_picture_is_centred_for_a_net_of_mnist_and_scaled_for_others(project: Path) -> None:
    page = np.zeros((200, 300), np.uint8)
    page[20:140, 30:50] = 255
    Image.fromarray(page).save(project / "page.png")
    (chunk,) = chunks(["page.png"], "images")
    ((_, centred),) = read(chunk, "images", (1, 28, 28), digits=True)
    ((_, scaled),) = read(chunk, "images", (1, 28, 28), digits=False)
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
def test_what_holds_no_input_is_refused(given: list[str], content: Content, said: str, project: Path) -> None:
    (project / "empty").mkdir()
    (project / "empty.jsonl").touch()
    (project / "other.idx").write_bytes(idx_bytes(np.zeros((1, 2, 2), np.uint8)))
    (project / "flat.idx").write_bytes(idx_bytes(np.zeros(3, np.uint8)))
    with pytest.raises(DataError, match=said):  # noqa: PT012
        ((_, error),) = everything(given, content)
        raise error


def test_no_input_is_larger_than_a_mebibyte(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LINE_BYTES", 10)
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
