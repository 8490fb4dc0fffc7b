"""Migration after a rename: what a proof found identical is carried over in dvc.lock, all else stays as it is."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import digest, load_config, resolve
from pipeline.errors import DataError
from pipeline.graph import lockfile, migrate
from pipeline.graph.lockfile import LockedFile, LockEntry
from pipeline.runs import fingerprint, results
from pipeline.runs.results import Result

NAMES = "mlp_xor", "neuron"
MODEL = {"path": "models/mlp_xor-0", "hash": "md5", "md5": "a" * 32 + ".dir", "size": 9, "nfiles": 3}
OTHER = {"path": "models/neuron-0", "hash": "md5", "md5": "b" * 32 + ".dir", "size": 9, "nfiles": 3}


@pytest.fixture
def recorded(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two recorded models under former stage names, and a proof that one of them is unchanged."""
    former = {
        "prepare@mnist": {"cmd": "pull", "deps": [], "outs": []},
        "train_once@mlp_xor-0": {"cmd": "old", "deps": [made_by("mlp_xor")], "outs": [MODEL]},
        "train_once@neuron-0": {"cmd": "old", "deps": [made_by("neuron")], "outs": [OTHER]},
        "evaluate@mlp_xor-0": {"cmd": "old", "deps": [MODEL], "outs": []},
    }
    (project / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": former}))
    (project / "prepared").mkdir(exist_ok=True)
    (project / "prepared/mnist.json").write_text("content of mnist.json")
    for name in NAMES:
        run: Result = {"seed": 0, "metrics": {"test/accuracy": 1.0}, "config_digest": "of another spelling"}
        results.path_of(name, project).parent.mkdir(exist_ok=True)
        results.path_of(name, project).write_text(results.as_text(results.content_of(name, [run], None)))
    verdicts = {"mlp_xor": {"verdict": "identical"}, "neuron": {"verdict": "different"}}
    fingerprints = {name: migrate._identity(name, project) for name in NAMES}
    content = {"experiments": verdicts, "fingerprints": fingerprints}
    content["commit_fingerprints"] = {name: made_by(name)["md5"] for name in NAMES}
    (project / "proof.json").write_text(json.dumps(content))
    trained = {f"train@{name}-0": stage(name) for name in NAMES}
    names = {"prepare@mnist", "evaluate@mlp_xor-0", *trained}
    monkeypatch.setattr(migrate, "_stages", lambda root: (names, trained))
    return project


def made_by(name: str) -> LockedFile:
    """The fingerprint of an experiment at the proof's commit, as dvc.lock names it."""
    return {"path": f"prepared/fingerprint/{name}.json", "hash": "md5", "md5": f"of {name}", "size": 9}


def today(name: str, root: Path) -> LockedFile:
    """The fingerprint that `pipeline fingerprint` writes, as dvc.lock names it."""
    content = fingerprint.training(resolve(load_config(f"experiment={name}", root=root)), root)
    text = (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
    md5 = hashlib.md5(text).hexdigest()
    return {"path": f"prepared/fingerprint/{name}.json", "hash": "md5", "md5": md5, "size": len(text)}


def stage(name: str) -> dict[str, Any]:
    deps = ["prepared/mnist.json", f"prepared/fingerprint/{name}.json", "models/neuron-0"]
    return {"experiment": name, "cmd": f"pipeline train {name}", "deps": deps, "out": f"models/{name}-0"}


def test_a_proven_stage_keeps_its_model_and_gets_the_command_and_dependencies_of_today(recorded: Path) -> None:
    carried, left = migrate.migrate([recorded / "proof.json"], recorded)
    assert (carried, left) == (["train@mlp_xor-0"], ["train@neuron-0"])
    stages = yaml.safe_load((recorded / "dvc.lock").read_text())["stages"]
    assert set(stages) == {"prepare@mnist", "evaluate@mlp_xor-0", "train@mlp_xor-0"}
    entry = stages["train@mlp_xor-0"]
    assert entry["cmd"] == "pipeline train mlp_xor"
    assert entry["outs"] == [MODEL]
    data, fingerprint, needed = entry["deps"]
    assert fingerprint == today("mlp_xor", recorded)
    assert data["path"] == "prepared/mnist.json"
    assert needed == OTHER


def test_other_stages_that_read_the_fingerprint_of_a_proven_experiment_are_carried_over_too(recorded: Path) -> None:
    """`try` reads one, and so do evaluations, in the place of the judge that only generators have."""
    file = recorded / "dvc.lock"
    lock = yaml.safe_load(file.read_text())
    deps = [MODEL, made_by("mlp_xor"), made_by("neuron"), {**made_by("mlp_xor"), "md5": "of two shards"}]
    lock["stages"]["evaluate@mlp_xor-0"]["deps"] = deps
    file.write_text(yaml.safe_dump(lock))
    migrate.migrate([recorded / "proof.json"], recorded)
    found = yaml.safe_load(file.read_text())["stages"]["evaluate@mlp_xor-0"]["deps"]
    assert found == [MODEL, today("mlp_xor", recorded), *deps[2:]]


def test_what_is_up_to_date_stays_though_the_proof_does_not_name_it(recorded: Path) -> None:
    """A change of the code of one experiment needs no proof of the others."""
    file = recorded / "dvc.lock"
    lock = yaml.safe_load(file.read_text())
    lock["stages"]["train@neuron-0"] = entry = {"cmd": "c", "deps": [today("neuron", recorded)], "outs": [OTHER]}
    del lock["stages"]["train_once@neuron-0"]
    file.write_text(yaml.safe_dump(lock))
    assert migrate.migrate([recorded / "proof.json"], recorded) == (["train@mlp_xor-0"], [])
    assert yaml.safe_load(file.read_text())["stages"]["train@neuron-0"] == entry


def test_an_entry_that_two_stages_share_is_written_twice_so_that_one_of_them_can_be_replaced(tmp_path: Path) -> None:
    """As `lockfile.record` does after a training: a YAML alias would point to what is gone."""
    stages: dict[str, LockEntry] = {
        "train@mlp_xor-0": {"cmd": "a", "deps": [], "outs": [shared := LockedFile(path="models/mlp_xor-0", md5="a")]},
        "train@neuron-0": {"cmd": "b", "deps": [shared], "outs": []},
    }
    migrate.write(stages, tmp_path)
    assert lockfile.read(tmp_path / "dvc.lock", "train@neuron-0") == stages["train@neuron-0"]


def test_only_a_proven_result_gets_the_digest_of_todays_configuration(recorded: Path) -> None:
    migrate.migrate([recorded / "proof.json"], recorded)
    expected = {
        "mlp_xor": digest(resolve(load_config("experiment=mlp_xor", "seed=0"))),
        "neuron": "of another spelling",
    }
    for name, config_digest in expected.items():
        (run,) = results.read(results.path_of(name, recorded))["runs"]
        assert run["config_digest"] == config_digest


def test_a_proof_of_other_code_is_void(recorded: Path) -> None:
    proof = json.loads((recorded / "proof.json").read_text())
    proof["fingerprints"]["mlp_xor"] = "of the code before"
    (recorded / "proof.json").write_text(json.dumps(proof))
    assert migrate.migrate([recorded / "proof.json"], recorded) == ([], ["train@mlp_xor-0", "train@neuron-0"])


def test_what_was_stale_at_the_proofs_commit_stays_stale_and_keeps_its_digest(recorded: Path) -> None:
    """Its model is of another configuration than the one whose first steps were compared."""
    proof = json.loads((recorded / "proof.json").read_text())
    proof["commit_fingerprints"]["mlp_xor"] = "of two shards"
    (recorded / "proof.json").write_text(json.dumps(proof))
    assert migrate.migrate([recorded / "proof.json"], recorded) == ([], ["train@mlp_xor-0", "train@neuron-0"])
    (run,) = results.read(results.path_of("mlp_xor", recorded))["runs"]
    assert run["config_digest"] == "of another spelling"


def test_a_commit_without_fingerprints_is_named(recorded: Path) -> None:
    proof = json.loads((recorded / "proof.json").read_text())
    (recorded / "proof.json").write_text(json.dumps({**proof, "commit_fingerprints": {}}))
    with pytest.raises(DataError, match=r"proof.json: its commit is older.*Prove against a newer commit"):
        migrate.migrate([recorded / "proof.json"], recorded)


@pytest.mark.parametrize("content", ["{", "[]", '{"experiments": {"mlp_xor": 1}}'])
def test_without_a_proof_nothing_is_written(recorded: Path, content: str) -> None:
    before = (recorded / "dvc.lock").read_bytes()
    (recorded / "proof.json").write_text(content)
    with pytest.raises(DataError, match="pipeline prove"):
        migrate.migrate([recorded / "proof.json"], recorded)
    assert (recorded / "dvc.lock").read_bytes() == before


def test_a_missing_digest_of_data_is_named_with_the_command_that_writes_it(recorded: Path) -> None:
    (recorded / "prepared/mnist.json").unlink()
    with pytest.raises(DataError, match=r"mnist.json: no such file.*dvc repro prepare"):
        migrate.migrate([recorded / "proof.json"], recorded)


def test_the_model_of_a_renamed_experiment_is_found_by_its_former_name() -> None:
    outs: list[LockedFile] = [
        {"path": "models/imdb_lstm_virtual-2", "md5": "c"},
        {"path": "models/neuron-0", "md5": "d"},
    ]
    former: dict[str, LockEntry] = {"any": {"outs": outs}}
    assert dict(migrate._outputs(former)) == {
        "models/imdb_lstm_vat-2": {"path": "models/imdb_lstm_vat-2", "md5": "c"},
        "models/neuron-0": {"path": "models/neuron-0", "md5": "d"},
    }
