"""The pages of trained models: limits of requests, their errors, and the commands that train missing models."""

import base64
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from pipeline.app import digits, live, piglatin, reviews, server, stored
from pipeline.config import load_config, resolve
from pipeline.data.texts.vocabulary import Vocabulary
from pipeline.files import sha256
from pipeline.inference.text_classifier import TextClassifier
from pipeline.models.recurrent import Recurrent
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
        ("/digits/convolution", {**DRAWING, "layer": 0, "channel": 0}),
        ("/reviews/predict", {"text": "fine"}),
        ("/reviews/memory", {"text": "fine", "experiment": "imdb_gru"}),
        ("/photos/predict", {}),
        ("/generator/draw", LATENT_POINT),
        ("/piglatin/translate", {"text": "pig"}),
    ],
)
def test_an_untrained_model_is_named_with_the_command_that_trains_it(
    client: TestClient, address: str, body: Any
) -> None:
    answer = client.post(address, json=body)
    assert answer.status_code == 200
    assert "pipeline train experiment=" in answer.text


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/digits/predict", {"pixels": [0] * 10}),
        ("/digits/predict", {"pixels": [256] * 140 * 140}),
        ("/digits/convolution", {**DRAWING, "layer": -1, "channel": 0}),
        ("/reviews/memory", {"text": "fine", "experiment": "imdb_tfidf"}),
        ("/reviews/predict", {"text": "x" * 20_001}),
        ("/generator/draw", {**LATENT_POINT, "offsets": [4.0] * 6}),
        ("/generator/draw", {**LATENT_POINT, "label": 10}),
        ("/piglatin/translate", {"text": "x" * 501}),
        ("/live/start", {"experiment": "mnist_cnn", "epochs": 0}),
    ],
)
def test_a_value_out_of_range_is_refused(client: TestClient, address: str, body: Any) -> None:
    assert client.post(address, json=body).status_code == 422


@pytest.mark.parametrize(
    ("address", "body", "sentence"),
    [
        ("/generator/draw", json.dumps({**LATENT_POINT, "offsets": [float("nan")] * 6}), "offsets.0: expected"),
        ("/generator/draw", json.dumps({**LATENT_POINT, "offsets": [float("inf")] * 6}), "offsets.0: expected"),
        ("/reviews/predict", '{"text": "\\ud800"}', "text: expected valid Unicode text"),
        ("/piglatin/translate", '{"text": "pig \\udfff"}', "text: expected valid Unicode text"),
        ("/live/resume", '{"run": "\\ud800"}', "run: expected valid Unicode text"),
        ("/reviews/predict", '{"text": 1}', "text: expected text, got 1."),
        ("/reviews/predict", "{", "The request: expected JSON"),
        ("/digits/predict", "{}", "pixels: expected a value"),
        ("/live/start", '{"experiment": "mnist_cnn", "epochs": 0}', "epochs: expected at least 1, got 0."),
    ],
)
def test_an_invalid_request_is_answered_with_a_sentence(
    client: TestClient, address: str, body: str, sentence: str
) -> None:
    reply = client.post(address, content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 422
    assert reply.json()["error"].startswith(sentence)


def test_the_whole_review_is_scored_and_its_first_words_are_explained(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counts:
        """Positive in proportion to the number of "good"."""

        calibration = None

        def unfamiliar(self, texts: Sequence[str]) -> np.ndarray:
            return np.array(["good" not in text for text in texts])

        def text_probabilities(self, texts: Sequence[str]) -> np.ndarray:
            positive = np.array([text.split().count("good") / 1000 for text in texts])
            return np.stack([1 - positive, positive], axis=1)

    monkeypatch.setattr(stored, "find_model", lambda root, name: stored.StoredModel(Counts(), Path(), "made up"))  # type: ignore[arg-type]
    reply = client.post("/reviews/predict", json={"text": "good " * 500}).json()
    assert (reply["count"], len(reply["words"])) == (500, reviews.EXPLAINED)
    for model in reply["models"]:
        assert model["score"] == 0.5
        assert model["prefix_scores"][-1] == pytest.approx(reviews.EXPLAINED / 1000)
        assert len(model["effects"]) == reviews.EXPLAINED
    unknown = client.post("/reviews/predict", json={"text": "xyzzy plugh"}).json()
    assert [model["unknown"] for model in unknown["models"]] == [True] * 4
    assert client.post("/reviews/predict", json={"text": " .,"}).json() == {"words": [], "count": 0, "models": []}


def test_the_memory_is_of_the_words_that_the_network_reads(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of "the good bad film end" it reads no stop word ("the"), and after that the last three words."""
    vocabulary = Vocabulary(("the", "good", "bad"), dropped=1)
    net = Recurrent(len(vocabulary), 2, "gru", embedding=3, hidden=4, bidirectional=True).eval()
    config = {"data": {"max_tokens": 3, "truncation_side": "left"}}
    predictor = TextClassifier(net, config, {}, vocabulary)
    monkeypatch.setattr(stored, "find_model", lambda root, name: stored.StoredModel(predictor, Path(), "made up"))
    reply = client.post("/reviews/memory", json={"text": "The good, bad film: end", "experiment": "imdb_gru"}).json()
    assert (reply["words"], reply["pooling"]) == ([2, 3, 4], "last")
    for values in reply["directions"]:
        assert {name: np.shape(each) for name, each in values.items()} == dict.fromkeys("rznh", (4, 3))
    nothing = client.post("/reviews/memory", json={"text": "the", "experiment": "imdb_gru"}).json()
    assert nothing["words"] == []


def test_words_that_the_translator_leaves_as_they_are_are_named_with_the_reason() -> None:
    words, notes = piglatin.split_words("A nai\u0308ve fox: it's odd, don’t! " + "x" * 45, 20)
    assert words == ["a", "fox", "it", "odd", "don"]
    assert notes == [
        "“naïve” stays as it is: the network reads only the letters a to z.",
        "“it's”: “it” is translated, the ending “'s” stays.",
        "“don’t”: “don” is translated, the ending “’t” stays.",
        f"“{'x' * 45}” stays as it is: 45 letters, the network reads at most 20.",
    ]


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


def test_a_dropped_picture_is_classified_by_every_model_trained_on_a_folder(
    client: TestClient, untrained: Path
) -> None:
    (prediction,) = client.post("/photos/predict", content=(untrained / "disc/3.png").read_bytes()).json()["models"]
    assert (prediction["title"], set(prediction["probabilities"])) == ("mine", {"cross", "disc", "square"})
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)
    assert np.shape(prediction["attribution"]) == (5, 5)
    assert Image.open(io.BytesIO(base64.b64decode(prediction["input"]))).size == (16, 16)


def test_a_model_whose_class_was_renamed_is_to_be_trained_again_and_hides_no_other(
    client: TestClient, project: Path, untrained: Path
) -> None:
    shutil.copytree(project / "models/mine-0", project / "models/renamed-0")
    path = project / "models/renamed-0/config.json"
    path.write_text(path.read_text().replace("pipeline.models.mlp.MLP", "pipeline.models.mlp.Renamed"))
    manifest = project / "models/renamed-0/manifest.json"
    described = json.loads(manifest.read_text())
    described["files"]["config.json"] = sha256(path)
    manifest.write_text(json.dumps(described))
    reply = client.post("/photos/predict", content=(untrained / "disc/3.png").read_bytes()).json()
    mine, renamed = reply["models"]
    assert (mine["title"], "probabilities" in mine) == ("mine", True)
    assert renamed == {
        "title": "renamed", "experiment": "renamed", "train_command": "pipeline train experiment=renamed"
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n broken"])
def test_a_body_that_is_not_a_picture_is_refused_with_a_sentence(
    client: TestClient, untrained: Path, content: bytes
) -> None:
    answer = client.post("/photos/predict", content=content)
    assert (answer.status_code, "Expected a PNG or JPEG" in answer.json()["error"]) == (400, True)


def test_an_enormous_picture_is_refused_before_it_is_decoded(
    client: TestClient, untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    Image.new("1", (6300, 6300)).save(content, "PNG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    reply = client.post("/photos/predict", content=content.getvalue())
    assert reply.status_code == 400
    assert "Expected at most 8,000,000 pixels, got 6,300 x 6,300" in reply.json()["error"]


def test_the_run_of_the_started_training_is_named_and_no_older_one(
    client: TestClient, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Child:
        pid = 4242

        def poll(self) -> None:
            return None

    facts = {"experiment": "mlp_xor", "status": "finished", "data": "xor", "started": 2}
    for name, pid in (("older", 1), ("ours", 4242)):
        (project / f"runs/{name}").mkdir(parents=True)
        (project / f"runs/{name}/run.json").write_text(json.dumps({**facts, "name": name, "pid": pid}))
        monkeypatch.setattr(live, "_children", {"training": Child()})
        assert client.get("/live/runs").json()["started_run"] == (None if name == "older" else "ours")


def test_the_models_of_the_digits_page_are_loaded_before_the_first_drawing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/digits/models").json() == {"ready": []}
    monkeypatch.setattr(stored, "find_model", lambda root, name: name)
    assert client.get("/digits/models").json() == {"ready": ["Perceptron", "MLP", "CNN"]}


def test_an_empty_drawing_is_refused_with_a_sentence(client: TestClient) -> None:
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


def test_the_margin_is_the_largest_score_minus_the_next() -> None:
    shown = digits.scored(np.array([-3.0, 2.5, 1.25]), ["a", "b", "c"])
    assert shown == {"label": "b", "scores": {"a": -3.0, "b": 2.5, "c": 1.25}, "margin": 1.25}


@pytest.mark.parametrize(
    ("mlp", "cnn", "doubtful"),
    [
        (("7", 0.99), ("7", 0.95), False),
        (("7", 0.99), ("1", 0.6), False),  # one is sure
        (("7", 0.6), ("7", 0.89), True),  # none is sure
        (("7", 0.99), ("1", 0.99), True),  # they contradict each other
    ],
)
def test_a_picture_may_be_no_digit_unless_the_sure_networks_agree(
    mlp: tuple[str, float], cnn: tuple[str, float], doubtful: bool
) -> None:
    perceptron = {"label": "3", "scores": {}, "margin": 9.0}
    judged = [{"label": label, "probability": probability} for label, probability in (mlp, cnn)]
    assert digits.doubtful([perceptron, *judged]) is doubtful
    assert digits.doubtful([perceptron, *judged, {"label": "7", "probability": 0.99, "unfamiliar": True}])
    assert not digits.doubtful([perceptron, {"title": "CNN", "train_command": "pipeline train"}])
