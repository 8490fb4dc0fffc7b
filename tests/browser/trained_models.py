"""A project with a small model of each kind that has a page, trained in seconds."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import load_config, resolve
from pipeline.training import baselines
from pipeline.training.fit import fit
from pipeline.training.fixed_unit import assemble
from tests import conftest

IMAGES = ["data.batch_size=16", "data.val_size=16", "trainer.max_epochs=20", "data.augment=null"]
SMALL = ["model.net.embedding=8", "model.net.hidden=8", "model.optimizer.lr=0.03", "data.embeddings.contexts=20"]
READS = [*conftest.TINY_TEXT, *SMALL, "trainer.max_epochs=8"]
TRAINED = {
    "perceptron_mnist": ["data.batch_size=16", "data.val_size=16", "trainer.max_epochs=5"],
    "mlp_mnist": IMAGES,
    "mnist_cnn": IMAGES,
    "mnist_gan": ["data.batch_size=16", "data.val_size=16", "trainer.max_epochs=2"],
    "imdb_tfidf": conftest.TINY_TEXT,
    **{f"imdb_{cell}": READS for cell in ("rnn", "gru", "lstm")},
    "piglatin_seq2seq": ["data.words=300", "data.val_size=20", "data.test_size=20", "trainer.max_epochs=1"],
}


def train_all(root: Path) -> Path:
    """Models in `root`/models, as `--record` would store them, and one of a folder of pictures, untrained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("PIPELINE_DATA_MIRROR", raising=False)
        conftest.write_mnist(root, patch)
        conftest.write_imdb(root, patch)
        conftest.write_shapes(root)
        for experiment, overrides in TRAINED.items():
            config = resolve(load_config(f"experiment={experiment}", *overrides, root=root))
            config["cluster"]["gpus_per_worker"] = 0
            run_dir = root / "aside" / experiment
            run_dir.mkdir(parents=True)
            kind: Any = baselines.fit if experiment == "imdb_tfidf" else fit
            kind(config, data_dir=root / "data", run_dir=run_dir)
            shutil.copytree(run_dir / "model", root / f"models/{experiment}-0")
        few = ["data=image_folder", "data.path=shapes", "data.in_shape=[3,16,16]", "model=mlp", "name=shapes"]
        pictures = assemble(resolve(load_config(*few, root=root)), {}, data_dir=root / "data", run_dir=root / "made")
        shutil.copytree(pictures.model_dir, root / "models/shapes-0")
    return root
