"""Disks that are full or read-only, real ones: small tmpfs mounts."""

import os
from pathlib import Path

import pytest

from pipeline.config import load_config, resolve
from pipeline.errors import CheckpointError, DataError, LaunchError
from pipeline.runs import checkpoints, records
from pipeline.runs.events import EventLog, read
from pipeline.training.fit import fit
from tests.conftest import TINY, mount


def fill(disk: Path, leave: int) -> None:
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_bsize - leave))


def test_a_disk_that_fills_up_stops_the_run_and_its_last_checkpoint_stays(tiny_mnist: Path, disk: Path) -> None:
    config = resolve(load_config(*TINY, "trainer.checkpoint_every_steps=1", "trainer.keep_checkpoints=9"))
    config["cluster"]["gpus_per_worker"] = 0
    expected = r"checkpoints/step-\d+: No space left on device after [\d,]+ bytes \([\d,]+ free now\)"
    with pytest.raises(CheckpointError, match=expected):
        fit(config, data_dir=tiny_mnist / "data", run_dir=disk)
    folders = sorted((disk / "checkpoints").iterdir())
    assert folders
    assert not [folder for folder in folders if folder.name.startswith(".")]
    assert checkpoints.newest(disk / "checkpoints") == folders[-1]  # every one of them is whole
    for folder in folders:
        checkpoints.verify(folder)


def test_an_event_that_finds_no_room_names_the_file_and_its_bytes(disk: Path) -> None:
    log = EventLog(disk)
    log.append(step=1)
    fill(disk, 0)
    with pytest.raises(DataError, match=r"events\.jsonl: No space left on device: [\d,]+ bytes do not fit"):
        log.append(step=2, notice="x" * 10_000)
    log.close()
    (disk / "filler").unlink()
    again = EventLog(disk)
    again.append(step=3)
    again.close()
    assert [event["step"] for event in read(disk)[0]] == [1, 3]


def test_a_read_only_folder_is_refused_before_anything_is_trained(disk: Path) -> None:
    assert mount("-o", "remount,ro", str(disk)) == 0
    with pytest.raises(LaunchError, match=r"runs: can't be written \(Read-only file system\)"):
        records.create(disk, resolve(load_config()), {})
