"""The verdict on a record that is trained again: identical, equal, different or unverifiable, and what differs."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.actions import replay, reproduce
from pipeline.errors import LaunchError
from pipeline.runs import checkpoints, recorded, records, replays, results, trail
from pipeline.runs.recorded import Facts, Recorded
from pipeline.runs.trail import Entry
from tests.conftest import Quiet

ROOT = Path(__file__).parents[2]


class Project:
    """A clone of this project, whose commands run in processes of their own."""

    def __init__(self, folder: Path):
        self.folder = folder
        subprocess.run(["git", "clone", "-q", "--local", str(ROOT), str(folder)], check=True)

    def __call__(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder), **variables}
        command = [sys.executable, "-m", "pipeline", *words]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def verdict(self, *words: str, **variables: str) -> dict[str, Any]:
        done = self("reproduce", *words, "--json", **variables)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert done.returncode == (0 if found["verdict"] in ("identical", "equal") else 1), done.stderr
        return found

    def git(self, *words: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    @property
    def run_dir(self) -> Path:
        """The folder of its one run."""
        (run,) = (self.folder / "runs").glob("digits_mlp-*")
        return run

    def edit(self, name: str, before: str, after: str) -> None:
        text = (self.folder / name).read_text()
        assert before in text
        (self.folder / name).write_text(text.replace(before, after))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone with one finished run `digits_mlp`."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    project = Project(tmp_path_factory.mktemp("project") / "clone")
    done = project("train", "experiment=digits_mlp", "trainer.max_epochs=2", "trainer.keep_checkpoints=9",
                   "trainer.checkpoint_every_steps=20")  # fmt: skip
    assert not done.returncode, done.stderr
    return project


@pytest.mark.slow
def test_a_run_is_identical_also_when_the_working_tree_has_moved_on(project: Project) -> None:
    first = project.verdict("latest", "--steps", "10")
    assert (first["verdict"], first["steps"], first["first_difference"], first["differs"]) == (
        "identical",
        10,
        None,
        {},
    )
    project.edit("pipeline/tasks/classification.py", "label_smoothing", "smoothing_of_labels")
    assert project.verdict("latest", "--steps", "50")["verdict"] == "identical"
    project.git("checkout", "-q", ".")
    whole = project.verdict("latest")
    assert (whole["verdict"], whole["steps"]) == ("identical", whole["of"])
    assert whole["metrics"]
    assert all(then == now for then, now in whole["metrics"].values())
    weights = checkpoints.weights_digest(checkpoints.verify(project.run_dir / "model"))
    committed = {"experiment": "digits_mlp", "runs": [{"seed": 0, "weights_digest": weights}]}
    results.path_of("digits_mlp", project.folder).write_text(json.dumps(committed))
    interval = project.verdict("latest", "--interval")
    assert interval["verdict"] == "identical"
    assert interval["steps"] > 20
    (noted,) = replays.read(project.folder)
    assert (noted.run, noted.verdict, noted.end) == ("digits_mlp-0", "identical", interval["steps"])
    assert 0 < noted.start < noted.end
    replays.path_of(project.folder).unlink()
    project.git("checkout", "-q", ".")
    assert len(list((project.folder / "runs").glob("*/run.json"))) == 1
    listing = subprocess.run(
        ["git", "worktree", "list"], cwd=project.folder, capture_output=True, text=True, check=True
    )
    assert len(listing.stdout.splitlines()) == 1


@pytest.mark.slow
def test_another_processor_is_equal_and_a_learning_rate_changed_by_one_percent_different(project: Project) -> None:
    other = {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
    found = project.verdict("latest", "--steps", "10", **other)
    assert (found["verdict"], found["first_difference"]) == ("equal", 1)
    assert set(found["differs"]) == {"hardware"}
    assert "ONEDNN_MAX_CPU_ISA AVX2" in found["differs"]["hardware"][0]
    assert "ONEDNN_MAX_CPU_ISA SSE41" in found["differs"]["hardware"][1]
    run = project.run_dir
    config = (run / "config.json").read_text()
    rate = json.loads(config)["resolved"]["model"]["optimizer"]["lr"]
    try:
        (run / "config.json").write_text(config.replace(f'"lr": {rate}', f'"lr": {rate * 1.01}')
                                         .replace(f'"max_lr": {rate}', f'"max_lr": {rate * 1.01}'))  # fmt: skip
        found = project.verdict("latest", "--steps", "10", **other)
    finally:
        (run / "config.json").write_text(config)
    assert (found["verdict"], found["first_difference"]) == ("different", 1)
    assert set(found["differs"]) == {"hardware", "configuration"}


@pytest.mark.slow
def test_a_changed_constant_is_different_and_code_is_named(project: Project) -> None:
    """A record that names a commit whose code is not what was run."""
    project.edit("pipeline/models/mlp.py", "nn.Dropout(dropout)", "nn.Dropout(dropout + 0.01)")
    project.git("commit", "-qam", "a changed constant")
    run = project.run_dir
    record = json.loads((run / "run.json").read_text())
    try:
        records.update(run, commit=project.git("rev-parse", "HEAD"))
        found = project.verdict("latest", "--steps", "10")
    finally:
        records.update(run, commit=record["commit"])
        project.git("reset", "-q", "--hard", "HEAD~1")
    assert (found["verdict"], found["first_difference"]) == ("different", 1)
    assert set(found["differs"]) == {"code"}


WEIGHTS = "w" * 64
THEN: Facts = {"code": "c" * 64, "data": "d" * 64, "configuration": "o" * 64, "requirements.lock": "l" * 64,
               "processor": "EPYC", "MKL_CBWR": "AVX2", "torch": "2.13.0"}  # fmt: skip


def record(**changes: Any) -> Recorded:
    entries = [Entry(step, None, f"{step}") for step in (0, 1, 10)]
    known = Recorded(
        name="net-0", result="net-0", commit="c" * 40, dirty=False, steps=30,
        entries=[*entries, Entry(30, 2, WEIGHTS)], config={}, overrides=[], depends=THEN, metrics={},
    )  # fmt: skip
    return replace(known, **changes)


def reproduced(known: Recorded, monkeypatch: pytest.MonkeyPatch, **options: Any) -> reproduce.Reproduction:
    monkeypatch.setattr(reproduce, "find", lambda *_: known)
    return reproduce.reproduce("net-0", Quiet(), root=Path("nowhere"), **options)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dirty": True}, "it was made from uncommitted code"),
        ({"commit": None, "dirty": None}, "it was made from code without a commit"),
        ({"entries": [Entry(30, 2, WEIGHTS)]}, "no trail of its steps"),
    ],
)
def test_a_record_that_nobody_can_check_is_unverifiable_with_the_reason(
    changes: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = reproduced(record(**changes), monkeypatch, steps=10)
    assert found.verdict == "unverifiable"
    assert reason in found.reason


def test_a_record_whose_code_is_not_here_is_unverifiable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "_code", lambda *_: "other code")
    found = reproduced(record(), monkeypatch, steps=10)
    assert (found.verdict, "has no commit cccc" in found.reason) == ("unverifiable", True)


def answer(folder: Path, known: Recorded, entries: list[Entry], **outcome: Any) -> reproduce.Reproduction:
    """The verdict where a repetition to step 10 left these entries."""

    def write(aside: Path) -> None:
        (aside / checkpoints.MODEL).write_bytes(b"weights")
        trail.write(aside, entries, step=10, epoch=0)

    data, config = outcome.pop("data", THEN["data"]), THEN["configuration"]
    checkpoints.publish(folder / "model", write, data_digest=data, config_digest=config or "")
    environment = {key: outcome.pop(key, THEN[key]) for key in ("processor", "MKL_CBWR", "torch")}
    made: Any = {"code": THEN["code"], "lock": THEN["requirements.lock"], "environment": environment, "metrics": {}}
    made |= outcome
    return reproduce._verdict(known, made, folder / "model", 10)


def test_what_differs_is_named_by_its_aspect(tmp_path: Path) -> None:
    same = record().entries[:3]
    found = answer(tmp_path, record(), same, code="x" * 64, data="y" * 64, MKL_CBWR=None, torch="2.14.0")
    assert (found.verdict, found.steps) == ("identical", 10)
    assert found.differs == {
        "code": ("cccccccccccc", "xxxxxxxxxxxx"),
        "data": ("dddddddddddd", "yyyyyyyyyyyy"),
        "hardware": ("MKL_CBWR AVX2", "MKL_CBWR None"),
        "environment": ("torch 2.13.0", "torch 2.14.0"),
    }
    older = record(depends={**THEN, "code": None, "requirements.lock": None})
    assert answer(tmp_path, older, same, code="x", lock="z").differs == {}


def test_a_record_is_repeated_with_its_instructions_unless_others_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded_with: Facts = {**THEN, "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": None}
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    assert reproduce.instructions(recorded_with) == {"MKL_CBWR": "COMPATIBLE"}
    monkeypatch.setenv("MKL_CBWR", "SSE4_2")
    assert reproduce.instructions(recorded_with) == {}


def test_a_tampered_weight_is_different_though_the_first_steps_are_identical(tmp_path: Path) -> None:
    found = answer(tmp_path, record(problem="model.safetensors: expected SHA-256 …"), record().entries[:3])
    assert (found.verdict, found.first_difference) == ("different", 30)
    assert "model.safetensors" in found.reason


def test_data_that_does_not_verify_is_unverifiable_and_data_differ(tmp_path: Path) -> None:
    error: replay.Outcome = {"error": "mnist: expected SHA-256 …", "kind": "DataError"}
    found = reproduce._verdict(record(), error, tmp_path, 10)
    assert (found.verdict, set(found.differs)) == ("unverifiable", {"data"})


def test_a_committed_result_and_a_run_give_the_same_kind_of_record(tmp_path: Path) -> None:
    folder = tmp_path / "runs/one"
    entries = record().entries

    def write(aside: Path) -> None:
        (aside / checkpoints.MODEL).write_bytes(b"weights")
        trail.write(aside, entries[:3], step=30, epoch=2)

    checkpoints.publish(folder / "model", write, data_digest="d", config_digest="o")
    known = {"name": "one", "experiment": "net", "model": "m", "seed": 0, "started": 0, "status": "finished"}
    facts = {"commit": "abc", "dirty": False, "lock_digest": "l", "environment": {"processor": "EPYC"}, "steps": 30}
    (folder / "run.json").write_text(json.dumps({**known, **facts, "metrics": {}}))
    (folder / "config.json").write_text(json.dumps({"resolved": {"name": "net"}}))
    run = recorded.find("one", tmp_path)
    weights = checkpoints.weights_digest(checkpoints.verify(folder / "model"))
    row = {
        "seed": 0,
        "metrics": {},
        "dataset": {"digest": "d"},
        "config_digest": "o",
        "weights_digest": weights,
        **facts,
    }
    command = "pipeline train experiment=net seed=0 cluster=ray ++data.allow_sample=false --record"
    path = results.path_of("net", tmp_path)
    path.parent.mkdir()
    path.write_text(
        json.dumps({"experiment": "net", "runs": [{**row, "command": command, "trail": trail.columns(run.entries)}]})
    )
    result = recorded.find("net-0", tmp_path)
    assert (result.entries, result.depends, result.commit) == (run.entries, run.depends, "abc")
    assert result.overrides == ["experiment=net", "seed=0", "++data.allow_sample=false"]
    assert (run.problem, result.problem) == ("", "")
    (folder / "model" / checkpoints.MODEL).write_bytes(b"tampered")
    assert "expected SHA-256" in recorded.find("one", tmp_path).problem
    path.write_text(path.read_text().replace(f'"weights_digest": "{weights}"', '"weights_digest": "tampered"'))
    assert recorded.find("net-0", tmp_path).problem == "its weights are not those of its trail"


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "runs/one"
    folder.mkdir(parents=True)
    known = {"name": "one", "experiment": "x", "seed": 0, "data": "gate", "started": 0, "status": "interrupted"}
    (folder / "run.json").write_text(json.dumps(known))
    with pytest.raises(LaunchError, match="Only a finished run"):
        reproduce.reproduce("one", Quiet(), root=tmp_path)


def test_code_that_fails_gives_the_verdict_unverifiable_with_its_last_line(tmp_path: Path) -> None:
    """So that the other results of the same command are checked all the same; here a package without what is needed."""
    (tmp_path / "pipeline/actions").mkdir(parents=True)
    (tmp_path / "pipeline/actions/replay.py").write_text("raise ImportError('no such name')\n")
    request: replay.Request = {"config": None, "overrides": [], "steps": 1, "checkpoint": None}
    outcome = reproduce._run(request, tmp_path, tmp_path, tmp_path, {})
    found = reproduce._verdict(record(), outcome, tmp_path / "model", 1)
    assert (found.verdict, found.reason) == ("unverifiable", "the repetition failed: ImportError: no such name")
