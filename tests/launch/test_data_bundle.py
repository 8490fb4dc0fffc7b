"""Every node trains on the driver's bytes, or not at all."""

import hashlib
from pathlib import Path

import pytest

from pipeline.data.mirrors import DataFile
from pipeline.errors import CheckpointError, DataError
from pipeline.launch import run_dir_actor
from pipeline.launch.data_bundle import DataBundle, unpack
from pipeline.launch.failure_count import newest_step
from pipeline.runs import checkpoints, events

CONTENT = b"the bytes that the driver named"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another node's data folder; Ray's object references are replaced by their contents."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("ray.get", lambda content: content)
    return tmp_path / "data"


def bundle(*contents: bytes) -> DataBundle:
    return DataBundle("set", "d1", (DataFile("set/a", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()),), contents)


def put(folder: Path, content: bytes) -> None:
    (folder / "set").mkdir(parents=True, exist_ok=True)
    (folder / "set/a").write_bytes(content)


def test_a_node_that_holds_the_bytes_uses_its_own(elsewhere: Path) -> None:
    put(elsewhere, CONTENT)
    assert unpack(bundle(), elsewhere) == elsewhere


@pytest.mark.parametrize("own", [None, CONTENT[:-1] + b"x"])
def test_a_node_without_them_or_with_others_gets_them_and_leaves_its_own_alone(
    elsewhere: Path, own: bytes | None
) -> None:
    if own:
        put(elsewhere, own)
    folder = unpack(bundle(CONTENT), elsewhere)
    assert folder != elsewhere
    assert (folder / "set/a").read_bytes() == CONTENT
    assert not own or (elsewhere / "set/a").read_bytes() == own


def test_a_cached_copy_that_rotted_is_replaced(elsewhere: Path) -> None:
    folder = unpack(bundle(CONTENT), elsewhere)
    (folder / "set/a").write_bytes(b"rotten")
    assert (unpack(bundle(CONTENT), elsewhere) / "set/a").read_bytes() == CONTENT


def test_other_bytes_are_refused_where_none_travelled_or_others_did(elsewhere: Path) -> None:
    put(elsewhere, b"other")
    with pytest.raises(DataError, match=r"set/a: expected 31 bytes .* got 5 bytes"):
        unpack(bundle(), elsewhere)
    with pytest.raises(DataError, match="differ from the driver's digests"):
        unpack(bundle(b"forged"), elsewhere)


def test_a_folder_arrives_as_it_was_sent_or_not_at_all(tmp_path: Path) -> None:
    def fill(aside: Path) -> None:
        (aside / "a").write_bytes(CONTENT)

    sent = run_dir_actor.read(checkpoints.publish(tmp_path / "there/step-000000007", fill, step=7))
    run_dir_actor.write(tmp_path / "checkpoints/step-000000007", sent)
    assert checkpoints.verify(tmp_path / "checkpoints/step-000000007")["step"] == 7
    assert newest_step(tmp_path) == 7
    with pytest.raises(CheckpointError, match="not the bytes that were sent"):
        run_dir_actor.write(tmp_path / "checkpoints/step-000000008", {**sent, "a": b"torn"})
    assert newest_step(tmp_path) == 7


@pytest.mark.parametrize("name", [*checkpoints.FORMER, *checkpoints.FORMER.values()])
def test_a_runs_inputs_are_sent_along_if_there_are_any(name: str, tmp_path: Path) -> None:
    driver = run_dir_actor.RunDirActor(str(tmp_path), keep=1)
    assert driver.inputs() == {}

    def fill(aside: Path) -> None:
        (aside / "a").write_bytes(CONTENT)

    checkpoints.publish(tmp_path / name, fill, step=3)
    ((sent_name, sent),) = driver.inputs().items()
    assert sent_name == name
    run_dir_actor.write(tmp_path / "elsewhere", sent)
    assert checkpoints.verify(tmp_path / "elsewhere") == checkpoints.verify(tmp_path / name)
    copied = checkpoints.copy(tmp_path / "elsewhere", tmp_path / "again")
    assert checkpoints.verify(copied)["step"] == 3
    assert (copied / "a").read_bytes() == CONTENT


def test_the_load_of_a_node_is_logged_with_the_seconds_since_the_runs_start(tmp_path: Path) -> None:
    started = events.EventLog(tmp_path)
    started.append(run={"name": "run"})
    started.close()
    driver = run_dir_actor.RunDirActor(str(tmp_path), keep=1)
    driver.log_load({"system/10.0.0.5/cpu_utilization_percentage": 50.0})
    [_, (event, _)] = events.scan(tmp_path)
    assert event["system"] == {"system/10.0.0.5/cpu_utilization_percentage": 50.0}
    assert event["second"] in (0, 1)


def test_the_newest_process_of_each_worker_is_known(tmp_path: Path) -> None:
    driver = run_dir_actor.RunDirActor(str(tmp_path), keep=1)
    for rank, process in ((0, 10), (1, 11), (0, 20), (1, 21)):
        driver.enter(rank, 2, f"node-{rank}", process)
    assert driver.worker_processes() == {0: ("node-0", 20), 1: ("node-1", 21)}
