"""Read the movie reviews of the official archive as a stream, without unpacking it."""

import gzip
import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypedDict

from pipeline.errors import DataError

MEMBERS = 200_000  # the official archive has 100,023

MEMBER_BYTES = 64 << 20  # the official archive's largest, unsupBow.feat, has 41 MB

REVIEW_BYTES = 1 << 20  # a review or a list of links; the longest has 612,500

ARCHIVE_BYTES = 1 << 30  # uncompressed; the official archive has about 300 MB

CHUNK = 1 << 20

ADVICE = "Use the official archive, aclImdb_v1.tar.gz."


_NAME = re.compile(r"aclImdb(/(?!\.{1,2}(/|$))[\w.-]+)*", re.ASCII)

_IN_A_REVIEW_FOLDER = re.compile(r"aclImdb/(train|test)/(neg|pos|unsup)/.*")

_REVIEW = re.compile(r"aclImdb/(train|test)/(neg|pos|unsup)(?<!test/unsup)/(0|[1-9]\d{0,5})_(\d{1,2})\.txt", re.ASCII)

_LINKS = re.compile(r"aclImdb/(train|test)/urls_(neg|pos)\.txt")

_LINK = re.compile(r"https?://www\.imdb\.com/title/(tt\d{7,8})/usercomments", re.ASCII)

_RATINGS = {"neg": range(1, 5), "pos": range(7, 11), "unsup": range(1)}


class Review(TypedDict):
    """One film review. The keys' order is the order in the canonical file."""

    id: str  # "neg/12": folder and number, unique within a split
    rating: int  # 1-4 neg, 7-10 pos, 0 unsup
    film: str | None  # IMDb title id, "tt0064354"; None in unsup
    text: str


class _Meter:
    """Stream with a limit on its bytes; tarfile alone would trust any length in a header."""

    def __init__(self, archive: Path, stream: gzip.GzipFile) -> None:
        self.archive, self.stream = archive, stream
        self.total, self.left = 0, MEMBER_BYTES

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.total += len(data)
        self.left -= len(data)
        if self.left < 0 or self.total > ARCHIVE_BYTES:
            limits = f"at most {MEMBER_BYTES:,} bytes a member, {ARCHIVE_BYTES:,} in all"
            raise DataError(f"{self.archive}: expected {limits}, got more after {self.total:,}. {ADVICE}")
        return data


def read_reviews(archive: Path) -> dict[str, list[Review]]:
    """The rows of train, test and unsup, each in canonical order: neg, then pos, by number.

    Reads the tar.gz as a stream and writes nothing. Members that are neither reviews nor lists of links are skipped.

    Raises: DataError naming a member that is not a regular file, or not a complete and unique review.
    """
    found: dict[tuple[str, str, int], tuple[int, str]] = {}
    films: dict[tuple[str, str], list[str]] = {}
    for name, data in _members(archive):
        text = _text(archive, name, data)
        if links := _LINKS.fullmatch(name):
            films[links[1], links[2]] = _titles(archive, name, text)
            continue
        review = _REVIEW.fullmatch(name)
        if not review or int(review[4]) not in _RATINGS[review[2]]:
            raise _bad(archive, name, "a name such as neg/12_3.txt with a rating of that folder", "this name")
        if not text.strip() or "\n" in text or "\r" in text:
            got = "a line break" if text.strip() else "an empty review"
            raise _bad(archive, name, "one line of text", got)
        key = review[1], review[2], int(review[3])
        if key in found:
            raise _bad(archive, name, "one review for each number", "a second one")
        found[key] = int(review[4]), text
    rows: dict[str, list[Review]] = {"train": [], "test": [], "unsup": []}
    for split, folder, number in sorted(found):
        rating, text = found[split, folder, number]
        titles = films.get((split, folder), [])
        if folder != "unsup" and number >= len(titles):
            links_name = f"aclImdb/{split}/urls_{folder}.txt"
            raise _bad(archive, links_name, f"a line for review {number}", f"{len(titles)} lines")
        film = None if folder == "unsup" else titles[number]
        row = Review(id=f"{folder}/{number}", rating=rating, film=film, text=text)
        rows["unsup" if folder == "unsup" else split].append(row)
    return rows


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each review and list of links, in the archive's order; every member is checked first."""
    try:
        with gzip.open(archive) as stream:
            meter = _Meter(archive, stream)
            with tarfile.open(fileobj=meter, mode="r|") as tar:  # type: ignore[call-overload]
                count = 0
                while (member := tar.next()) is not None:
                    count += 1
                    _check(archive, member, count)
                    name = member.name
                    if member.isreg() and (_IN_A_REVIEW_FOLDER.fullmatch(name) or _LINKS.fullmatch(name)):
                        if member.size > REVIEW_BYTES:
                            raise _bad(archive, name, f"at most {REVIEW_BYTES:,} bytes", f"{member.size:,}")
                        yield name, tar.extractfile(member).read()
                    tar.members.clear()  # not needed again in a stream; 100,000 headers take 100 MB
                    meter.left = MEMBER_BYTES + CHUNK
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, RecursionError) as error:
        got = f"{type(error).__name__} ({error})"
        raise DataError(f"{archive}: expected a tar.gz archive, got {got}. {ADVICE}") from error


def _check(archive: Path, member: tarfile.TarInfo, count: int) -> None:
    if count > MEMBERS:
        raise _bad(archive, member.name, f"at most {MEMBERS:,} members", "more")
    if not _NAME.fullmatch(member.name):
        raise _bad(archive, member.name, "a plain path inside aclImdb/", "this name")
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        raise _bad(archive, member.name, "a regular file or folder", f"a member of type {member.type!r}")
    if not 0 <= member.size <= MEMBER_BYTES:
        raise _bad(archive, member.name, f"at most {MEMBER_BYTES:,} bytes", f"{member.size:,}")


def _text(archive: Path, name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _bad(archive, name, "UTF-8", f"{error.reason} at byte {error.start:,}") from error


def _titles(archive: Path, name: str, text: str) -> list[str]:
    """The IMDb title id of each line; line k belongs to review k."""
    matches = [_LINK.fullmatch(line) for line in text.removesuffix("\n").split("\n")]
    titles = [match[1] for match in matches if match]
    if len(titles) < len(matches):
        raise _bad(archive, name, "links to IMDb titles", f"another text on line {matches.index(None) + 1:,}")
    return titles


def _bad(archive: Path, member: str, expected: str, got: str) -> DataError:
    return DataError(f"{archive}: {member!r}: expected {expected}, got {got}. {ADVICE}")


def json_lines(rows: Iterable[Review]) -> Iterator[bytes]:
    """Lines of the canonical file, each with its "\\n"."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
