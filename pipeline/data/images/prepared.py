"""Decoded images in a memory-mapped array under `.cache/`, by the digest of their files."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.archive import contents, scan
from pipeline.data.cache import cached_folder
from pipeline.data.images.decode import SIDE, ImageDecodeError, decode, is_misnamed
from pipeline.data.own.named_files import Listing
from pipeline.errors import DataError
from pipeline.types import Split

VERSION = 3  # raised when decoding or grouping changes


@dataclass(frozen=True, slots=True)
class PreparedImages:
    """N decoded images, (N, C, H, W) uint8 in the order of their names, with labels and near-duplicate groups."""

    pixels: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...]  # the class of each
    groups: np.ndarray  # (N,): near-duplicates have the same number
    set_aside: dict[str, str]  # skipped files, and why
    digest: str  # SHA-256 over the names, classes and contents of all files
    splits: tuple[Split, ...] = ()  # the split of each, where folders or tables name splits
    remarks: tuple[str, ...] = ()  # on what else was found


def prepare(path: Path, in_shape: tuple[int, ...], cache: Path) -> PreparedImages:
    """Images of a folder, an archive or a CSV file (`pipeline.data.archive`), decoded or read from `cache`.

    Raises: DataError for fewer than two classes, or a class without an image that can be decoded.
    """
    listed = scan(path)
    files = listed.files
    sums = {name: _sha256(data) for name, data in contents(path, set(files))}
    digest = _digest(sums, listed)
    key = hashlib.sha256(f"{digest} {in_shape} {VERSION}".encode()).hexdigest()[:16]

    def make(folder: Path) -> None:
        _decode_all(path, files, in_shape, folder)

    folder = cached_folder(cache / "pictures" / key, make)
    index = json.loads((folder / "index.json").read_text())
    set_aside = dict(sorted((index["set_aside"] | listed.set_aside).items()))
    lost = sorted(set(listed.classes) - set(index["labels"]))
    if lost:
        examples = "; ".join(f"{name} {why}" for name, why in list(set_aside.items())[:3])
        raise DataError(
            f"{path}: no usable image in {', '.join(lost)} ({examples}). Fix or remove that class, or see "
            "`pipeline data check`."
        )
    # Copy on write, because torch requires a writable array.
    pixels = np.load(folder / "array.npy", mmap_mode="c")
    names, labels = tuple(index["names"]), tuple(index["labels"])
    remarks = (*listed.remarks, *_misnamed(index["misnamed"], len(names)), *_contradictions(names, files, sums))
    splits = tuple(listed.splits[name] for name in names) if listed.splits else ()
    return PreparedImages(pixels, names, labels, np.array(index["groups"]), set_aside, digest, splits, remarks)


def _misnamed(count: int, of: int) -> list[str]:
    """A remark where at least a tenth of all images have the suffix of another format."""
    text = (
        f"suffixes    {count:,} of {of:,} images have another format than their names end in; they are read by content"
    )
    return [text] if 10 * count >= of and count else []


def _contradictions(names: tuple[str, ...], files: dict[str, str | None], sums: dict[str, str]) -> Iterator[str]:
    """A remark on images that are in several classes, byte for byte."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(sums[name], []).append(name)
    found = [same for same in alike.values() if len({files[name] for name in same}) > 1]
    if found:
        examples = "; ".join(" = ".join(same[:3]) for same in found[:3])
        what = "images have contradictory labels: equal files in several classes"
        yield f"labels      {len(found):,} {what} ({examples})"


def _decode_all(path: Path, files: dict[str, str | None], in_shape: tuple[int, ...], folder: Path) -> None:
    """Write array.npy and index.json into an empty folder."""
    set_aside = {name: "is in no class folder" for name, label in files.items() if label is None}
    names = sorted(set(files) - set(set_aside))
    rows = np.lib.format.open_memmap(folder / "all.npy", "w+", np.uint8, (len(names), *in_shape))
    hashes = np.zeros((len(names), 2, SIDE * SIDE // 8), np.uint8)
    decoded = np.zeros(len(names), bool)
    misnamed = 0
    place = {name: row for row, name in enumerate(names)}
    for name, content in contents(path, set(names)):
        try:
            if isinstance(content, str):
                raise ImageDecodeError(content)
            row = place[name]
            rows[row], hashes[row] = decode(content, name, in_shape)
            decoded[row] = True
            misnamed += is_misnamed(content, name)
        except ImageDecodeError as error:
            set_aside[name] = str(error)
    set_aside |= {name: "is missing" for name in names if not decoded[place[name]] and name not in set_aside}
    kept = [name for name in names if decoded[place[name]]]
    array = np.lib.format.open_memmap(folder / "array.npy", "w+", np.uint8, (len(kept), *in_shape))
    for row, name in enumerate(kept):
        array[row] = rows[place[name]]
    array.flush()
    (folder / "all.npy").unlink()
    index = {
        "names": kept,
        "labels": [files[name] for name in kept],
        "groups": near_duplicates(hashes[decoded]).tolist(),
        "set_aside": dict(sorted(set_aside.items())),
        "misnamed": misnamed,
    }
    (folder / "index.json").write_text(json.dumps(index, indent=1))


ALIKE = 0.6875  # least agreement of near-duplicates: of 256 steps, 40 may go the other way


def near_duplicates(hashes_N2B: np.ndarray, block: int = 2048) -> np.ndarray:
    """(N,) group of each image: equal where most brightness steps of two images, or of a mirror image, agree.

    A hash is the bits of the brighter and of the darker steps. Agreement is the number of steps that are the same less
    that of opposite ones, as a share of the steps that the image with more of them has. Where neither image has a step,
    as on the plain ground of drawings, nothing is compared. All pairs are compared, `block` x `block` at a time.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    def steps(first: int) -> np.ndarray:
        brighter, darker = np.unpackbits(hashes_N2B[first : first + block], axis=-1).astype(np.float32).swapaxes(0, 1)
        found: np.ndarray = brighter - darker
        return found

    def mirrored(steps_MK: np.ndarray) -> np.ndarray:
        return -steps_MK.reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(steps_MK.shape)

    count = len(hashes_N2B)
    rows, columns = [np.array([], int)], [np.array([], int)]
    for row in range(0, count, block):
        one_MK = steps(row)
        for column in range(row, count, block):  # those before are compared already, with rows and columns exchanged
            other_MK = steps(column)
            one_M, other_M = np.abs(one_MK).sum(1), np.abs(other_MK).sum(1)
            least = ALIKE * max(one_M.min(), other_M.min())  # that any pair needs: few are left after one comparison
            for side_MK in (other_MK, mirrored(other_MK)):
                agreement = one_MK @ side_MK.T
                # In two dimensions np.nonzero would take a third of this loop's time.
                rows_E, columns_E = np.unravel_index(np.flatnonzero(agreement >= least), agreement.shape)
                alike = agreement[rows_E, columns_E] >= ALIKE * np.maximum(one_M[rows_E], other_M[columns_E])
                rows.append(rows_E[alike] + row)
                columns.append(columns_E[alike] + column)
    edges = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(edges[0]), bool), edges), shape=(count, count))
    groups: np.ndarray = connected_components(graph, directed=False)[1]
    return groups


def _sha256(content: bytes | str) -> str:
    return hashlib.sha256(b"" if isinstance(content, str) else content).hexdigest()


def _digest(sums: dict[str, str], listed: Listing) -> str:
    """SHA-256 over names, classes, contents and given splits; equal for a folder and an archive of it."""
    splits = {name: f"{split} of " for name, split in listed.splits.items()}
    lines = (
        f"{sums.get(name)}  {splits.get(name, '')}{label}  {name}\n" for name, label in sorted(listed.files.items())
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
