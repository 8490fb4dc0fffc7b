"""Recording a model, and collecting evaluations: what is repeated keeps its record, what changed gets a new one."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file

from pipeline.actions import compare, record
from pipeline.config import load_config, resolve, stored
from pipeline.errors import CheckpointError, ConfigError, DataError
from pipeline.runs import checkpoints, records, results, trail
from pipeline.runs.results import Result


def evaluate(root: Path, seed: int, accuracy: float, weights: str) -> None:
    folder = root / f"evaluations/net/{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    result = {
        "experiment": "net",
        "seed": seed,
        "metrics": {"test/accuracy": accuracy},
        "weights_digest": weights,
        "config_digest": "c",
        "dataset": {"name": "mnist", "digest": "d", "rows": {"test": 100}},
    }
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "details.json").write_text(json.dumps({"labels": ["0", "1"]}))
    (folder / "history.json").write_text(json.dumps([{"epoch": 1, "val/loss": 0.5}]))


def commit(root: Path, **change: Any) -> None:
    """Give the committed results facts that only their maker knows."""
    path = results.path_of("net", root)
    content = results.read(path)
    for run in content["runs"]:
        run.update(cast(Result, change))
    path.write_text(results.as_text(content))


FACTS_OF = record._facts


@pytest.fixture(autouse=True)
def costs_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every training cost two CPU-seconds, also where its folder is not in runs/."""

    def facts(result: Result, root: Path) -> dict[str, Any]:
        found = FACTS_OF(result, root)
        return {**found, "cpu_s": found["cpu_s"] or 2.0}

    monkeypatch.setattr(record, "_facts", facts)


def test_a_result_of_an_unknown_training_is_refused_and_nothing_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_facts", FACTS_OF)
    evaluate(project, 0, 0.5, "weights of another machine")
    with pytest.raises(DataError, match=r"^net-0: the training is not in runs/.*--single-item train@net-0`"):
        record.collect("net", project)
    assert not results.path_of("net", project).exists()


def test_a_committed_result_of_an_unknown_training_takes_the_record_of_a_repetition(project: Path) -> None:
    evaluate(project, 0, 0.5, "weights0")
    record.collect("net", project)
    commit(project, commit=None, cpu_s=None)
    (run,) = results.read(record.collect("net", project))["runs"]
    assert run["cpu_s"] == 2.0


def test_a_repeated_result_keeps_its_record_and_the_file_its_bytes(project: Path) -> None:
    for seed in (0, 1):
        evaluate(project, seed, 0.5, f"weights{seed}")
    path = record.collect("net", project)
    commit(project, commit="made by", cpu_s=72.0)
    before = path.read_bytes()
    assert record.collect("net", project).read_bytes() == before


def test_other_weights_get_a_record_of_their_own_and_the_summary_follows(project: Path) -> None:
    for seed in (0, 1):
        evaluate(project, seed, 0.5, f"weights{seed}")
    record.collect("net", project)
    commit(project, commit="made by", cpu_s=72.0)
    evaluate(project, 1, 0.75, "others")
    content = json.loads(record.collect("net", project).read_text())
    first, second = content["runs"]
    assert first["commit"] == "made by"
    assert second["commit"] is None  # its run's folder is not here
    assert second["weights_digest"] == "others"
    assert second["history"] == {"epoch": [1], "val/loss": [0.5]}
    assert content["summary"]["test/accuracy"]["mean"] == 0.625
    assert content["details"] == {"labels": ["0", "1"]}


def test_a_result_without_a_trail_takes_the_record_and_the_trail_of_a_repetition_that_has_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(project, 0, 0.5, "weights0")
    record.collect("net", project)
    commit(project, commit="old", dirty=True)
    stored = trail.Entry(3, 1, "weights0")
    (project / "evaluations/net/0" / trail.FILE).write_text(json.dumps(trail.columns([stored])))
    facts: dict[str, Any] = {"name": None, "commit": None, "cpu_s": 2.0}
    monkeypatch.setattr(record, "_facts", lambda *_: facts)
    assert results.read(record.collect("net", project))["runs"][0]["commit"] == "old"  # the run's folder is not here
    facts.update(name="net-s0", commit="new", dirty=False)
    (run,) = results.read(record.collect("net", project))["runs"]
    assert (run["commit"], run["dirty"]) == ("new", False)
    assert trail.entries(run["trail"]) == [stored]
    facts.update(commit="newer")
    assert results.read(record.collect("net", project))["runs"] == [run]


def test_a_seed_that_is_not_evaluated_here_keeps_its_committed_result_and_the_details(project: Path) -> None:
    for seed in (0, 1):
        evaluate(project, seed, 0.5, f"weights{seed}")
    before = results.read(record.collect("net", project))
    shutil.rmtree(project / "evaluations/net/0")
    evaluate(project, 1, 0.75, "others")
    evaluate(project, 2, 1.0, "weights2")
    (project / "evaluations/net/1/details.json").write_text(json.dumps({"labels": ["of seed 1"]}))
    after = results.read(record.collect("net", project))
    assert after["runs"][0] == before["runs"][0]
    assert [run["metrics"]["test/accuracy"] for run in after["runs"]] == [0.5, 0.75, 1.0]
    assert after["summary"]["test/accuracy"] == {"mean": 0.75, "std": 0.25, "n": 3}
    assert after["details"] == {"labels": ["0", "1"]}


def test_seeds_are_in_the_order_of_numbers_not_of_letters(project: Path) -> None:
    for seed in (10, 2, 0):
        evaluate(project, seed, 0.5, "w")
    assert [run["seed"] for run in results.read(record.collect("net", project))["runs"]] == [0, 2, 10]


def test_without_evaluations_nothing_is_collected(project: Path) -> None:
    with pytest.raises(DataError, match="dvc repro collect@net"):
        record.collect("net", project)
    assert not results.path_of("net", project).exists()


def test_a_comparison_tells_identical_from_equal_within_the_spread_from_different(project: Path) -> None:
    for seed, accuracy in ((0, 0.50), (1, 0.52), (2, 0.54)):
        evaluate(project, seed, accuracy, f"weights{seed}")
    record.collect("net", project)
    evaluate(project, 1, 0.53, "others")  # the committed mean is 52 %, one standard deviation 2 %
    evaluate(project, 2, 0.59, "others")
    rows = compare.compare([], project)
    assert {one.run: one.verdict for one in rows} == {"net-0": "identical", "net-1": "equal", "net-2": "different"}
    assert compare.worst(rows).run == "net-2"
    assert [rows[1].mean, rows[1].std] == pytest.approx([52, 2])
    assert rows[1].seeds == 3


def test_a_comparison_is_with_the_last_commit_also_after_the_results_were_collected_anew(project: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    evaluate(project, 0, 0.50, "weights")
    record.collect("net", project)
    for words in (["init", "-q"], ["add", "results"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], check=True)
    evaluate(project, 0, 0.60, "others")
    record.collect("net", project)
    (row,) = compare.compare([], project)
    assert row.verdict == "different"
    assert [row.here, row.committed] == pytest.approx([60, 50])


def test_a_comparison_names_the_first_step_what_differs_and_the_paired_difference(project: Path) -> None:
    def trained(weights: str, data: str, right: str) -> None:
        evaluate(project, 0, right.count("1") / len(right), weights)
        folder = project / "evaluations/net/0"
        entries = [trail.Entry(0, None, "start"), trail.Entry(1, None, weights), trail.Entry(1, 1, weights)]
        (folder / trail.FILE).write_text(json.dumps(trail.columns(entries)))
        result = json.loads((folder / record.RESULT).read_text())
        result["dataset"] = {"name": "mnist", "digest": data, "rows": {"test": len(right)}}
        (folder / record.RESULT).write_text(json.dumps({**result, "right": results.pack(right), "truth_digest": "t"}))

    trained("w", "a" * 64, "1" * 90 + "0" * 10)
    record.collect("net", project)
    trained("v", "b" * 64, "1" * 80 + "0" * 20)
    (row,) = compare.compare(["net-0"], project)
    assert (row.verdict, row.steps, row.first_difference) == ("different", 1, 1)
    assert row.differs == {"data": ("a" * 12, "b" * 12)}
    assert row.paired is not None
    assert row.paired.value == pytest.approx(-0.1)
    assert row.paired.high < 0
    assert "weights differ from step 1 on" in compare.line(row)
    assert "data differs" in compare.line(row)


def test_a_run_that_is_not_evaluated_here_is_named_with_the_command(project: Path) -> None:
    evaluate(project, 0, 0.5, "w")
    record.collect("net", project)
    with pytest.raises(DataError, match="dvc repro evaluate@net-3"):
        compare.compare(["net-3"], project)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trained(root: Path, state: str) -> Path:
    """A run's folder with a model of one file."""
    config = load_config()
    run_dir = records.create(root, resolve(config), {})
    (run_dir / records.CONFIG).write_text(json.dumps(stored(config)))

    def write(aside: Path) -> None:
        (aside / "state").write_text(state)

    checkpoints.publish(run_dir / "model", write, step=1)
    return run_dir


def test_a_recorded_model_verifies_and_has_the_learning_curves_beside_it(
    tmp_path: Path,
) -> None:
    for state in ("old", "new"):
        run_dir = trained(tmp_path, state)
        record.model({"run_dir": str(run_dir), "metrics": {}}, tmp_path)
        recorded, model = content(tmp_path / "models/mnist_cnn-0"), content(run_dir / "model")
        assert recorded.keys() - model.keys() == {"history.json"}
        assert recorded["state"] == model["state"] == state.encode()
        assert checkpoints.verify(tmp_path / "models/mnist_cnn-0")["step"] == 1
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mnist_cnn-0"]


def test_a_damaged_model_is_not_recorded_and_the_older_one_stays(tmp_path: Path) -> None:
    run_dir = trained(tmp_path, "old")
    record.model({"run_dir": str(run_dir), "metrics": {}}, tmp_path)
    before = content(tmp_path / "models/mnist_cnn-0")
    run_dir = trained(tmp_path, "new")
    (run_dir / "model/state").write_text("torn")
    with pytest.raises(CheckpointError, match=r"model/state: expected SHA-256"):
        record.model({"run_dir": str(run_dir), "metrics": {}}, tmp_path)
    assert content(tmp_path / "models/mnist_cnn-0") == before


def test_a_committed_result_gains_metrics_of_a_new_evaluation_and_keeps_its_record(project: Path) -> None:
    evaluate(project, 0, 0.5, "w")
    record.collect("net", project)
    commit(project, commit="made by", cpu_s=72.0)
    path = project / "evaluations/net/0/result.json"
    measured = json.loads(path.read_text())
    path.write_text(json.dumps({**measured, "metrics": {**measured["metrics"], "test/ece": 0.1}, "right": "gA=="}))
    (run,) = results.read(record.collect("net", project))["runs"]
    assert run["metrics"] == {"test/accuracy": 0.5, "test/ece": 0.1}
    assert (run["commit"], run["right"]) == ("made by", "gA==")


def test_an_evaluation_stores_each_samples_probabilities_beside_what_it_measured(project: Path) -> None:
    samples = {"right": "10", "truth_digest": "t"}
    result: Result = {"experiment": "net", "seed": 3, "metrics": {"test/accuracy": 0.5}, "samples": samples}
    scores = {"test_score": torch.tensor([[0.9, 0.1], [0.8, 0.2]])}
    folder = record.evaluation(result, {}, scores, project, project, None)
    assert folder == project / "evaluations/net/3"
    assert torch.equal(load_file(folder / record.PREDICTIONS)["test_score"], scores["test_score"])
    written = json.loads((folder / "result.json").read_text())
    assert written["predictions_digest"] == checkpoints.sha256(folder / record.PREDICTIONS)
    entry = {**written, "dataset": {"rows": {"test": 2}}}
    assert results.right_samples(cast(Result, entry)).tolist() == [True, False]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["../elsewhere", ".", "net", "net/0"])
def test_a_result_is_not_recorded_as_what_is_no_name_or_an_experiment(name: str, project: Path) -> None:
    evaluate(project, 0, 0.5, "w")
    with pytest.raises(ConfigError, match="--record-as"):
        record.check(name, project)
    (project / "evaluations/mine").mkdir()
    (project / "evaluations/mine/result.json").write_text("{}")
    for fine in ("mine", "new", None):
        record.check(fine, project)
