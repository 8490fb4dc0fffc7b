"""What is computed once: kept whole, verified, made anew where it is damaged."""

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.data.cache import cached_folder, cached_tensor
from pipeline.errors import DataError


class Count:
    """A computation that counts how often it is made."""

    def __init__(self) -> None:
        self.made = 0

    def tensor(self) -> Tensor:
        self.made += 1
        return torch.arange(1000).float().view(10, 100)

    def folder(self, aside: Path) -> None:
        self.made += 1
        (aside / "words").write_text("one two")


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_tensor_is_computed_once_and_anew_if_a_bit_of_it_or_its_end_is_lost(tmp_path: Path) -> None:
    path, count = tmp_path / "cache/one.safetensors", Count()
    first = cached_tensor(path, "one", count.tensor)
    assert torch.equal(cached_tensor(path, "one", count.tensor), first)
    assert count.made == 1
    flip(path, -1)
    assert torch.equal(cached_tensor(path, "one", count.tensor), first)
    assert count.made == 2
    os.truncate(path, 100)
    assert torch.equal(cached_tensor(path, "one", count.tensor), first)
    assert count.made == 3
    assert torch.equal(cached_tensor(path, "one", count.tensor), first)
    assert count.made == 3


def test_a_tensor_without_a_digest_is_not_believed(tmp_path: Path) -> None:
    path, count = tmp_path / "one.safetensors", Count()
    save_file({"one": torch.zeros(3)}, path)
    assert torch.equal(cached_tensor(path, "one", count.tensor), count.tensor())


def test_a_damaged_folder_is_made_anew(tmp_path: Path) -> None:
    folder, count = tmp_path / "cache/key", Count()
    for _ in range(2):
        assert (cached_folder(folder, count.folder) / "words").read_text() == "one two"
    assert count.made == 1
    flip(folder / "words", 0)
    assert (cached_folder(folder, count.folder) / "words").read_text() == "one two"
    assert count.made == 2


def test_a_full_disk_asks_for_room_and_for_the_same_command_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    said = r"No space left on device.*4,000 bytes.*Make room .*run the same command again"
    with pytest.raises(DataError, match=said) as raised:
        cached_tensor(tmp_path / "one.safetensors", "one", Count().tensor)
    assert "data pull" not in str(raised.value)
    with pytest.raises(DataError, match="Make room"):
        cached_folder(tmp_path / "key", Count().folder)
