"""Run folders: a record that is true to what happened, whole, and of one process."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.config import load_config, resolve, stored
from pipeline.errors import ConfigError, Interrupted, LaunchError
from pipeline.runs import checkpoints, lookup, records

FACTS: records.RunRecord = {"commit": None, "dirty": None, "lock_digest": None, "command": "pipeline train"}


def make(root: Path) -> Path:
    return records.create(root, resolve(load_config()), FACTS)


def test_two_runs_of_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = {make(tmp_path) for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.name.startswith("mnist_cnn-s0-") for folder in folders)


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


def test_a_resumed_run_gets_back_the_folders_whose_replacement_was_cut_off(tmp_path: Path) -> None:
    folder = make(tmp_path)
    step = checkpoints.publish(folder / "checkpoints/step-1", lambda aside: None, step=1)
    step.rename(step.with_name(".step-1.old"))
    with records.status(folder):
        assert checkpoints.newest(folder / "checkpoints") == step


@pytest.mark.parametrize("whole", [["step-040", "step-050"], []], ids=["later than two", "the only one"])
def test_a_resumed_run_keeps_its_new_checkpoint_rather_than_a_later_torn_one(whole: list[str], tmp_path: Path) -> None:
    folder = make(tmp_path)
    parent = folder / "checkpoints"
    for name in [*whole, "step-100"]:
        checkpoints.publish(parent / name, lambda aside: None)
    (parent / "step-100" / checkpoints.MANIFEST).unlink()
    with records.status(folder):
        assert sorted(path.name for path in parent.glob("step-*")) == whole
        checkpoints.publish(parent / "step-060", lambda aside: None)
        checkpoints.prune(parent, 1)
        assert checkpoints.newest(parent) == parent / "step-060"


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


KEYS = ("name", "experiment", "model", "seed", "status", "run_dir", "run_id")


def test_a_new_record_holds_the_keys_of_every_run_and_mlflows_id_once_there_is_one(tmp_path: Path) -> None:
    folder = make(tmp_path)
    record = records.read(folder)
    assert [record.get(key) for key in KEYS] == [folder.name, "mnist_cnn", "cnn", 0, "created", str(folder), None]
    records.update(folder, run_id="abc")
    assert records.read(folder)["run_id"] == "abc"


@pytest.mark.parametrize(
    ("overrides", "model"),
    [
        (["experiment=imdb_lstm"], "lstm"),
        (["experiment=mlp_xor"], "mlp"),
        (["experiment=imdb_tfidf"], "tfidf_logistic"),
        (["experiment=mnist_ensemble"], "ensemble"),
    ],
)
def test_an_older_record_takes_the_missing_keys_from_its_configuration(
    overrides: list[str], model: str, tmp_path: Path
) -> None:
    config = load_config(*overrides, "seed=3")
    folder = tmp_path / "runs/old"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "finished", "started": 1.0}))
    assert [records.read(folder).get(key) for key in KEYS] == ["old", None, None, None, "finished", str(folder), None]
    (folder / "config.json").write_text(json.dumps(stored(config)))
    assert [records.read(folder).get(key) for key in KEYS[:4]] == ["old", config.name, model, 3]


@pytest.mark.parametrize("name", ["../evil", "a b", ""])
def test_no_folder_is_made_for_a_name_that_is_not_one(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name: expected"):
        records.create(tmp_path, {**resolve(load_config()), "name": name}, FACTS)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "exit_code"), [("SIGINT", 130), ("SIGTERM", 75), ("SIGHUP", 75), ("SIGKILL", -9)])
def test_a_run_that_is_killed_is_resumed_to_the_same_weights(project: Path, sent: str, exit_code: int) -> None:
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
    ends = time.monotonic() + 60  # workers of a killed process notice it within seconds
    while (status := lookup.find(cut["name"], project)["status"]) == "running" and time.monotonic() < ends:
        time.sleep(0.1)
    assert status == "interrupted"

    done = subprocess.run(
        [*command, "resume", cut["name"], "--json"], cwd=project, check=True, capture_output=True, text=True
    )
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["run_id"] == lookup.find(cut["name"], project)["run_id"]
    digests = [
        checkpoints.verify(Path(record["run_dir"]) / "model")["files"][checkpoints.MODEL] for record in (whole, cut)
    ]
    assert digests[0] == digests[1]
