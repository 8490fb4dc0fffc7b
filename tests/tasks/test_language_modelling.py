"""A language model of tiny reviews, and a classifier that begins with it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline import kinds
from pipeline.config import load_config, resolve
from pipeline.errors import CheckpointError, ConfigError
from pipeline.runs import checkpoints
from pipeline.training.fit import fit
from tests.conftest import TINY_TEXT

SMALL = [*TINY_TEXT[1:], "model.net.embedding=8", "model.net.hidden=6"]
LANGUAGE = ["experiment=imdb_lm", *SMALL, "model.net.common=20", "model.net.sampled=20"]
TUNED = ["experiment=imdb_lstm_pretrained", *SMALL, "trainer.max_epochs=1"]


def run(root: Path, name: str, *overrides: str) -> Any:
    config = resolve(load_config(*overrides))
    config["cluster"]["gpus_per_worker"] = 0
    (root / name).mkdir(exist_ok=True)
    return fit(config, data_dir=root / "data", run_dir=root / name)


def begin(root: Path, name: str, *overrides: str) -> Any:
    """Train a classifier that begins with the language model of the run `lm`."""
    if not (root / "lm").exists():
        run(root, "lm", *LANGUAGE, "trainer.max_epochs=2")
    checkpoints.copy(root / "lm/model", root / name / checkpoints.INIT_FROM)
    return run(root, name, *TUNED, *overrides)


def test_it_learns_the_reviews_as_well_as_their_order_allows(tiny_imdb: Path) -> None:
    """30 filler words, any after any: log 30 nats; the three words of judgement at the end, two of a kind: log 2."""
    result = run(tiny_imdb, "lm", *LANGUAGE, "trainer.max_epochs=30", "model.optimizer.lr=0.02")
    predictor: Any = kinds.load(result.model_dir)
    from pipeline.config import build_data

    nats = predictor.mean_nll(build_data(predictor.config, tiny_imdb / "data"), "test")
    assert result.metrics["val/loss"] < 3.2  # log 60, what it begins with, is 4.1
    assert abs(nats - result.metrics["val/loss"]) < 0.3


def test_the_classifier_begins_with_the_language_models_states(tiny_imdb: Path) -> None:
    still = begin(tiny_imdb, "tuned", "model.optimizer.lr=1e-9")
    models: list[Any] = [kinds.load(tiny_imdb / name / "model") for name in ("lm", "tuned")]
    reader, taught = models
    assert reader.vocabulary == taught.vocabulary
    tokens_BT = torch.tensor([[5, 9, 11, 3], [7, 2, 0, 0]])
    both: list[Any] = [reader.net, taught.net]
    states = [net.states(net.embedding(tokens_BT), tokens_BT != 0) for net in both]
    torch.testing.assert_close(*states, atol=1e-4, rtol=0)
    assert states[0].abs().max() > 0.01
    assert still.metrics["val/accuracy"] > 0


def test_without_a_beginning_the_same_net_starts_at_random(tiny_imdb: Path) -> None:
    run(tiny_imdb, "tuned", *TUNED, "requires.init_from=null", "model.optimizer.lr=1e-9")
    config = resolve(load_config(*TUNED))
    from pipeline.training.fit import build_task

    first: Any = build_task(config).net
    tuned: Any = kinds.load(tiny_imdb / "tuned/model")
    ours = tuned.net
    torch.testing.assert_close(ours.ways[1].weight_hh_l0, first.ways[1].weight_hh_l0, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.vocabulary_size=50", "embedding.weight is"),
        ("data.dropped_words=2", "numbers words differently"),
        ("model.net.hidden=5", r"ways.0.bias_hh_l0 is \(24,\)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(tiny_imdb: Path, override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        begin(tiny_imdb, "tuned", override)


def test_a_torn_beginning_is_refused(tiny_imdb: Path) -> None:
    begin(tiny_imdb, "tuned")
    with (tiny_imdb / "tuned/init_from/model.safetensors").open("r+b") as file:
        file.write(b"\xff")
    with pytest.raises(CheckpointError, match="expected SHA-256"):
        run(tiny_imdb, "tuned", *TUNED)


def weights_twice(root: Path, name: str, *overrides: str) -> list[str]:
    """The digests of a run's weights, and of those of the same run gone on with from its third step."""
    often = ["trainer.checkpoint_every_steps=3", "trainer.keep_checkpoints=9"]
    run(root, name, *overrides, *often)
    digests = [checkpoints.weights_digest(checkpoints.verify(root / name / "model"))]
    for late in (root / name / "checkpoints").glob("step-*[!3]"):
        shutil.rmtree(late)
    shutil.rmtree(root / name / "model")
    run(root, name, *overrides, *often)
    return [*digests, checkpoints.weights_digest(checkpoints.verify(root / name / "model"))]


def test_it_goes_on_from_a_checkpoint_to_the_same_weights(tiny_imdb: Path) -> None:
    run(tiny_imdb, "lm", *LANGUAGE, "trainer.max_epochs=2")
    checkpoints.copy(tiny_imdb / "lm/model", tiny_imdb / "tuned" / checkpoints.INIT_FROM)
    first, second = weights_twice(tiny_imdb, "tuned", *TUNED)
    assert first == second
