"""Plans: they hold what a result depends on, all of it and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline import checkpoint
from pipeline.actions import plan
from pipeline.config import load_config, resolve

ROOT = Path(__file__).parents[2]


def of(*overrides: str, root: Path = ROOT) -> dict[str, object]:
    return plan.plan(resolve(load_config(*overrides, root=root)), root)


def test_a_plan_holds_the_code_of_the_net_the_task_the_data_and_the_loop() -> None:
    code = set(of("experiment=imdb_lstm_taught")["code"])  # type: ignore[call-overload]
    made_of = {"fit", "checkpoint", "models.recurrent", "tasks.text", "data.text", "data.vocabulary", "data.embeddings"}
    assert {f"pipeline.{name}" for name in made_of} <= code
    assert not {"pipeline.models.cnn", "pipeline.data.images", "pipeline.data.store", "pipeline.tracking"} & code


def test_a_plan_does_not_know_the_seed_or_where_data_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    before = of("experiment=mnist_cnn")
    monkeypatch.setenv("PIPELINE_DATA_MIRROR", "http://user:secret@somewhere")
    assert of("experiment=mnist_cnn", "seed=7") == before


def test_one_changed_file_changes_the_plans_of_its_experiments_only(tmp_path: Path) -> None:
    for name in ("conf", "data.dvc", "requirements.lock"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    chosen = ("imdb_rnn", "imdb_gru", "mlp_xor")
    for other in {file.stem for file in (tmp_path / "conf/experiment").glob("*.yaml")} - set(chosen) - {"mnist_cnn"}:
        (tmp_path / f"conf/experiment/{other}.yaml").unlink()
    before = {path.name: path.read_text() for path in plan.write(tmp_path, tmp_path / "plans")}
    changed = tmp_path / "conf/model/rnn.yaml"
    changed.write_text(changed.read_text().replace("dropout:", "dropout: 0.123 #"))
    after = {path.name: path.read_text() for path in plan.write(tmp_path, tmp_path / "plans")}
    assert [name for name in before if before[name] != after[name]] == ["imdb_rnn.json"]
    assert json.loads(after["imdb_rnn.json"])["config"]["model"]["net"]["dropout"] == 0.123


def test_runs_of_another_seed_configuration_or_code_are_other_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve(load_config("experiment=mlp_xor"))
    same = plan.identity(config, ROOT)
    assert plan.identity(config, ROOT) == same
    assert plan.identity({**config, "seed": 1}, ROOT) != same
    monkeypatch.setattr(checkpoint, "sha256", lambda path: "another")
    assert plan.identity(config, ROOT) != same
