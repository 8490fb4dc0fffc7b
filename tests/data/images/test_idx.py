"""The parsers: they return exactly what was written, and believe nothing that hostile bytes claim."""

import contextlib
import gzip
import io
import struct
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pipeline.data import jsonl
from pipeline.data.images import idx
from pipeline.data.texts import reviews
from pipeline.errors import DataError
from tests.conftest import idx_bytes, striped_digits

IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@IN_ONE_FOLDER
@given(array=arrays.arrays(np.uint8, arrays.array_shapes(max_dims=4, max_side=6)), zipped=st.booleans())
def test_an_idx_file_gives_back_the_array_that_was_written(tmp_path: Path, array: np.ndarray, zipped: bool) -> None:
    content = idx_bytes(array)
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(content) if zipped else content)
    found = idx.read_idx(path)
    np.testing.assert_array_equal(found, array)
    assert not found.flags.writeable


@IN_ONE_FOLDER
@given(st.data())
def test_a_cut_or_lengthened_idx_file_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    wrong = data.draw(st.one_of(st.integers(0, len(content) - 1).map(lambda n: content[:n]), st.just(content + b"x")))
    zipped = data.draw(st.booleans())
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(wrong) if zipped else wrong)
    with pytest.raises(DataError, match=r"x: expected .*, got "):
        idx.read_idx(path)


@pytest.mark.parametrize("cut", [1, 9, 20])
def test_a_truncated_gzip_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(idx_bytes(striped_digits(3, 0)[0]))[:-cut])
    with pytest.raises(DataError, match=r"x\.gz: expected"):
        idx.read_idx(path)


@pytest.mark.parametrize("magic", [b"\0\0\x09\x01", b"\0\x01\x08\x01", b"\0\0\x08\x00", b"\0\0\x08\x05", b"PK\x03\x04"])
def test_another_magic_is_refused_and_shown(tmp_path: Path, magic: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(magic + struct.pack(">I", 1) + b"\0")
    with pytest.raises(DataError, match=magic.hex(" ")):
        idx.read_idx(path)


@pytest.mark.parametrize("sides", [(2**32 - 1,) * 3, (0, 28, 28), (2**30 + 1,)])
def test_absurd_dimensions_are_refused_before_any_memory_is_taken(tmp_path: Path, sides: tuple[int, ...]) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(struct.pack(">HBB", 0, 8, len(sides)) + struct.pack(f">{len(sides)}I", *sides)))
    tracemalloc.start()
    with pytest.raises(DataError, match="items"):
        idx.read_idx(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_gzip_bomb_costs_no_more_memory_than_its_header_promises(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 1000) + bytes(50 << 20)))
    tracemalloc.start()
    with pytest.raises(DataError, match="more"):
        idx.read_idx(path)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


LINKS = b"http://www.imdb.com/title/tt0000001/usercomments\nhttp://www.imdb.com/title/tt0000002/usercomments"
GOOD = {
    "aclImdb/train/urls_neg.txt": LINKS,
    "aclImdb/train/urls_pos.txt": LINKS,
    "aclImdb/train/pos/1_9.txt": "a « fine »\u2028film".encode(),
    "aclImdb/train/neg/0_2.txt": b"a bad film",
    "aclImdb/train/neg/1_1.txt": b"worse",
    "aclImdb/train/unsup/0_0.txt": b"who knows",
    "aclImdb/imdb.vocab": b"\xff ignored",
}


def archive(path: Path, files: dict[str, bytes], *odd: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in odd:
            tar.addfile(member)
    return path


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_reviews_come_in_canonical_order_with_their_films(tmp_path: Path) -> None:
    rows = reviews.read_reviews(archive(tmp_path / "a.tar.gz", GOOD))
    assert [(row["id"], row["rating"], row["film"]) for row in rows["train"]] == [
        ("neg/0", 2, "tt0000001"),
        ("neg/1", 1, "tt0000002"),
        ("pos/1", 9, "tt0000002"),
    ]
    assert rows["train"][2]["text"] == "a « fine »\u2028film"
    assert [(row["id"], row["film"]) for row in rows["unsup"]] == [("unsup/0", None)]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"aclImdb/train/pos/0_9.txt": b"\xff"}, "UTF-8"),
        ({"aclImdb/train/pos/0_9.txt": b"  "}, "empty review"),
        ({"aclImdb/train/pos/0_9.txt": b"two\nlines"}, "line break"),
        ({"aclImdb/train/pos/0_2.txt": b"x"}, "rating"),
        ({"aclImdb/train/pos/1_8.txt": b"x"}, "a second one"),
        ({"aclImdb/train/pos/7_8.txt": b"x"}, "a line for review 7"),
        ({"aclImdb/train/urls_neg.txt": b"http://elsewhere.example"}, "links to IMDb titles"),
        ({"../evil.txt": b"x"}, "plain path"),
        ({"/etc/passwd": b"x"}, "plain path"),
        ({"aclImdb/../../evil": b"x"}, "plain path"),
        ({"aclImdb/train/pos/0_9.txt": bytes(2 << 20)}, "at most"),
    ],
)
def test_a_bad_member_is_named_and_nothing_is_written(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    path = archive(tmp_path / "a.tar.gz", GOOD | files)
    with pytest.raises(DataError, match=said) as error:
        reviews.read_reviews(path)
    assert str(path) in str(error.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = archive(tmp_path / "a.tar.gz", GOOD, member("aclImdb/link", kind, "/etc/passwd"))
    with pytest.raises(DataError, match="a regular file or folder"):
        reviews.read_reviews(path)


def test_the_official_archives_other_members_do_not_change_the_rows(tmp_path: Path) -> None:
    others = {
        "aclImdb/README": b"\xff",
        "aclImdb/train/labeledBow.feat": b"9 0:9",
        "aclImdb/train/unsupBow.feat": b"0 0:8",
        "aclImdb/train/urls_unsup.txt": b"http://www.imdb.com/title/tt0000003/usercomments",
    }
    folders = [member(name, tarfile.DIRTYPE) for name in ("aclImdb", "aclImdb/train", "aclImdb/train/neg")]
    official = reviews.read_reviews(archive(tmp_path / "official.tar.gz", GOOD | others, *folders))
    assert official == reviews.read_reviews(archive(tmp_path / "rebuilt.tar.gz", GOOD))


@IN_ONE_FOLDER
@given(changes=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_damaged_archive_gives_rows_or_a_data_error(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(gzip.decompress(archive(tmp_path / "a.tar.gz", GOOD).read_bytes()))
    for place, byte in changes:
        content[place % len(content)] = byte
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(content, compresslevel=1))
    with contextlib.suppress(DataError):
        rows = reviews.read_reviews(tmp_path / "a.tar.gz")
        assert all(row["text"].strip() for split in rows.values() for row in split)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.GNUTYPE_SPARSE, tarfile.REGTYPE])
def test_a_header_that_claims_gigabytes_costs_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    monkeypatch.setattr(reviews, "MEMBER_BYTES", 1 << 20)
    odd = member("aclImdb/train/neg/0_3.txt", kind)
    odd.size = 8 << 30
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(odd.tobuf(tarfile.GNU_FORMAT) + b"x" * (64 << 20), compresslevel=1))
    tracemalloc.start()
    with pytest.raises(DataError, match="expected"):
        reviews.read_reviews(path)
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


@IN_ONE_FOLDER
@given(st.binary(max_size=2000))
def test_noise_is_never_an_archive(tmp_path: Path, noise: bytes) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(b"x" * 512 + noise))
    with pytest.raises(DataError, match=r"a\.tar\.gz"):
        reviews.read_reviews(path)


def test_an_archive_that_unpacks_without_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "ARCHIVE_BYTES", 1 << 20)
    path = archive(tmp_path / "a.tar.gz", GOOD | {f"aclImdb/big{n}": bytes(400_000) for n in range(4)})
    with pytest.raises(DataError, match="in all"):
        reviews.read_reviews(path)


@IN_ONE_FOLDER
@given(st.lists(st.text(min_size=1).filter(str.strip), max_size=5))
def test_json_lines_give_back_every_text_whatever_breaks_it_holds(tmp_path: Path, texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    rows = [reviews.Review(id=f"neg/{n}", rating=1, film=None, text=text) for n, text in enumerate(texts)]
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"".join(reviews.json_lines(rows)))
    assert list(jsonl.read_jsonl(path)) == rows


@pytest.mark.parametrize("line", [b"{", b"[1]", b"\xff", b'"x"'])
def test_a_malformed_line_is_named_by_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b"\n")
    with pytest.raises(DataError, match=r"x\.jsonl:2"):
        list(jsonl.read_jsonl(path))


def test_the_embedded_sample_is_5000_digits_in_class_order() -> None:
    images, labels = idx.mnist_sample()
    assert images.shape == (5000, 28, 28)
    np.testing.assert_array_equal(labels, np.repeat(np.arange(10), 500))
    assert 20 < images.mean() < 50


def test_a_picture_is_read_white_on_black_whatever_its_size_and_polarity(tmp_path: Path) -> None:
    drawn = np.zeros((56, 56), np.uint8)
    drawn[10:46, 26:30] = 255
    Image.fromarray(drawn).save(tmp_path / "white.png")
    Image.fromarray(255 - drawn).convert("RGB").save(tmp_path / "black.png")
    white, black = (idx.read_images(tmp_path / name, 28, 28) for name in ("white.png", "black.png"))
    assert white.shape == (1, 28, 28)
    assert white[0, 14, 13] > 200 > 50 > white[0, 0, 0]
    np.testing.assert_array_equal(white, black)


def test_black_ink_on_a_transparent_ground_is_read_as_on_white(tmp_path: Path) -> None:
    drawn = np.zeros((56, 56, 4), np.uint8)  # black and transparent
    drawn[10:46, 26:30, 3] = 255
    Image.fromarray(drawn).save(tmp_path / "transparent.png")
    Image.fromarray(255 - drawn[..., 3]).save(tmp_path / "white.png")
    transparent, white = (idx.read_images(tmp_path / name, 28, 28) for name in ("transparent.png", "white.png"))
    assert white[0, 14, 13] > 200
    np.testing.assert_array_equal(transparent, white)


def test_an_idx_file_of_pictures_is_read_whole_and_other_sizes_and_files_are_refused(tmp_path: Path) -> None:
    images, labels = striped_digits(3, 0)
    (tmp_path / "images").write_bytes(idx_bytes(images))
    (tmp_path / "labels").write_bytes(idx_bytes(labels))
    (tmp_path / "text").write_text("no picture")
    np.testing.assert_array_equal(idx.read_images(tmp_path / "images", 28, 28), images)
    for name in ("labels", "text", "missing"):
        with pytest.raises(DataError, match=name):
            idx.read_images(tmp_path / name, 28, 28)
