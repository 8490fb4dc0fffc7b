"""Data as people have it: each broken or odd input is read as it is meant, or named with its place."""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from pipeline.actions.data import check
from pipeline.data.own.found import Found
from tests.conftest import idx_bytes

Make = Callable[[Path], Path | None]
EACH = 6  # images of a class


def look(path: Path, text: str | None = None, label: str | None = None) -> Found:
    return check(path, text, label, root=None)


def image(seed: int, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """A picture of coarse noise, unlike any of another seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((24, 24), Image.Resampling.NEAREST).convert(mode).save(file, kind)
    return file.getvalue()


def pictures(*folders: str, each: int = EACH, suffix: str = ".png", kind: str = "PNG") -> dict[str, bytes]:
    """Different pictures in each folder."""
    seeds = [(place, folder, n) for place, folder in enumerate(folders) for n in range(each)]
    return {f"{folder}/{n}{suffix}": image(1000 * place + n, kind) for place, folder, n in seeds}


def written(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    packers: dict[str, Callable[[bytes], bytes]] = {
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".gz": gzip.compress,
    }
    pack = packers.get(path.suffix, bytes)
    path.write_bytes(pack(plain.getvalue()))
    return path


def sentences(of_a: int = 20, of_b: int = 20) -> list[tuple[str, str]]:
    return [(f"good film {n}", "a") for n in range(of_a)] + [(f"bad film {n}", "b") for n in range(of_b)]


def table(rows: Sequence[tuple[str, ...]], header: tuple[str, ...] = ("text", "label"), delimiter: str = ",") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
    return file.getvalue()


def texts(root: Path, more: dict[str, bytes]) -> Path:
    files = {f"{label}/{n}.txt": text.encode() for n, (text, label) in enumerate(sentences())}
    return written(root, files | more)


def saved(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


TWO = {"cat": EACH, "dog": EACH}
CLASSES = {"a": 20, "b": 20}


# Folders and archives of pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extra",
    [
        "cat/.ipynb_checkpoints/0-checkpoint.png",
        ".git/config",
        "@eaDir/cat/0.png",
        "__MACOSX/cat/._0.png",
        "cat/._1.png",
        "Thumbs.db",
        "dog/desktop.ini",
        ".DS_Store",
    ],
)
@pytest.mark.parametrize("pack", [written, zipped])
def test_hidden_and_system_files_are_ignored_and_named_once(
    extra: str, pack: Callable[..., Path], tmp_path: Path
) -> None:
    found = look(pack(tmp_path / "pets.zip", pictures("cat", "dog") | {extra: image(7)}))
    assert found.classes == TWO
    assert found.set_aside == {}
    (remark,) = [remark for remark in found.remarks if remark.startswith("ignored")]
    assert [part for part in extra.split("/") if part in remark]


@pytest.mark.parametrize("names", ["train test", "Train Test", "training testing", "train test valid"])
@pytest.mark.parametrize("pack", [written, zipped])
def test_folders_named_after_splits_are_the_splits(names: str, pack: Callable[..., Path], tmp_path: Path) -> None:
    count = len(names.split())
    found = look(
        pack(tmp_path / "x.zip", pictures(*(f"{split}/{label}" for split in names.split() for label in ("cat", "dog"))))
    )
    assert found.classes == {"cat": count * EACH, "dog": count * EACH}
    assert found.splits["test"] == 2 * EACH
    assert found.splits["train"] + found.splits["val"] == (count - 1) * 2 * EACH
    assert "val" not in names or found.splits["val"] == 2 * EACH


def test_a_train_and_a_validation_folder_are_kept_and_test_is_taken_from_train(tmp_path: Path) -> None:
    found = look(written(tmp_path, pictures("train/cat", "train/dog", "val/cat", "val/dog", each=8)))
    assert found.splits["val"] == 16
    assert found.splits["train"] + found.splits["test"] == 16


def test_classes_that_are_called_train_and_plane_are_classes(tmp_path: Path) -> None:
    assert look(written(tmp_path, pictures("train", "plane"))).classes == {"plane": EACH, "train": EACH}


def test_a_test_folder_without_classes_is_set_aside(tmp_path: Path) -> None:
    files = pictures("train/cat", "train/dog") | {f"test/{n}.png": image(70 + n) for n in range(3)}
    found = look(written(tmp_path, files))
    assert found.classes == TWO
    assert found.set_aside == {f"test/{n}.png": "is in no class folder" for n in range(3)}


def test_a_split_that_lacks_a_class_is_an_error(tmp_path: Path) -> None:
    found = look(written(tmp_path, pictures("train/cat", "train/dog", "test/cat")))
    assert "every class in test, got none of dog" in (found.error or "")


def test_copies_of_train_pictures_in_test_are_a_leak(tmp_path: Path) -> None:
    files = pictures("train/cat", "train/dog", "test/cat", "test/dog", each=20)
    found = look(written(tmp_path, files | {"test/cat/0.png": files["train/cat/0.png"]}))
    assert [remark for remark in found.remarks if remark.startswith("leak") and "of 40 test images" in remark]


@pytest.mark.parametrize("around", ["pets", "download/pets"])
def test_a_folder_around_the_classes_with_a_readme_is_unwrapped(around: str, tmp_path: Path) -> None:
    files = {f"{around}/{name}": content for name, content in pictures("cat", "dog").items()}
    found = look(zipped(tmp_path / "pets.zip", files | {f"{around}/README.md": b"about", "LICENSE": b"free"}))
    assert found.classes == TWO
    assert set(found.set_aside) == {f"{around}/README.md", "LICENSE"}


def test_a_class_folder_that_is_a_link_is_followed_and_a_loop_is_named(tmp_path: Path) -> None:
    root = written(tmp_path / "pets", pictures("cat"))
    written(tmp_path / "elsewhere", {name: image(50 + n) for n, name in enumerate(pictures("dog"))})
    (root / "dog").symlink_to(tmp_path / "elsewhere/dog")
    (root / "cat/again").symlink_to(root)
    (root / "cat/gone.png").symlink_to(root / "nowhere.png")
    found = look(root)
    assert found.classes == TWO
    assert found.set_aside == {
        "cat/again": "is a link to a folder that holds it",
        "cat/gone.png": "is a link to a file that is missing",
    }


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    written(tmp_path, pictures("cat", "dog"))
    (tmp_path / "bird").mkdir()
    found = look(tmp_path)
    assert found.classes == TWO
    assert any("bird/ holds no file" in remark for remark in found.remarks)


def test_a_class_in_two_forms_of_unicode_is_one_class(tmp_path: Path) -> None:
    nfc, nfd = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    files = pictures(nfc, "bar")
    files |= {f"{nfd}/{n}.png": image(5000 + n) for n in range(3)}
    found = look(written(tmp_path, files))
    assert found.classes == {"bar": EACH, nfc: EACH + 3}
    assert any("NFC" in remark for remark in found.remarks)


def test_a_name_that_is_not_utf8_is_set_aside(tmp_path: Path) -> None:
    written(tmp_path, pictures("cat", "dog"))
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/cat/caf\xe9.png"))).write_bytes(image(9))
    found = look(tmp_path)
    assert found.classes == TWO
    assert found.set_aside == {"cat/caf\\xe9.png": "has a name that is not UTF-8: rename it"}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_a_tar_is_read_however_it_is_compressed(suffix: str, tmp_path: Path) -> None:
    assert look(tarred(tmp_path / f"pets{suffix}", pictures("cat", "dog"))).classes == TWO


def test_a_zip_with_names_of_windows_is_read(tmp_path: Path) -> None:
    files = {name.replace("/", "\\"): content for name, content in pictures("cat", "dog").items()}
    assert look(zipped(tmp_path / "pets.zip", files)).classes == TWO


@pytest.mark.parametrize(
    ("kind", "suffix"), [("WEBP", ".webp"), ("GIF", ".gif"), ("BMP", ".bmp"), ("TIFF", ".tiff"), ("JPEG", ".JPG")]
)
def test_pictures_of_usual_formats_are_read(kind: str, suffix: str, tmp_path: Path) -> None:
    found = look(written(tmp_path, pictures("cat", "dog", suffix=suffix, kind=kind)))
    assert (found.classes, found.set_aside) == (TWO, {})
    assert not any("suffixes" in remark for remark in found.remarks)


def test_pictures_are_read_by_content_and_many_false_suffixes_are_remarked_on(tmp_path: Path) -> None:
    found = look(written(tmp_path, pictures("cat", "dog", suffix=".jpg")))
    assert found.classes == TWO
    assert any(remark.startswith("suffixes    12 of 12 images") for remark in found.remarks)


def test_what_is_not_a_picture_is_set_aside_with_the_reason(tmp_path: Path) -> None:
    extra = {"cat/empty.png": b"", "cat/words.png": b"no picture", "cat/torn.png": image(9)[:-40]}
    written(tmp_path, pictures("cat", "dog") | extra)
    os.mkfifo(tmp_path / "dog/pipe.png")
    found = look(tmp_path)
    assert found.classes == TWO
    assert found.set_aside["cat/empty.png"] == "is empty"
    assert "is not an image" in found.set_aside["cat/words.png"]
    assert "is broken" in found.set_aside["cat/torn.png"]
    assert found.set_aside["dog/pipe.png"] == "is a fifo, not a file"


def test_a_full_copy_of_a_class_is_contradictory(tmp_path: Path) -> None:
    files = pictures("cat")
    copies = {name.replace("cat", "dog"): content for name, content in files.items()}
    found = look(written(tmp_path, files | copies))
    assert any("6 images have contradictory labels" in remark for remark in found.remarks)


# Tables of pictures ---------------------------------------------------------------------------------------------------


def test_a_table_names_pictures_in_any_spelling_and_those_that_are_missing(tmp_path: Path) -> None:
    names = list(pictures("cat", "dog"))
    written(tmp_path, pictures("cat", "dog"))
    spelled = [names[0].replace("/", "\\"), f"./{names[1]}", *names[2:]]
    rows = [(name, name.replace("\\", "/").removeprefix("./")[:3]) for name in spelled]
    found = look(saved(tmp_path / "pets.csv", table([*rows, ("cat/gone.png", "cat")], ("file", "label"))))
    assert found.classes == TWO
    assert found.set_aside == {"cat/gone.png": "is missing"}


def test_a_file_with_two_labels_is_set_aside_with_both_lines(tmp_path: Path) -> None:
    names = list(pictures("cat", "dog", each=8))
    written(tmp_path, pictures("cat", "dog", each=8))
    rows = [(name, name[:3]) for name in names] + [(f"./{names[0]}", "dog"), (names[1], "cat")]
    found = look(saved(tmp_path / "pets.csv", table(rows, ("File", "Label"))))
    assert found.set_aside == {names[0]: "has contradictory labels or splits: cat in pets.csv:2, dog in pets.csv:18"}
    assert any("1 lines name a file that another line names" in remark for remark in found.remarks)


def test_tables_of_pictures_named_after_splits_are_the_splits(tmp_path: Path) -> None:
    files = pictures("images/cat", "images/dog", each=16)
    written(tmp_path, files)
    rows = [(name, name.split("/")[1]) for name in files]
    saved(tmp_path / "train.csv", table(rows[::2], ("filename", "class")))
    saved(tmp_path / "test.csv", table(rows[1::2], ("filename", "class")))
    found = look(tmp_path)
    assert found.splits["test"] == 16
    assert found.splits["train"] + found.splits["val"] == 16


@pytest.mark.parametrize("split", [False, True])
def test_tables_of_metadata_name_the_pictures_beside_them(split: bool, tmp_path: Path) -> None:
    for place, folder in enumerate(("train", "test") if split else (".",)):
        written(tmp_path / folder, {f"{n}.png": image(100 * place + n) for n in range(16)})
        rows = [(f"{n}.png", "ab"[n % 2]) for n in range(16)]
        saved(tmp_path / folder / "metadata.csv", table(rows, ("file_name", "label")))
    found = look(tmp_path)
    assert found.classes == ({"a": 16, "b": 16} if split else {"a": 8, "b": 8})
    assert not split or found.splits["test"] == 16


# Tables of texts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [("text", "label"), ("review", "sentiment"), ("Text", "Label")])
def test_delimiters_and_columns_are_recognised(delimiter: str, header: tuple[str, str], tmp_path: Path) -> None:
    found = look(saved(tmp_path / "mine.csv", table(sentences(), header, delimiter)))
    assert found.classes == CLASSES
    assert found.splits == {"train": 28, "val": 4, "test": 8}


def test_extra_columns_and_a_bom_and_crlf_do_not_matter(tmp_path: Path) -> None:
    rows = [(str(n), text, label) for n, (text, label) in enumerate(sentences())]
    content = table(rows, ("id", "text", "label")).replace("\n", "\r\n")
    assert look(saved(tmp_path / "mine.csv", f"\ufeff{content}")).classes == CLASSES


def test_columns_that_are_not_recognised_are_shown_and_can_be_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.csv", table(sentences(), ("words", "kind")))
    error = look(path).error or ""
    assert "'words', 'kind'" in error
    assert "data.text_column" in error or "data.label_column" in error
    found = look(path, "words", "kind")
    assert found.classes == CLASSES
    assert "data.text_column=words data.label_column=kind" in (found.command or "")
    assert "the columns are words, kind" in (look(path, "wrods", "kind").error or "")


def test_a_table_without_a_header_is_an_error_that_shows_its_first_line(tmp_path: Path) -> None:
    content = table(sentences()).partition("\n")[2]
    error = look(saved(tmp_path / "mine.csv", content)).error or ""
    assert "'good film 0', 'a'" in error
    assert "add a header line" in error


def test_rows_that_can_not_be_used_are_set_aside_by_their_own_line(tmp_path: Path) -> None:
    content = table([("two\nlines", "a"), *sentences()]) + "Hello, world,x\n,a\n   ,b\nno label,\nshort\n"
    found = look(saved(tmp_path / "mine.csv", content))
    assert found.classes == {"a": 21, "b": 20}
    assert "has 3 cells, the header 2" in found.set_aside["mine.csv:44"]
    assert found.set_aside["mine.csv:45"] == found.set_aside["mine.csv:46"] == "is empty"
    assert found.set_aside["mine.csv:47"] == "has no label"
    assert "has 1 cells" in found.set_aside["mine.csv:48"]


def test_an_open_quote_is_named_by_the_line_that_opens_it(tmp_path: Path) -> None:
    content = table([("two\nlines", "a"), *sentences(2, 2)]) + '"never closed,a\nmore,b\n'
    assert "mine.csv:8: " in (look(saved(tmp_path / "mine.csv", content)).error or "")


def test_labels_are_stripped_and_numbers_compared_as_numbers(tmp_path: Path) -> None:
    rows = [(f"good film {n}", " 1" if n % 2 else "1.0") for n in range(20)]
    rows += [(f"bad film {n}", "2" if n else "2 ") for n in range(20)]
    found = look(saved(tmp_path / "mine.csv", table(rows)))
    assert found.classes == {"1": 20, "2": 20}
    assert any("1.0 is read as 1" in remark for remark in found.remarks)


def test_a_large_cell_is_read(tmp_path: Path) -> None:
    rows = [("word " * 40_000, "a"), *sentences()]
    assert look(saved(tmp_path / "mine.csv", table(rows))).classes == {"a": 21, "b": 20}


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("latin-1", "Latin-1"), ("cp1252", "Windows-1252")],
)
def test_another_encoding_is_named_with_its_conversion(encoding: str, named: str, tmp_path: Path) -> None:
    quoted = "déjà vu “”" if encoding == "cp1252" else "déjà vu"
    content = table([(quoted, "a"), *sentences()]).encode(encoding)
    error = look(saved(tmp_path / "mine.csv", content)).error or ""
    assert f"it looks like {named}" in error
    assert "`iconv -f" in error


def test_contradictory_and_equal_texts_are_counted(tmp_path: Path) -> None:
    rows = [*sentences(), ("good film 0", "b"), ("bad film 3", "b")]
    remarks = look(saved(tmp_path / "mine.csv", table(rows))).remarks
    assert any("1 texts have contradictory labels" in remark for remark in remarks)
    assert any("2 of 42 texts are equal to others" in remark for remark in remarks)


def test_texts_without_a_word_are_counted(tmp_path: Path) -> None:
    rows = [*sentences(), ("😀 😀", "a"), ("😡", "b")]
    remarks = look(saved(tmp_path / "mine.csv", table(rows))).remarks
    assert any("2 texts hold no word" in remark for remark in remarks)


def test_equal_texts_alone_are_an_error_that_names_it(tmp_path: Path) -> None:
    rows = [("the same", "a")] * 20 + [("the same", "b")] * 20
    error = look(saved(tmp_path / "mine.csv", table(rows))).error or ""
    assert "expected different texts, got 40 equal ones" in error


def test_a_rare_class_is_in_every_split_or_is_named(tmp_path: Path) -> None:
    found = look(saved(tmp_path / "mine.csv", table(sentences(297, 3))))
    assert found.splits["train"] + found.splits["val"] + found.splits["test"] == 300
    assert found.error is None
    error = look(saved(tmp_path / "mine.csv", table(sentences(297, 2)))).error or ""
    assert "class b: expected at least 3 different samples" in error


def test_json_lines_parquet_and_gzip_are_the_same_data_as_csv(tmp_path: Path) -> None:
    lines = "".join(f"{json.dumps({'text': text, 'label': label})}\n" for text, label in sentences())
    content = table(sentences())
    paths = [saved(tmp_path / "a.csv", content), saved(tmp_path / "a.jsonl", lines)]
    paths += [saved(tmp_path / "a.csv.gz", gzip.compress(content.encode()))]
    paths += [saved(tmp_path / "a.jsonl.gz", gzip.compress(lines.encode())), saved(tmp_path / "a.tsv", content)]
    text, label = zip(*sentences(), strict=True)
    parquet.write_table(pa.table({"text": text, "label": label}), tmp_path / "a.parquet")
    for path in [*paths, tmp_path / "a.parquet"]:
        found = look(path)
        assert (found.classes, found.splits) == (CLASSES, {"train": 28, "val": 4, "test": 8}), path
    assert look(tmp_path / "a.parquet").format == "Parquet table of texts"


def hugging_face(path: Path, labels: Sequence[int]) -> Path:
    """A Parquet file as `datasets` writes it, whose labels are numbers of the ClassLabel bad, good."""
    features = {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}
    rows = pa.table({"text": [f"film {n}" for n in range(len(labels))], "label": labels})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(rows.replace_schema_metadata(metadata), path)
    return path


def test_a_class_label_of_minus_one_in_parquet_is_set_aside_as_no_label(tmp_path: Path) -> None:
    found = look(hugging_face(tmp_path / "a.parquet", [0, 1] * 20 + [-1]))
    assert found.classes == {"bad": 20, "good": 20}
    assert found.set_aside == {"a.parquet:41": "has no label"}


@pytest.mark.parametrize("label", [2, -2])
def test_a_class_label_without_a_name_in_parquet_is_an_error_that_names_its_row(label: int, tmp_path: Path) -> None:
    error = look(hugging_face(tmp_path / "a.parquet", [0, 1] * 20 + [label])).error or ""
    assert f"a.parquet:41: expected 0 to 1 in the column label, or -1 for no label, got {label}" in error


def test_broken_lines_of_json_are_set_aside(tmp_path: Path) -> None:
    lines = [json.dumps({"text": text, "label": label}) for text, label in sentences()]
    found = look(saved(tmp_path / "a.jsonl", "\n".join(['{"text": "torn', *lines, "[1]", '{"text": 3, "label": "a"}'])))
    assert found.classes == CLASSES
    assert set(found.set_aside) == {"a.jsonl:1", "a.jsonl:42", "a.jsonl:43"}


def test_a_train_table_alone_is_remarked_on_where_a_test_table_lies_beside_it(tmp_path: Path) -> None:
    written(tmp_path, {name: table(sentences()).encode() for name in ("train.csv", "test.csv")})
    found = look(tmp_path / "train.csv")
    assert found.splits == {"train": 28, "val": 4, "test": 8}
    assert any("give the folder" in remark for remark in found.remarks)


@pytest.mark.parametrize("names", ["{}.csv", "data/{}-00000-of-00001.csv"])
def test_tables_named_after_splits_are_the_splits(names: str, tmp_path: Path) -> None:
    other = [(f"{text} again", label) for text, label in sentences()[::4]]
    contents = {"train": table(sentences()), "test": table([*other, sentences()[0]])}
    written(tmp_path, {names.format(split): content.encode() for split, content in contents.items()})
    found = look(tmp_path)
    assert found.splits == {"train": 36, "val": 4, "test": 11}
    assert any("1 of 11 test texts are in train or val, too" in remark for remark in found.remarks)


# Folders of texts -----------------------------------------------------------------------------------------------------


def test_a_folder_of_texts_is_read_whatever_the_case_of_its_suffixes(tmp_path: Path) -> None:
    found = look(texts(tmp_path, {"a/extra": b"", "b/more.TXT": b"bad film again"}))
    assert found.classes == {"a": 20, "b": 21}
    assert found.set_aside == {"a/extra": "is not a .txt file"}


def test_a_bom_is_not_part_of_a_text_and_empty_or_foreign_texts_are_set_aside(tmp_path: Path) -> None:
    from pipeline.data.own.tables import Columns, Row
    from pipeline.data.own.text_source import TextSource

    more = {"a/0.txt": b"\xef\xbb\xbfgood film 0", "a/nothing.txt": b"", "b/latin.txt": "déjà vu".encode("latin-1")}
    root = texts(tmp_path, more)
    found = look(root)
    assert found.classes == CLASSES
    assert found.set_aside["a/nothing.txt"] == "is empty"
    assert "Latin-1" in found.set_aside["b/latin.txt"]
    read = [row.text for row in TextSource(root, Columns()).rows("all") if isinstance(row, Row)]
    assert "good film 0" in read


def test_pipes_and_devices_among_texts_are_set_aside_unopened(tmp_path: Path) -> None:
    root = texts(tmp_path, {})
    os.mkfifo(root / "a/pipe.txt")
    os.mkfifo(root / "metadata.csv")
    (root / "b/device.txt").symlink_to("/dev/zero")
    found = look(root)
    assert found.classes == CLASSES
    assert found.set_aside == {
        "a/pipe.txt": "is a fifo, not a file",
        "b/device.txt": "is a device, not a file",
        "metadata.csv": "is in no class folder",
    }


def test_a_class_without_a_usable_text_is_an_error_that_names_it(tmp_path: Path) -> None:
    error = look(texts(tmp_path, {"c/0.txt": b"", "c/1.txt": b" "})).error or ""
    assert "no usable text in c (c/0.txt is empty" in error


def test_a_zip_of_texts_is_the_same_data_as_the_folder(tmp_path: Path) -> None:
    files = {f"{label}/{n}.txt": text.encode() for n, (text, label) in enumerate(sentences())}
    one, other = look(written(tmp_path / "mine", files)), look(zipped(tmp_path / "mine.zip", files))
    assert (one.classes, one.splits) == (other.classes, other.splits) == (CLASSES, {"train": 28, "val": 4, "test": 8})
    assert "data=own_texts" in (other.command or "")


def test_folders_of_texts_named_after_splits_are_the_splits(tmp_path: Path) -> None:
    files = {f"train/{label}/{n}.txt": text.encode() for n, (text, label) in enumerate(sentences())}
    files |= {f"test/{label}/{n}.txt": f"{text}, too".encode() for n, (text, label) in enumerate(sentences())}
    assert look(written(tmp_path, files)).splits == {"train": 36, "val": 4, "test": 40}


# IDX files ------------------------------------------------------------------------------------------------------------


def idx_set(root: Path, *, pack: Callable[[bytes], bytes] = bytes, suffix: str = "", gap: bool = False) -> Path:
    files: dict[str, bytes] = {}
    for part, count in (("train", 60), ("t10k", 20)):
        labels = (np.arange(count) % 4).astype(np.uint8) * (2 if gap else 1)
        images = np.random.default_rng(count).integers(0, 255, (count, 12, 10), dtype=np.uint8)
        files[f"{part}-images-idx3-ubyte{suffix}"] = pack(idx_bytes(images))
        files[f"{part}-labels-idx1-ubyte{suffix}"] = pack(idx_bytes(labels))
    return written(root, files)


@pytest.mark.parametrize(("pack", "suffix"), [(bytes, ""), (gzip.compress, ".gz")])
def test_idx_files_with_the_official_names_are_a_data_set(pack: Any, suffix: str, tmp_path: Path) -> None:
    found = look(idx_set(tmp_path, pack=pack, suffix=suffix))
    assert found.splits == {"train": 54, "val": 6, "test": 20}
    assert found.classes == dict.fromkeys("0123", 20)
    assert "data=idx_images" in (found.command or "")


def test_idx_files_with_a_gap_or_another_number_of_labels_are_an_error(tmp_path: Path) -> None:
    assert "got none of 1, 3, 5" in (look(idx_set(tmp_path / "gap", gap=True)).error or "")
    root = idx_set(tmp_path / "short")
    (root / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(3, np.uint8)))
    assert "as many labels" in (look(root).error or "")


# Paths that can't be data ---------------------------------------------------------------------------------------------


def test_a_path_that_is_not_data_is_named_with_what_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.csv")
    for name, content in (("a.xlsx", b"PK\x03\x04"), ("notes.md", b"hello"), ("a.json", b"[1]"), ("a.csv", b"")):
        saved(tmp_path / name, content)
    for name in ("pipe", "pipe.csv", "a.xlsx", "notes.md", "a.json", "a.csv", "nowhere"):
        error = look(tmp_path / name).error or ""
        assert error.startswith(f"{tmp_path / name}: expected"), name
    assert "is a fifo" in (look(tmp_path / "pipe").error or "")
    assert "got a pipe, device or folder. Give data.path" in (look(tmp_path / "pipe.csv").error or "")
    assert "JSON Lines and Parquet tables" in (look(tmp_path / "a.json").error or "")
    packed = zipped(tmp_path / "a.zip", {"letters.csv": table(sentences()).encode()})
    assert "It holds the table letters.csv: unpack it" in (look(packed).error or "")
