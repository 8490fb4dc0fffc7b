"""The configuration digest of an evaluation, across renamed configuration keys."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.actions.evaluate import config_digest
from pipeline.config import digest, load_config, resolve
from pipeline.runs.checkpoints import MODEL, weights_digest
from pipeline.types import Manifest


@pytest.mark.parametrize(
    ("recorded", "changed"),
    [({}, True), ({"seed": 2}, False), ({"weights_digest": "other"}, False), ({"config_digest": "former"}, False)],
)
def test_a_model_from_before_a_renaming_has_todays_digest_if_the_committed_result_has_its_weights(
    recorded: dict[str, Any], changed: bool, project: Path
) -> None:
    today = digest(resolve(load_config("experiment=mnist_cnn", "seed=1")))
    manifest: Manifest = {"config_digest": "former", "files": {MODEL: "0123"}}
    row = {"seed": 1, "weights_digest": weights_digest(manifest), "config_digest": today, **recorded}
    (project / "results").mkdir()
    (project / "results/mnist_cnn.json").write_text(json.dumps({"experiment": "mnist_cnn", "runs": [row]}))
    predictor: Any = SimpleNamespace(config={"name": "mnist_cnn", "seed": 1}, manifest=manifest)
    assert config_digest(predictor, project) == (today if changed else "former")


def test_a_model_of_no_experiment_keeps_its_digest(project: Path) -> None:
    predictor: Any = SimpleNamespace(
        config={"name": "own", "seed": 1}, manifest={"config_digest": "its own", "files": {}}
    )
    assert config_digest(predictor, project) == "its own"
