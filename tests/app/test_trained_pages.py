"""The pages of trained nets: a request has limits, and what is not trained yet is named with the command."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from pipeline.app import server
from pipeline.config import load_config, resolve
from pipeline.training.fixed_unit import assemble

PORT = 8000
DRAWING = {"pixels": [0] * 1000 + [255] * (140 * 140 - 1000)}
LATENT_POINT = {"seed": 1, "target_seed": 2, "label": 3, "offsets": [0.0] * 6}


@pytest.fixture
def client(project: Path) -> TestClient:
    address = f"http://127.0.0.1:{PORT}"
    return TestClient(server.create_app(project, PORT), base_url=address, headers={"origin": address})


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/digits/predict", DRAWING),
        ("/reviews/predict", {"text": "fine"}),
        ("/photos/predict", {}),
        ("/generator/draw", LATENT_POINT),
        ("/piglatin/translate", {"text": "pig"}),
    ],
)
def test_what_is_not_trained_yet_is_named_with_its_command(client: TestClient, address: str, body: Any) -> None:
    answer = client.post(address, json=body)
    assert answer.status_code == 200
    assert "pipeline train experiment=" in answer.text


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/digits/predict", {"pixels": [0] * 10}),
        ("/digits/predict", {"pixels": [256] * 140 * 140}),
        ("/reviews/predict", {"text": "x" * 20_001}),
        ("/generator/draw", {**LATENT_POINT, "offsets": [4.0] * 6}),
        ("/generator/draw", {**LATENT_POINT, "label": 10}),
        ("/piglatin/translate", {"text": "x" * 501}),
        ("/live/start", {"experiment": "mnist_cnn", "epochs": 0}),
    ],
)
def test_what_is_too_large_or_out_of_range_is_refused(client: TestClient, address: str, body: Any) -> None:
    assert client.post(address, json=body).status_code == 422


@pytest.fixture
def untrained(project: Path, shapes: Path) -> Path:
    """A stored net of the three-class folder, as it is before training."""
    few = ["data=image_folder", "data.path=shapes", "data.in_shape=[3,16,16]", "model=mlp", "name=mine"]
    config = resolve(load_config(*few, root=project))
    (project / "models").mkdir()
    assemble(config, {}, data_dir=project / "data", run_dir=project / "made").model_dir.rename(
        project / "models/mine-0"
    )
    return shapes


def test_a_dropped_picture_is_answered_by_every_net_that_learned_from_folders(
    client: TestClient, untrained: Path
) -> None:
    (prediction,) = client.post("/photos/predict", content=(untrained / "disc/3.png").read_bytes()).json()["models"]
    assert (prediction["title"], set(prediction["probabilities"])) == ("mine", {"cross", "disc", "square"})
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)
    assert np.shape(prediction["attribution"]) == (5, 5)
    assert Image.open(io.BytesIO(base64.b64decode(prediction["input"]))).size == (16, 16)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_picture_is_answered_with_words(client: TestClient, untrained: Path, content: bytes) -> None:
    answer = client.post("/photos/predict", content=content)
    assert (answer.status_code, "Expected a PNG or JPEG" in answer.json()["error"]) == (400, True)


def test_an_empty_drawing_is_answered_with_words(client: TestClient) -> None:
    answer = client.post("/digits/predict", json={"pixels": [0] * 140 * 140})
    assert (answer.status_code, "nothing is drawn" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "", "nothing"])
def test_no_name_from_a_request_is_a_path(client: TestClient, name: str) -> None:
    assert client.get("/live/events", params={"run": name}).json() == {
        "error": "No run has this name. Reload the page for the current list."
    }
    assert client.post("/live/resume", json={"run": name}).json() == {
        "error": "No run has this name. Reload the page for the current list."
    }


def test_only_listed_experiments_are_started(client: TestClient) -> None:
    answer = client.post("/live/start", json={"experiment": "mnist_cnn model.net._target_=os.system"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("experiment: expected one of mnist_cnn, ")
