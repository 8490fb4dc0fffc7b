"""`pipeline repro cluster=ray` on real raylets: stages on several nodes, one of which is killed."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.launch.stages import travels
from pipeline.runs import lookup
from tests.graph.test_repro import dvc
from tests.launch.nodes import Job, job, nodes

TRAINED = "experiment=mnist_cnn data=mnist-5k data.augment=null data.batch_size=200 trainer.checkpoint_every_s=0"
SEEDS = range(3)


@pytest.mark.parametrize(
    ("command", "anywhere"),
    [
        ("pipeline train experiment=mlp_xor seed=1  --record --resume-if-interrupted", True),
        ("pipeline evaluate models/mlp_xor-1 --record", True),
        ("pipeline collect mlp_xor", False),
        ("pipeline train seed=1 && rm x", False),
        ("echo 'unclosed", False),
    ],
)
def test_only_trainings_and_evaluations_run_on_any_node(command: str, anywhere: bool) -> None:
    assert travels(command) == anywhere


def graph(epochs: int) -> dict[str, Any]:
    stages: dict[str, Any] = {"prepare": {"cmd": "echo 1 > prepared.txt", "outs": ["prepared.txt"]}}
    for seed in SEEDS:
        model, evaluation = f"models/mnist_cnn-{seed}", f"evaluations/mnist_cnn/{seed}"
        train = f"pipeline train {TRAINED} trainer.max_epochs={epochs} seed={seed} --record --resume-if-interrupted"
        stages[f"train-{seed}"] = {"cmd": train, "deps": ["prepared.txt"], "outs": [model]}
        evaluate = f"pipeline evaluate {model} --record"
        stages[f"evaluate-{seed}"] = {"cmd": evaluate, "deps": [model], "outs": [evaluation]}
    collect = "cat evaluations/mnist_cnn/*/result.json | md5sum > all.txt"
    deps = [f"evaluations/mnist_cnn/{seed}" for seed in SEEDS]
    stages["all"] = {"cmd": collect, "deps": deps, "outs": ["all.txt"]}
    return {"stages": stages}


@pytest.fixture
def toy(project: Path) -> Path:
    """A project with a graph of small trainings; a copy is reproduced by DVC, one stage after the other."""
    root = project / "parallel"
    root.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    dvc("init", "-q", root=root)
    (root / "dvc.yaml").write_text(yaml.safe_dump(graph(6), sort_keys=False, width=10**6))
    shutil.copytree(root, project / "serial")
    return root


def trained(reproduction: Job) -> set[str]:
    """The stages whose runs have stored a checkpoint on the driver's machine."""
    return {path.parts[-3] for path in reproduction.project.glob("runs/*/checkpoints/step-*")}


@pytest.mark.slow
def test_stages_run_on_all_nodes_and_outlive_one_with_what_dvc_repro_leaves(toy: Path) -> None:
    dvc("repro", "-q", root=toy.parent / "serial")
    with nodes(1, 1, 1) as cluster:
        words = ["cluster=ray", f"cluster.address={cluster.address}", "--json"]
        with job(toy, "repro", *words) as reproduction:
            reproduction.until(lambda _: len(trained(reproduction)) >= 2)
            cluster.kill(cluster.cluster.worker_nodes.copy().pop())
            cluster.add(1)
            assert reproduction.end() == 0, reproduction.output()
            printed = json.loads(reproduction.output().splitlines()[-1])
    assert printed["counts"] == {"done": 2 + 2 * len(SEEDS)}
    assert (toy / "dvc.lock").read_bytes() == (toy.parent / "serial/dvc.lock").read_bytes()
    assert "up to date" in dvc("status", root=toy)
    logs = "".join(path.read_text() for path in (toy / ".cache/repro").glob("*.log"))
    assert len(set(re.findall(r"runs on .*, node (\w+)", logs))) >= 3
    assert logs.count("its node is lost") == 1
    records = lookup.listing(toy)
    assert sorted(str(record["seed"]) for record in records if record["status"] == "finished") == list(map(str, SEEDS))
    assert all(record["run_id"] for record in records)  # sent to MLflow at the end
    assert {record["dvc_stage"] for record in records} == {f"train-{seed}" for seed in SEEDS}


@pytest.mark.slow
def test_an_interrupted_reproduction_goes_on_from_the_checkpoints_that_nodes_sent(toy: Path) -> None:
    with nodes(1, 1) as cluster:
        words = ["train-0", "train-1", "cluster=ray", f"cluster.address={cluster.address}", "--json"]
        with job(toy, "repro", *words) as stopped:
            stopped.until(lambda _: len(trained(stopped)) == 2)
            stopped.process.send_signal(signal.SIGTERM)
            assert stopped.end() == 75, stopped.output()
        assert {record["status"] for record in lookup.listing(toy)} == {"interrupted"}
        with job(toy, "repro", *words) as again:
            assert again.end() == 0, again.output()
    assert [record["status"] for record in lookup.listing(toy)] == ["finished"] * 2
