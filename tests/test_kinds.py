"""Every kind of experiment from its name to a tested, tracked, drawn and answering model, on tiny data."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import kinds
from pipeline.actions import evaluate
from pipeline.actions.predict import predict
from pipeline.actions.train import require, train
from pipeline.config import build_data, load_config, resolve, targets
from pipeline.config.kind import TASKS
from pipeline.errors import ConfigError, DataError
from pipeline.runs import checkpoints, lookup
from pipeline.runs.records import RunRecord
from pipeline.training.fixed_unit import assemble
from tests.conftest import TINY_TEXT, Quiet, idx_bytes, striped_digits

PIG_LATIN = ["data.words=300", "data.val_size=20", "data.test_size=20", "trainer.max_epochs=1", "model.net.hidden=8"]


@pytest.fixture
def tracked(tiny_imdb: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny reviews, with a data base whose tables exist; all is told to MLflow, however busy the machine is."""
    monkeypatch.setattr("pipeline.tracking.run.CLOSE_S", 300.0)
    (tiny_imdb / "runs").mkdir()
    (tiny_imdb / "runs/mlflow.db").write_bytes(empty_database.read_bytes())
    return tiny_imdb


def run(root: Path, *overrides: str) -> tuple[RunRecord, Quiet, set[str]]:
    console = Quiet()
    summary = train(list(overrides), console, root=root)
    scored = evaluate.evaluate(summary["name"], "test", root=root)
    assert scored["metrics"] == {name: value for name, value in summary["metrics"].items() if name.startswith("test/")}
    return summary, console, {path.name for path in (Path(summary["run_dir"]) / "figures").iterdir()}


def portable(summary: RunRecord, **inputs: np.ndarray) -> np.ndarray:
    """What the stored model says through plain MLflow."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{Path(summary['run_dir']).parent}/mlflow.db")
    experiment = client.get_run(str(summary["run_id"])).info.experiment_id
    logged = client.search_logged_models([experiment])
    (found,) = [model for model in logged if model.source_run_id == summary["run_id"]]
    (answer,) = mlflow.pyfunc.load_model(found.artifact_location).predict(inputs).values()
    return np.asarray(answer)


def test_a_net_that_reads(tracked: Path) -> None:
    small = ["model.net.embedding=8", "model.net.hidden=8", "model.optimizer.lr=0.03", "data.embeddings.contexts=20"]
    summary, _, figures = run(tracked, "experiment=imdb_gru", *TINY_TEXT, *small, "trainer.max_epochs=8")
    assert summary["metrics"]["test/accuracy"] > 0.9
    assert figures == {"confusion_matrix.png", "learning_curves.png", "reliability.png", "worst_errors.md"}
    for length in (3, 30):
        answer = portable(summary, input=np.ones((5, length), dtype=np.int64))
        np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)
    (tracked / "review.txt").write_text("bad dull bad")
    (tracked / "torn.txt").write_bytes(b"\xff")
    first, torn, last = predict("latest", ["great fine great", "torn.txt", "review.txt"], root=tracked)
    assert [first["label"], last["label"]] == ["positive", "negative"]
    assert torn["error"].startswith("torn.txt: expected text in UTF-8")


def test_a_baseline_and_the_mean_of_two_of_them(tracked: Path) -> None:
    summary, _, figures = run(tracked, "experiment=imdb_nbsvm", *TINY_TEXT)
    assert summary["metrics"]["test/accuracy"] == 1.0
    assert figures == {"confusion_matrix.png", "reliability.png", "worst_errors.md"}
    run(tracked, "experiment=imdb_tfidf", *TINY_TEXT)
    assert next(predict("latest", ["great fine"], root=tracked))["label"] == "positive"


def test_a_language_model_is_trained_first_and_a_classifier_begins_with_it(tracked: Path) -> None:
    small = [*TINY_TEXT[1:], "model.net.embedding=8", "model.net.hidden=8", "trainer.max_epochs=2"]
    summary, _, figures = run(tracked, "experiment=imdb_lm", *small)
    assert summary["metrics"]["test/perplexity"] == pytest.approx(np.exp(summary["metrics"]["test/loss"]))
    assert figures == {"learning_curves.png"}
    with pytest.raises(ConfigError, match="a language model, which predicts no classes"):
        predict("latest", ["great"], root=tracked)
    # As it is configured, not as it was trained here: so it is made to be found.
    found = Path(summary["run_dir"]) / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.actions.requirements.find", lambda name, root: found)
        tuned, _, _ = run(tracked, "experiment=imdb_lstm_pretrained", *small)
    begun = Path(tuned["run_dir"]) / "init_from/model.safetensors"
    assert begun.read_bytes() == (found / "model.safetensors").read_bytes()
    answer = portable(tuned, input=np.ones((5, 7), dtype=np.int64))
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)


def test_points_of_the_plane_are_drawn(tracked: Path) -> None:
    summary, _, figures = run(tracked, "experiment=perceptron_gates")
    assert summary["metrics"]["test/accuracy"] == 1.0
    assert "decision_map.png" in figures


def test_a_generator_has_its_judge_trained_first_and_once(tracked: Path) -> None:
    summary, out, figures = run(tracked, "experiment=lecture_gan", "trainer.max_epochs=1")
    assert "lecture_gan requires digits_mlp-0, which is trained first" in out.lines
    assert {"test/fid", "test/fid_floor", "test/coverage", "test/variance_ratio"} <= set(summary["metrics"])
    assert {"samples.png", "samples_over_epochs.png", "latent_walk.png"} <= figures
    assert portable(summary, noise=np.zeros((3, 100), np.float32)).shape == (3, 1, 8, 8)
    with pytest.raises(DataError, match="a generator takes no input"):
        predict("latest", ["7"], root=tracked)
    other = resolve(load_config("experiment=lecture_gan", "seed=1", root=tracked))
    require(other, out := Quiet(), root=tracked, config_dir=None, verbose=False)
    assert not out.lines
    assert sum(record["experiment"] == "digits_mlp" for record in lookup.listing(tracked)) == 1


def test_a_translator(tracked: Path) -> None:
    summary, _, figures = run(tracked, "experiment=piglatin_seq2seq", *PIG_LATIN)
    assert 0 <= summary["metrics"]["test/exact_match"] <= 1
    assert "attention.png" in figures
    assert portable(summary, input=np.full((2, 5), 7, dtype=np.int64)).shape[0] == 2
    (answer,) = predict("latest", ["Hello, 42 worlds!"], root=tracked)
    assert answer["label"].endswith("!")
    assert "42" in answer["label"]


@pytest.mark.parametrize("experiment", ["perceptron_gates", "neuron", "imdb_tfidf"])
def test_what_is_made_in_one_process_refuses_several_workers(experiment: str, tracked: Path) -> None:
    overrides = TINY_TEXT[1:] if experiment.startswith("imdb") else []
    with pytest.raises(ConfigError, match=r"cluster\.workers: this model is trained in one process only"):
        train([f"experiment={experiment}", "cluster.workers=2", *overrides], Quiet(), root=tracked)


CONF = Path(__file__).parents[1] / "conf"
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
UNUSUAL: dict[str, tuple[Any, str | None]] = {
    "neuron": (kinds.FixedUnit, "points"),
    "imdb_tfidf": (kinds.FittedBaseline, "texts"),
    "imdb_nbsvm": (kinds.FittedBaseline, "texts"),
    "mnist_ensemble": (kinds.EnsembleOfModels, "images"),
    **dict.fromkeys(
        ("imdb_lstm_best", "imdb_bag_best", "imdb_pretrained_best", "imdb_vat_best"),
        (kinds.EnsembleOfModels, "texts"),
    ),
    **dict.fromkeys(("mnist_gan", "lecture_gan"), (kinds.TrainedNet, "classes")),
    **dict.fromkeys(("imdb_lm", "imdb_lm_small"), (kinds.TrainedNet, None)),
    **dict.fromkeys(("perceptron_gates", "mlp_xor"), (kinds.TrainedNet, "points")),
    "piglatin_seq2seq": (kinds.TrainedNet, "sentences"),
}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_is_of_one_kind_and_takes_one_sort_of_input(experiment: str) -> None:
    config = resolve(load_config(f"experiment={experiment}"))
    usual = kinds.TrainedNet, "texts" if experiment.startswith(("imdb", "lecture_gru")) else "images"
    kind = kinds.kind_of(config)
    assert (type(kind), kind.input_type(config)) == UNUSUAL.get(experiment, usual)
    if not isinstance(kind, kinds.FittedBaseline):
        assert kinds.predictor_class(config).input_type == kind.input_type(config)


@pytest.mark.parametrize("target", TASKS)
def test_the_table_of_tasks_names_classes_that_there_are(target: str) -> None:
    assert targets.allowed(target)


def test_a_configuration_without_a_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="no model is configured"):
        kinds.kind_of({"name": "x", "requires": {}, "model": {}})


def test_a_model_that_a_former_version_stored_is_loaded(project: Path) -> None:
    """The configuration is spelled as it was: `model.of`, `requires` as a list."""
    config = resolve(load_config("experiment=neuron", "data.gate=or"))
    neuron = assemble(config, {}, data_dir=project, run_dir=project / "one").model_dir
    config["requires"] = {"members": ["neuron"]}
    both = assemble(config, {"neuron-0": neuron}, data_dir=project, run_dir=project / "two").model_dir
    for folder, model in ((both / "members/neuron-0", config["model"]), (both, {"of": ["neuron"]})):
        stored = json.loads((folder / checkpoints.CONFIG).read_text())
        (folder / checkpoints.CONFIG).write_text(json.dumps({**stored, "requires": [], "model": model}))
        (folder / checkpoints.MANIFEST).unlink()
        checkpoints.publish(project / "aside", lambda aside, folder=folder: _copy(folder, aside))  # type: ignore[misc]
        shutil.rmtree(folder)
        (project / "aside").rename(folder)
    loaded: Any = kinds.load(both)
    assert loaded.config["requires"] == {"members": ["neuron"]}
    assert loaded.predict_split(build_data(config, project), "test").y_score.argmax(axis=1).tolist() == [0, 1, 1, 1]


def _copy(folder: Path, aside: Path) -> None:
    shutil.copytree(folder, aside, dirs_exist_ok=True)


def documented() -> list[str]:
    """The overrides of each training command on one's own data in the guide to it."""
    guide = (Path(__file__).parents[1] / "docs/how-to/add-a-data-set.md").read_text()
    return [found for found in re.findall(r"pipeline train ([^\n`]+)", guide) if "data.path" in found]


@pytest.mark.parametrize("overrides", documented())
def test_the_guides_steps_train_on_ones_own_data(overrides: str, tracked: Path, shapes: Path) -> None:
    said = {"dear friend": "praise", "kind friend": "praise", "vile foe": "blame", "cold foe": "blame"}
    # Numbered, since equal texts are never on both sides of validation.
    lines = [f"{text} {number},{label}" for number in range(75) for text, label in said.items()]
    (tracked / "letters.csv").write_text("text,label\n" + "\n".join(lines))
    for part, count in (("train", 300), ("t10k", 60)):
        (tracked / "fashion-mnist").mkdir(exist_ok=True)
        for kind, array in zip(("images-idx3", "labels-idx1"), striped_digits(count, seed=count), strict=True):
            (tracked / f"fashion-mnist/{part}-{kind}-ubyte").write_bytes(idx_bytes(array))
    epochs = {"image_folder": 30, "idx_images": 8}.get(overrides.split("data=")[1].split()[0], 4)
    few = [f"trainer.max_epochs={epochs}", *(["data.batch_size=8"] if epochs > 4 else [])]
    small = ["data.in_shape=[3,64,64]"] if "model=pretrained" in overrides else []
    summary, _, figures = run(tracked, *shlex.split(overrides), *small, *few)
    assert summary["metrics"]["test/accuracy"] >= 0.8
    if "image_folder" not in overrides:
        return
    assert {"highest_loss.png", "worst_errors.png", "confusion_matrix.png"} <= figures
    (shapes / "cross/large.png").write_bytes((shapes / "cross/1.png").read_bytes())
    (answer,) = predict("latest", ["shapes/cross/large.png"], root=tracked)
    assert answer["label"] == "cross"
    assert (Path(summary["run_dir"]) / "model.onnx").stat().st_size > 0  # what a server takes
