"""Text files in UTF-8, and which encoding others look like."""

from pathlib import Path

from pipeline.errors import DataError

HEAD = 1 << 16  # bytes from which an encoding is guessed
ICONV = {"UTF-16": "UTF-16", "Windows-1252": "WINDOWS-1252", "Latin-1 (ISO-8859-1)": "ISO-8859-1"}
MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip file",
    b"PAR1": "a Parquet file",
    b"\x89PNG": "a PNG image",
}
MAGIC |= {b"\xff\xd8\xff": "a JPEG image", b"%PDF": "a PDF", b"\xd0\xcf\x11\xe0": "an Office file"}


def looks_like(content: bytes) -> str:
    """The encoding or type that bytes which are not UTF-8 look like."""
    kind = next((kind for magic, kind in MAGIC.items() if content.startswith(magic)), None)
    if kind:
        return kind
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    nuls = content.count(0)
    if nuls:
        even = content[::2].count(0)
        one_sided = nuls > len(content) / 4 and (even == nuls or even == 0)
        return "UTF-16" if one_sided else "binary data"
    return "Windows-1252" if any(0x80 <= byte < 0xA0 for byte in content) else "Latin-1 (ISO-8859-1)"


def not_utf8(content: bytes, name: str) -> str:
    """The reason why bytes that are not UTF-8 can't be read, and how to convert them."""
    kind = looks_like(content[:HEAD])
    if kind not in ICONV:
        return f"is not a text in UTF-8: it looks like {kind}"
    return f"is not UTF-8: it looks like {kind}. Convert it: `iconv -f {ICONV[kind]} -t UTF-8 {name} > utf8-{name}`"


def decoded(content: bytes, name: str) -> str:
    """The text of a file in UTF-8, without a byte-order mark and with `\\n` between its lines.

    Raises: DataError with the reason alone, without the file's place.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(not_utf8(content, name.rpartition("/")[2])) from error
    if "\0" in text:
        raise DataError(not_utf8(content, name.rpartition("/")[2]))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def refuse(path: Path) -> DataError:
    """The error about a table that is not UTF-8."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return DataError(f"{path}: {not_utf8(head, path.name)}.")
