"""Copies of runs: what is copied, in which order, and what a lost machine leaves."""

import json
import time
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, LaunchError
from pipeline.runs import checkpoints, records, storage

NAME = "mnist-s0-1"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run with a checkpoint and an event log."""
    folder = tmp_path / "runs" / NAME
    (folder / "ray").mkdir(parents=True)
    (folder / "ray/snapshot").write_text("of Ray's")
    (folder / ".lock").touch()
    (folder / records.RECORD).write_text(json.dumps({"name": NAME, "status": "running"}))
    (folder / "events.jsonl").write_text('{"step": 1}\n')
    publish(folder, 1)
    return folder


@pytest.fixture
def there(tmp_path: Path) -> storage.Storage:
    """A storage in a folder."""
    (tmp_path / "there").mkdir()
    return storage.connect(f"file://{tmp_path}/there")


def publish(run_dir: Path, step: int) -> None:
    checkpoints.publish(
        run_dir / f"checkpoints/step-{step:08}", lambda aside: _write(aside / "state.ckpt", step), step=step
    )


def _write(path: Path, step: int) -> None:
    path.write_text(f"state after {step}")


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_copy_follows_the_folder_and_a_fetched_run_is_the_same(
    run_dir: Path, there: storage.Storage, tmp_path: Path
) -> None:
    with storage.copied(run_dir, there.uri, print):
        publish(run_dir, 2)
        publish(run_dir, 3)
        checkpoints.prune(run_dir / "checkpoints", 2)
    copy = tmp_path / "there" / NAME
    expected = {records.RECORD, "events.jsonl"}
    expected |= {f"checkpoints/step-{step:08}/{name}" for step in (2, 3) for name in ("state.ckpt", "manifest.json")}
    assert names(copy) == expected
    assert not (copy / "checkpoints/step-00000001").exists()
    assert storage.fetch(there, NAME, tmp_path / "elsewhere")
    fetched = tmp_path / "elsewhere/runs" / NAME
    assert {name: (fetched / name).read_bytes() for name in expected} == {
        name: (run_dir / name).read_bytes() for name in expected
    }
    assert checkpoints.newest(fetched / "checkpoints") == fetched / "checkpoints/step-00000003"
    assert records.read(fetched)["status"] == "interrupted"  # its process is gone


@pytest.mark.parametrize("early", [False, True], ids=["while the thread runs", "before it runs"])
def test_a_checkpoint_is_copied_while_the_run_trains(
    early: bool, run_dir: Path, there: storage.Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "POLL_S", 0.01)
    copy = storage.RunCopy(run_dir, there, print)
    copy.update()
    if early:
        publish(run_dir, 2)
    with copy.following():
        if not early:
            publish(run_dir, 2)
        manifest = tmp_path / "there" / NAME / "checkpoints/step-00000002/manifest.json"
        ends = time.monotonic() + 60
        while not manifest.is_file() and time.monotonic() < ends:
            time.sleep(0.01)
        assert manifest.is_file()


def test_of_a_copy_that_was_cut_off_the_checkpoint_before_is_used(
    run_dir: Path, there: storage.Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = storage.RunCopy(run_dir, there, print)
    copy.update()
    publish(run_dir, 2)
    (run_dir / "events.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
    order: list[str] = []
    send = copy.send

    def cut_off(name: str) -> None:
        order.append(name)
        if name.endswith("manifest.json"):
            raise OSError("the machine is gone")
        send(name)

    monkeypatch.setattr(copy, "send", cut_off)
    assert not copy.attempt()
    folder = "checkpoints/step-00000002"
    assert order == [f"{folder}/state.ckpt", "events.jsonl", f"{folder}/manifest.json"]
    assert storage.fetch(there, NAME, tmp_path / "elsewhere")
    fetched = tmp_path / "elsewhere/runs" / NAME
    assert checkpoints.newest(fetched / "checkpoints") == fetched / "checkpoints/step-00000001"


def test_training_continues_without_its_storage_and_each_outage_is_printed_once(
    run_dir: Path, there: storage.Storage, tmp_path: Path
) -> None:
    lines: list[str] = []
    copy = storage.RunCopy(run_dir, there, lines.append)
    copy.update()
    moved = (tmp_path / "there" / NAME).rename(tmp_path / "gone")
    (tmp_path / "there" / NAME).write_text("a file in the place of the folder")
    for step in (2, 3):
        publish(run_dir, step)
        assert not copy.attempt()
    (tmp_path / "there" / NAME).unlink()
    moved.rename(tmp_path / "there" / NAME)
    assert copy.attempt()
    assert [line.split()[0] for line in lines] == ["WARNING", "storage"]
    assert (tmp_path / "there" / NAME / "checkpoints/step-00000003/manifest.json").is_file()


@pytest.mark.parametrize(("step", "status", "found"), [(9, "interrupted", "at step 9"), (1, "finished", "finished")])
def test_a_copy_that_is_further_ahead_is_not_overwritten_by_an_old_folder(
    step: int, status: str, found: str, run_dir: Path, there: storage.Storage, tmp_path: Path
) -> None:
    storage.RunCopy(run_dir, there, print).update()
    assert storage.fetch(there, NAME, tmp_path / "elsewhere")
    fetched = tmp_path / "elsewhere/runs" / NAME
    with storage.copied(fetched, there.uri, print):
        publish(fetched, step)
        checkpoints.prune(fetched / "checkpoints", 1)
        (fetched / records.RECORD).write_text(json.dumps({"name": NAME, "status": status}))
    copy = tmp_path / "there" / NAME
    before = {name: (copy / name).read_bytes() for name in names(copy)}
    with pytest.raises(LaunchError, match=rf"is {found}, .*{NAME} only at step 1: .* Move that folder away"):
        storage.copied(run_dir, there.uri, print).__enter__()
    assert {name: (copy / name).read_bytes() for name in names(copy)} == before
    with storage.copied(fetched, there.uri, print):  # the folder that the copy is of
        pass


def test_a_run_that_is_not_there_is_not_fetched(there: storage.Storage, tmp_path: Path) -> None:
    assert not storage.fetch(there, NAME, tmp_path)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "uri", ["s3://", "/a/folder", "gs://bucket/x", "file://host/folder", "s3://b/x?region=y", "s3://[x"]
)
def test_only_addresses_are_taken(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"expected s3://BUCKET/PREFIX, or file:///FOLDER"):
        storage.connect(uri)


def test_a_secret_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="AWS_SECRET_ACCESS_KEY") as error:
        storage.connect("s3://key:canary@bucket/runs")
    assert "canary" not in str(error.value)


def test_a_missing_folder_is_named_before_anything_trains(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"there is no .*/nowhere: create it"):
        storage.connect(f"file://{tmp_path}/nowhere")
