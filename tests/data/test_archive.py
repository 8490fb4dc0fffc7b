"""Class folders in a folder, tar, zip or CSV file are the same files; hostile archives are refused unread."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.data.archive import classes, contents, listing
from pipeline.errors import DataError

FILES = {"cat/1.png": b"one", "cat/deep/2.png": b"two", "dog/1.png": b"three", "notes.txt": b"by hand"}


def tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [folder, tar, zipped])
def test_a_folder_and_its_archives_hold_the_same_files(pack: Callable[..., Path], tmp_path: Path) -> None:
    path = pack(tmp_path / "animals", FILES)
    assert listing(path) == {"cat/1.png": "cat", "cat/deep/2.png": "cat", "dog/1.png": "dog", "notes.txt": None}
    assert classes(path) == ("cat", "dog")
    assert dict(contents(path, {"cat/1.png", "notes.txt"})) == {"cat/1.png": b"one", "notes.txt": b"by hand"}


def test_a_folder_around_the_classes_does_not_count(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"animals/{name}": data for name, data in FILES.items() if "/" in name})
    assert classes(path) == ("cat", "dog")


def test_a_csv_file_names_files_and_classes(tmp_path: Path) -> None:
    folder(tmp_path, FILES)
    (tmp_path / "animals.csv").write_text("file,label\ncat/1.png,tabby\ndog/1.png,poodle\n")
    assert listing(tmp_path / "animals.csv") == {"cat/1.png": "tabby", "dog/1.png": "poodle"}
    assert dict(contents(tmp_path / "animals.csv", {"dog/1.png", "gone.png"})) == {
        "dog/1.png": b"three",
        "gone.png": "is missing",
    }


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "cat/../../evil.png", "C:\\evil.png"])
@pytest.mark.parametrize("pack", [tar, zipped])
def test_a_name_that_leaves_the_archive_is_refused(pack: Callable[..., Path], name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a name that stays inside the archive"):
        listing(pack(tmp_path / "a", {**FILES, name: b""}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tar(tmp_path / "a.tar", FILES, "w"), "a") as archive:
        member = tarfile.TarInfo("cat/3.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(DataError, match=r"'cat/3\.png': expected a regular file or folder, got a link or device"):
        listing(tmp_path / "a.tar")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("cat/3.png")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(DataError, match="got a link or device"):
        listing(path)


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.data.archive.SLACK", 1 << 20)


@pytest.mark.usefixtures("tight")
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    many = {**FILES, **{f"cat/{n}.png": bytes(1 << 19) for n in range(10)}}
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in many.items():
            archive.writestr(name, content)
    for path in (tmp_path / "a.zip", tar(tmp_path / "a.tar.gz", many)):
        with pytest.raises(DataError, match="at most 20 times"):
            listing(path)


@pytest.mark.usefixtures("tight")
def test_a_tar_whose_header_claims_too_much_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(8 << 20)))
    with pytest.raises(DataError, match="at most 20 times"):
        listing(tmp_path / "a.tar.gz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x1f\x8b torn", b"just text"])
def test_what_is_no_archive_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match=r"/a: expected a folder"):
        listing(tmp_path / "a")


def test_a_torn_archive_is_refused(tmp_path: Path) -> None:
    noise = bytes(range(256)) * 40
    path = tar(tmp_path / "a.tar.gz", {"cat/1.png": noise, "dog/1.png": noise})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"a\.tar\.gz: expected a folder, a tar or zip archive"):
        dict(contents(path, set(listing(path))))


@pytest.mark.parametrize("cut", [3072, 3072 + 100, 3072 + 512, 3072 + 515, 4096])
def test_a_tar_that_is_cut_at_any_place_is_refused(cut: int, tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", FILES, "w")  # a header and a block of content each, then two blocks of zeros
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"a\.tar"):
        dict(contents(path, set(listing(path))))


def test_a_tar_with_a_damaged_header_is_refused(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", FILES, "w")
    path.write_bytes(path.read_bytes().replace(b"notes.txt", b"notes_txt"))
    with pytest.raises(DataError, match=r"a\.tar.*bad checksum"):
        listing(path)


def test_a_gzip_tar_with_another_checksum_is_refused(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", FILES, "w")
    path.write_bytes(gzip.compress(path.read_bytes(), compresslevel=0).replace(b"three", b"thr3e"))
    with pytest.raises(DataError, match=r"a\.tar.*CRC check failed"):
        dict(contents(path, set(listing(path))))


def deflated(path: Path) -> bytes:
    """The bytes of a zip of `FILES`, which it leaves at `path`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return path.read_bytes()


@pytest.mark.parametrize("damage", ["content", "checksum", "method"])
def test_a_damaged_member_of_a_zip_is_named(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    content = bytearray(deflated(path))
    local = content.index(b"dog/1.png") - 30
    central = content.rindex(b"dog/1.png") - 46
    place, value = {"content": (local + 39, 7), "checksum": (central + 16, 0), "method": (central + 10, 99)}[damage]
    content[place] = value
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: 'dog/1\.png': expected a whole member, got "):
        dict(contents(path, set(listing(path))))


def test_a_zip_with_a_name_that_is_not_the_utf8_it_claims_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {**FILES, "dog/ä.png": b""})
    path.write_bytes(path.read_bytes().replace("ä".encode(), b"\xff\xff"))
    with pytest.raises(DataError, match=r"a\.zip: expected .*UnicodeDecodeError"):
        listing(path)


def test_a_tar_whose_headers_continue_without_end_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) * 5000)
    with pytest.raises(DataError, match=r"a\.tar: expected .*RecursionError"):
        listing(tmp_path / "a.tar")


def test_nothing_or_one_class_is_answered_with_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="got 0 files and 0 classes"):
        listing(tmp_path / "empty")
    with pytest.raises(DataError, match=r"got 3 files and 1 classes \(cat\)"):
        listing(folder(tmp_path / "one", {"cat/1.png": b"", "cat/2.png": b"", "other.txt": b""}))
    with pytest.raises(DataError, match="expected a folder"):
        listing(tmp_path / "nowhere")
