"""Cleaning up: what is removed, and what never is."""

import os
from pathlib import Path

from pipeline.actions.clean import remnants, remove
from pipeline.config import load_config, resolve
from pipeline.runs import checkpoints, records
from pipeline.types import CheckpointFacts


def write_state(aside: Path) -> None:
    (aside / "state.ckpt").write_text("state")


def make(root: Path) -> Path:
    """Make a run with four checkpoints, a model, Ray's folder and half-written files."""
    run_dir = records.create(root, resolve(load_config()), {})
    scores: list[CheckpointFacts] = [{"score": 9.0}, {"score": 1.0}, {}, {}]
    for step, facts in enumerate(scores, 1):
        checkpoints.publish(run_dir / f"checkpoints/step-{step}", write_state, **facts)
    for folder in ("ray", "model", "checkpoints/.step-5.77", ".model.77"):
        (run_dir / folder).mkdir()
        (run_dir / folder / "file").write_text("12345")
    return run_dir


def test_all_but_the_newest_and_the_best_checkpoint_are_removed_and_the_model_stays(tmp_path: Path) -> None:
    run_dir = make(tmp_path)
    listed = remnants(tmp_path)
    names = {str(remnant.path.relative_to(run_dir)) for remnant in listed}
    assert names == {"checkpoints/step-2", "checkpoints/step-3", "checkpoints/.step-5.77", ".model.77", "ray"}
    assert {remnant.size for remnant in listed if remnant.kind != "old checkpoint"} == {5}
    remove(listed)
    left = {str(path.relative_to(run_dir)) for path in run_dir.rglob("*") if path.is_dir()}
    assert left == {"checkpoints", "checkpoints/step-1", "checkpoints/step-4", "model"}
    assert remnants(tmp_path) == []


def test_the_newest_checkpoint_that_verifies_stays_even_if_a_torn_one_is_newer(tmp_path: Path) -> None:
    run_dir = make(tmp_path)
    os.truncate(run_dir / "checkpoints/step-4/state.ckpt", 1)
    names = {remnant.path.name for remnant in remnants(tmp_path) if remnant.kind == "old checkpoint"}
    assert names == {"step-2", "step-4"}


def test_half_written_files_outside_of_runs_are_removed(tmp_path: Path) -> None:
    name = f"{os.uname().nodename.replace('.', '_')}-{os.getpid()}-0123abcd.tmp"
    for folder in ("models", ".cache/texts", "evaluations"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f".one.{name}").write_text("half")
        (tmp_path / folder / "one").write_text("whole")
    listed = remnants(tmp_path)
    assert {remnant.path.name for remnant in listed} == {f".one.{name}"}
    remove(listed)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"one"}


def test_a_model_whose_replacement_a_crash_cut_off_is_restored(tmp_path: Path) -> None:
    run_dir = make(tmp_path)
    (run_dir / "model").rename(run_dir / ".model.old")
    listed = remnants(tmp_path)
    assert ".model.old" not in {remnant.path.name for remnant in listed}
    assert not (run_dir / "model").exists()  # to list changes nothing
    remove(listed)
    assert (run_dir / "model/file").read_text() == "12345"


def test_nothing_of_a_run_that_starts_after_the_listing_is_removed(tmp_path: Path) -> None:
    run_dir = make(tmp_path)
    listed = remnants(tmp_path)
    with records.status(run_dir):
        assert remove(listed) == []
    assert all(remnant.path.exists() for remnant in listed)


def test_nothing_of_a_running_run_is_listed(tmp_path: Path) -> None:
    run_dir = make(tmp_path)
    with records.status(run_dir):
        assert remnants(tmp_path) == []
