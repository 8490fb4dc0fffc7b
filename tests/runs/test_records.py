"""Run folders: found by name, true to what happened."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.config import load_config, resolve
from pipeline.errors import Interrupted, LaunchError
from pipeline.runs import checkpoints, lookup, provenance, records

FACTS = {"commit": None, "dirty": None, "lock_digest": None, "command": "pipeline train"}


def make(root: Path) -> Path:
    return records.create(root, resolve(load_config()), FACTS)


def test_two_runs_of_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = {make(tmp_path) for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.name.startswith("mnist_cnn-s0-") for folder in folders)


def test_what_earlier_runs_recorded_does_not_make_the_code_of_the_next_dirty(tmp_path: Path) -> None:
    for name in ("results/net.json", "code.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    (tmp_path / "results/net.json").write_text("2")
    assert provenance.provenance(tmp_path)["dirty"] is False
    (tmp_path / "code.py").write_text("2")
    assert provenance.provenance(tmp_path)["dirty"] is True


def test_a_run_is_found_by_name_start_id_folder_and_as_the_latest(tmp_path: Path) -> None:
    first = make(tmp_path)
    second = make(tmp_path)
    records.update(first, run_id="abc123")
    assert lookup.find("latest", tmp_path)["name"] == second.name
    assert lookup.find(first.name, tmp_path)["name"] == first.name
    assert lookup.find("abc123", tmp_path)["name"] == first.name
    assert lookup.find(str(second), tmp_path)["name"] == second.name
    with pytest.raises(LaunchError, match="2 runs begin so"):
        lookup.find("mnist_cnn", tmp_path)
    with pytest.raises(LaunchError, match=r"no such run .* The newest is"):
        lookup.find("other", tmp_path)


def test_a_run_whose_process_is_gone_is_interrupted_and_one_that_runs_is_not_begun_twice(tmp_path: Path) -> None:
    folder = make(tmp_path)
    code = f"""
import pathlib, time
from pipeline.runs import records as runs
with runs.status(pathlib.Path({str(folder)!r})):
    print("running", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"running\n"
    assert records.read(folder)["status"] == "running"
    with pytest.raises(LaunchError, match=rf"is running, as process {process.pid}"), records.status(folder):
        pass
    process.kill()
    process.communicate()
    assert records.read(folder)["status"] == "interrupted"
    with records.status(folder):
        assert records.read(folder)["status"] == "running"
    assert records.read(folder)["status"] == "finished"


def test_a_run_that_ends_while_it_is_looked_at_is_not_taken_for_an_interrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path)
    records.update(folder, status="running")

    def ends(lock: Path) -> bool:
        records.update(folder, status="finished")
        return False

    monkeypatch.setattr(records, "is_locked", ends)
    assert records.read(folder)["status"] == "finished"


def test_a_run_that_goes_on_gets_back_the_folders_whose_replacement_was_cut_off(tmp_path: Path) -> None:
    folder = make(tmp_path)
    step = checkpoints.publish(folder / "checkpoints/step-1", lambda aside: None, step=1)
    step.rename(step.with_name(".step-1.old"))
    with records.status(folder):
        assert checkpoints.newest(folder / "checkpoints") == step


@pytest.mark.parametrize(
    ("error", "raised", "status"),
    [
        (KeyboardInterrupt(), Interrupted, "interrupted"),
        (SystemExit(), Interrupted, "interrupted"),
        (ValueError(), ValueError, "failed"),
    ],
)
def test_the_record_says_how_a_run_ended(
    tmp_path: Path, error: BaseException, raised: type[BaseException], status: str
) -> None:
    folder = make(tmp_path)
    with pytest.raises(raised), records.status(folder):  # noqa: PT012
        assert records.read(folder)["status"] == "running"
        raise error
    assert records.read(folder)["status"] == status


def test_a_torn_record_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path)
    (folder / "run.json").write_text("{")
    with pytest.raises(LaunchError, match=r"run\.json: not a run's record"):
        lookup.find(str(folder), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "exit_code"), [("SIGINT", 130), ("SIGTERM", 75), ("SIGKILL", -9)])
def test_a_run_that_is_killed_goes_on_to_the_same_weights(project: Path, sent: str, exit_code: int) -> None:
    words = ["data=mnist-5k", "trainer.max_epochs=12", "trainer.checkpoint_every_s=0", "data.batch_size=64"]
    command = [sys.executable, "-m", "pipeline"]
    subprocess.run([*command, "train", *words], cwd=project, check=True, capture_output=True)
    whole = lookup.find("latest", project)

    with (project / "out.txt").open("w") as out:
        process = subprocess.Popen([*command, "train", *words], cwd=project, stdout=out, stderr=out)
        while not list(project.glob("runs/*/checkpoints/step-*")) or lookup.find("latest", project) == whole:
            time.sleep(0.1)
        cut = lookup.find("latest", project)
        while not list((Path(cut["run_dir"]) / "checkpoints").glob("step-*")):
            time.sleep(0.05)
        process.send_signal(getattr(signal, sent))
        assert process.wait(60) == exit_code
    assert lookup.find(cut["name"], project)["status"] == "interrupted"

    done = subprocess.run(
        [*command, "resume", cut["name"], "--json"], cwd=project, check=True, capture_output=True, text=True
    )
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["run_id"] == lookup.find(cut["name"], project)["run_id"]
    digests = [
        checkpoints.verify(Path(record["run_dir"]) / "model")["files"][checkpoints.MODEL] for record in (whole, cut)
    ]
    assert digests[0] == digests[1]
