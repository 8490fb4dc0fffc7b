"""The lecture's dogs and cats keep their samples: digest, order and splits of a plain folder are pinned."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import build_data, load_config, resolve

# Recorded with the code that trained the recorded weights of the lecture's dogs and cats.
DIGEST = "8ac100ef5f7514deda09ff599756b15a092cc39b9b6e2eebb71dc12b0073e9bb"
TEST = "cat.2 cat.8 dog.11 dog.4 dog.9"
VAL = "cat.4 dog.0"


def png(pixels: np.ndarray) -> bytes:
    """A PNG of (H, W, 3) uint8, stored without compression: the same bytes with any version of zlib."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    adler = struct.pack(">I", zlib.adler32(rows))
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows + adler
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", stored), (b"IEND", b""))
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize("data", ["image_folder", "dogs_vs_cats"])
def test_the_digest_the_order_and_the_splits_of_a_plain_folder_are_as_recorded(data: str, project: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (project / "animals" / label).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)
            (project / f"animals/{label}/{label}.{number}.png").write_bytes(png(pixels))
    (project / "animals/notes.txt").write_text("by hand")
    chosen = ["model=cnn_photo", f"data={data}", "data.path=animals", "data.fold=1", "data.in_shape=[3,16,16]"]
    module = build_data(resolve(load_config(*chosen, root=project)), project / "data")
    assert module.digest() == DIGEST
    assert list(module.prepared.names) == sorted(module.prepared.names)
    names = {split: [module.prepared.names[row] for row in rows] for split, (rows, _) in module.splits.items()}
    assert [name.rpartition("/")[2].removesuffix(".png") for name in names["test"]] == TEST.split()
    assert [name.rpartition("/")[2].removesuffix(".png") for name in names["val"]] == VAL.split()
    assert sorted(name for split in names.values() for name in split) == list(module.prepared.names)
