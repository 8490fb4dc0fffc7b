"""A net that reads starts from the data's word vectors."""

from pathlib import Path
from typing import Any

import torch

from pipeline.config import load_config, resolve
from pipeline.data.texts.text_data import TextData
from pipeline.training.fit import fit
from tests.conftest import TINY_TEXT


def test_training_starts_from_the_word_vectors_and_ends_with_the_vocabulary_beside_the_model(
    tiny_imdb: Path, monkeypatch: object
) -> None:
    overrides = [
        *TINY_TEXT,
        "experiment=imdb_gru",
        "model.net.embedding=4",
        "model.net.hidden=3",
        "trainer.max_epochs=1",
    ]
    config = resolve(load_config(*overrides, "data.embeddings.contexts=20", "model.optimizer.lr=1e-9"))
    config["cluster"]["gpus_per_worker"] = 0
    config["model"]["net"]["word_dropout"] = 0.0
    result = fit(config, data_dir=tiny_imdb / "data", run_dir=tiny_imdb)
    from pipeline import kinds

    predictor: Any = kinds.load(result.model_dir)
    data = TextData("imdb", 2, 60, 300, "left", 0, 8, 16, None, folder=tiny_imdb / "data")
    data.setup()
    assert predictor.vocabulary == data.vocabulary
    (kept,) = (tiny_imdb / ".cache").glob("embeddings-*.safetensors")
    from safetensors.torch import load_file

    vectors = load_file(kept)["vectors"]
    torch.testing.assert_close(predictor.net.embedding.weight, vectors, atol=1e-3, rtol=0)


def test_a_text_typed_in_is_read_as_the_data_is(tiny_imdb: Path) -> None:
    overrides = [*TINY_TEXT, "model=rnn", "trainer.max_epochs=12", "model.optimizer.lr=0.03"]
    config = resolve(load_config(*overrides))
    config["cluster"]["gpus_per_worker"] = 0
    result = fit(config, data_dir=tiny_imdb / "data", run_dir=tiny_imdb)
    from pipeline import kinds

    predictor: Any = kinds.load(result.model_dir)
    bad, good, nothing = predictor.text_probabilities(["word1 bad dull bad", "Great, fine!<br />great fine", ""])
    assert bad.argmax() == 0
    assert good.argmax() == 1
    assert nothing.sum() == 1.0 or abs(nothing.sum() - 1) < 1e-6
