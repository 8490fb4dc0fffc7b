"""Folders that are whole or absent."""

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import CheckpointError
from pipeline.runs import checkpoints
from pipeline.types import Manifest


def put(text: str):  # type: ignore[no-untyped-def]
    def write(folder: Path) -> None:
        (folder / "state.ckpt").write_text(text)

    return write


def test_what_is_published_verifies_and_keeps_its_facts(tmp_path: Path) -> None:
    folder = checkpoints.publish(tmp_path / "step-1", put("one"), step=1)
    assert checkpoints.verify(folder)["step"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-1"]


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_truncated_file_falls_back_to_the_newest_that_verifies(tmp_path: Path, size: int) -> None:
    old = checkpoints.publish(tmp_path / "step-1", put("one"))
    new = checkpoints.publish(tmp_path / "step-2", put("two"))
    assert checkpoints.newest(tmp_path) == new
    os.truncate(new / "state.ckpt", size)
    assert checkpoints.newest(tmp_path) == old
    with pytest.raises(CheckpointError, match=r"state\.ckpt: expected SHA-256"):
        checkpoints.verify(new)


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"files": 3}'])
def test_a_torn_manifest_falls_back_too(tmp_path: Path, manifest: str) -> None:
    old = checkpoints.publish(tmp_path / "step-1", put("one"))
    (checkpoints.publish(tmp_path / "step-2", put("two")) / checkpoints.MANIFEST).write_text(manifest)
    assert checkpoints.newest(tmp_path) == old


def test_a_crash_while_writing_leaves_the_old_and_nothing_new(tmp_path: Path) -> None:
    checkpoints.publish(tmp_path / "model", put("old"))

    def crash(folder: Path) -> None:
        (folder / "state.ckpt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.publish(tmp_path / "model", crash)
    assert (tmp_path / "model/state.ckpt").read_text() == "old"
    checkpoints.verify(tmp_path / "model")


WRITER = """
import pathlib, sys
from pipeline.runs import checkpoints
def write(folder):
    for name in ("one", "two"):
        (folder / name).write_text(sys.argv[2])
for _ in range(200):
    checkpoints.publish(pathlib.Path(sys.argv[1]), write, config_digest=sys.argv[2])
"""


def both(text: str):  # type: ignore[no-untyped-def]
    def write(folder: Path) -> None:
        for name in ("one", "two"):
            (folder / name).write_text(text)

    return write


def test_two_readers_and_a_writer_at_once_all_succeed_and_read_whole_folders(tmp_path: Path) -> None:
    folder = checkpoints.publish(tmp_path / "model", both("0"), config_digest="0")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), "1"])
    counts, problems = [0, 0], []

    def content(place: Path, manifest: Manifest) -> set[str]:
        return {manifest["config_digest"], (place / "one").read_text(), (place / "two").read_text()}

    def look(number: int) -> None:
        try:
            while writer.poll() is None:
                assert len(checkpoints.read(folder, content)) == 1
                assert checkpoints.newest(tmp_path) is None
                counts[number] += 1
        except BaseException as error:
            problems.append(error)

    readers = [threading.Thread(target=look, args=(number,)) for number in (0, 1)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert writer.wait() == 0
    assert problems == []
    assert min(counts) > 20
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_reader_of_a_replacement_that_was_cut_off_reads_the_old_folder_and_changes_nothing(tmp_path: Path) -> None:
    folder = checkpoints.publish(tmp_path / "model", put("old"), step=1)
    folder.rename(tmp_path / ".model.old")  # where a crash between the two renames leaves it
    (tmp_path / ".model.there-1-0123abcd.tmp").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    assert checkpoints.verify(folder)["step"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    checkpoints.publish(folder, put("new"), step=2)
    assert checkpoints.verify(folder)["step"] == 2


def test_a_copy_is_the_same_to_the_last_byte_and_a_damaged_model_is_not_copied(tmp_path: Path) -> None:
    source = checkpoints.publish(tmp_path / "model", put("state"), step=1)
    manifest = source / checkpoints.MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text())))  # as another version might have written it
    folder = checkpoints.copy(source, tmp_path / "copy")
    assert {path.name: path.read_bytes() for path in source.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    (source / "state.ckpt").write_text("other")
    with pytest.raises(CheckpointError, match=r"model/state\.ckpt: expected SHA-256"):
        checkpoints.copy(source, folder)
    assert (folder / "state.ckpt").read_text() == "state"


def test_only_a_full_disk_asks_for_room(tmp_path: Path) -> None:
    def refused(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(CheckpointError, match="Permission denied") as raised:
        checkpoints.publish(tmp_path / "step-1", refused)
    assert "Make room" not in str(raised.value)


def test_a_full_disk_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CheckpointError, match=r"step-1: No space left on device after 0 bytes \([\d,]+ free now\)"):
        checkpoints.publish(tmp_path / "step-1", full)
    assert list(tmp_path.iterdir()) == []


def test_only_the_last_few_are_kept(tmp_path: Path) -> None:
    for step in range(5):
        checkpoints.publish(tmp_path / f"step-{step}", put("x"))
    (tmp_path / ".step-9.123").mkdir()
    checkpoints.prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-3", "step-4"]


def test_weights_come_back_bit_for_bit_and_only_into_a_net_they_fit(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    folder = checkpoints.publish(
        tmp_path / "model", lambda aside: checkpoints.save_weights(net, aside / checkpoints.MODEL)
    )
    other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    checkpoints.load_weights(other, folder)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))
    with pytest.raises(CheckpointError, match="does not fit"):
        checkpoints.load_weights(nn.Linear(2, 2), folder)


def test_a_model_folder_holds_no_pickle(tmp_path: Path) -> None:
    net = nn.Linear(2, 2)
    folder = checkpoints.publish(
        tmp_path / "model", lambda aside: checkpoints.save_weights(net, aside / checkpoints.MODEL)
    )
    content = (folder / checkpoints.MODEL).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert set(header) == {"weight", "bias"}


CRASH = """
import os, pathlib, shutil, sys
from pipeline.runs import checkpoints
calls = 0
def crashing(real):
    def call(*arguments, **words):
        global calls
        calls += 1
        if calls == int(sys.argv[2]):
            os._exit(9)
        return real(*arguments, **words)
    return call
for home, name in ((os, "fsync"), (shutil, "rmtree"), (pathlib.Path, "mkdir"), (pathlib.Path, "rename"),
                   (pathlib.Path, "write_text"), (checkpoints, "sha256")):
    setattr(home, name, crashing(getattr(home, name)))
def write(folder):
    (folder / "one").write_text("new")
    (folder / "two").write_text("new")
checkpoints.publish(pathlib.Path(sys.argv[1]), write)
"""


def test_a_crash_at_any_step_of_publishing_leaves_the_old_or_the_new_and_never_a_mixture(tmp_path: Path) -> None:
    def old(folder: Path) -> None:
        for name in ("one", "two"):
            (folder / name).write_text("old")

    found = []
    for call in range(1, 100):
        folder = checkpoints.publish(tmp_path / f"{call}/model", old)
        code = subprocess.run([sys.executable, "-c", CRASH, str(folder), str(call)], check=False).returncode
        one, two = checkpoints.read(folder, lambda place, _: [(place / name).read_text() for name in ("one", "two")])
        assert one == two
        # What the crash left is gone as soon as somebody writes again.
        checkpoints.publish(folder, old)
        assert [path.name for path in folder.parent.iterdir()] == ["model"]
        found.append(one)
        if code == 0:
            break
        assert code == 9
    assert len(found) > 10  # crashes, each at another call
    assert set(found[:-1]) == {"old", "new"}  # before and after the rename
    assert found[-1] == "new"
