"""The HTTP API of a served model: predictions, limits and schema, without Ray."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from pipeline import kinds
from pipeline.inference.requests import predict
from pipeline.launch import http_api
from pipeline.launch.http_body import as_json
from pipeline.models.gan import Generator
from pipeline.models.mlp import MLP
from pipeline.types import Manifest, Prediction

LABELS = [str(digit) for digit in range(10)]


def served(net: torch.nn.Module, data: dict[str, Any], labels: list[str] = LABELS, task: str = "x") -> TestClient:
    config = {"name": "mine", "seed": 3, "requires": {}, "labels": labels, "model": {"_target_": task}, "data": data}
    manifest: Manifest = {"files": {"model.safetensors": "ab" * 32}}
    predictor = kinds.predictor_class(config)(net.eval(), config, manifest)

    async def predict_many(inputs: list[Any]) -> list[Prediction]:
        return predict(predictor, inputs) if inputs else []

    return TestClient(http_api.create(predictor, predict_many), base_url="http://127.0.0.1:8000")


@pytest.fixture
def digits() -> Iterator[TestClient]:
    with served(MLP([1, 28, 28], 10, [5]), {"name": "mnist", "in_shape": [1, 28, 28], **DATA}) as client:
        yield client


DATA = {"_target_": "pipeline.data.images.image_data.ImageData", "batch_size": 4, "classes": 10, "val_size": 4}


def png(array: np.ndarray, form: str = "PNG") -> str:
    file = io.BytesIO()
    Image.fromarray(array).save(file, form)
    return base64.b64encode(file.getvalue()).decode()


def test_images_are_classified_in_their_order_as_by_the_net_alone() -> None:
    net = MLP([1, 28, 28], 10, [5])
    images = np.random.default_rng(0).integers(0, 60, (3, 28, 28), dtype=np.uint8)  # a dark border: not inverted
    with served(net, {"name": "mnist", "in_shape": [1, 28, 28], **DATA}) as client:
        reply = client.post("/predict", json={"images": [png(image) for image in images]}).json()
    assert reply["model"] == "mine-3:abababababab"
    with torch.inference_mode():
        expected = net(torch.from_numpy(images)[:, None].float() / 255).softmax(dim=1).numpy()
    for prediction, scores in zip(reply["answers"], expected, strict=True):
        np.testing.assert_allclose([prediction["probabilities"][label] for label in LABELS], scores, atol=1e-6)
        assert prediction["label"] == str(scores.argmax())
        assert "image" not in prediction


def test_a_broken_picture_is_named_and_nothing_of_the_request_is_repeated(digits: TestClient) -> None:
    good = png(np.full((28, 28), 9, np.uint8))
    torn = base64.b64encode(base64.b64decode(good)[:50]).decode()
    for bad, why in (
        ("abc", "Base64 decoding"),
        (base64.b64encode(b"text").decode(), "Expected a PNG or JPEG"),
        (torn, "expected a picture"),
        (png(np.zeros((2100, 2100), np.uint8)), "4,194,304 pixels"),
        (png(np.zeros((30, 30), np.uint8)), "empty"),
        (base64.b64encode(bytes(http_api.MAX_IMAGE_BYTES + 1)).decode(), "at most 1048576"),
    ):
        reply = digits.post("/predict", json={"images": [good, bad]})
        assert reply.status_code == 422
        assert reply.json()["error"].startswith("images[1]: ")
        assert why in reply.json()["error"]
        assert "/" not in reply.json()["error"]
        assert len(reply.content) < 300


def test_the_number_of_inputs_and_the_body_are_limited(digits: TestClient) -> None:
    one = png(np.full((28, 28), 9, np.uint8))
    assert digits.post("/predict", json={"images": [one] * 64}).status_code == 200
    for count in (0, 65):
        reply = digits.post("/predict", json={"images": [one] * count})
        assert reply.status_code == 422
        assert "64" in reply.json()["error"] or "at least 1" in reply.json()["error"]
    reply = digits.post("/predict", json={"texts": ["one"]})
    assert (reply.status_code, reply.json()) == (422, {"error": "images: Field required"})
    chunks = (b"x" * 2**20 for _ in range(17))
    for content in (b"x" * (http_api.MAX_BODY_BYTES + 1), chunks):
        reply = digits.post("/predict", content=content, headers={"content-type": "application/json"})
        assert reply.status_code == 413


def test_points_are_finite_and_have_the_nets_dimensions() -> None:
    with served(MLP([2], 2, [3]), {"name": "gate_and", "in_shape": [2]}, ["0", "1"]) as client:
        assert len(client.post("/predict", json={"points": [[0, 1], [1, 1]]}).json()["answers"]) == 2
        for bad in ("[0]", "[0, 1, 2]", "[0, NaN]", "[0, 1e7]", "[0, Infinity]"):
            headers = {"content-type": "application/json"}
            reply = client.post("/predict", content=f'{{"points": [{bad}]}}', headers=headers)
            assert reply.status_code == 422
            assert reply.json()["error"].startswith("points[0]")


def test_a_generator_draws_classes_by_name_and_no_others() -> None:
    net = Generator([1, 8, 8], 3, noise=5)
    with served(net, {"name": "digits", "in_shape": [1, 8, 8]}, ["a", "b", "c"], "pipeline.tasks.gan.GAN") as client:
        drawn = client.post("/predict", json={"classes": ["c", "a"]}).json()["answers"]
        assert [np.shape(one["image"]) for one in drawn] == [(8, 8), (8, 8)]
        assert client.post("/predict", json={"classes": ["d"]}).status_code == 422


def test_texts_beyond_the_limit_are_refused() -> None:
    with served(MLP([2], 2, [3]), {"name": "imdb"}, ["negative", "positive"]) as client:
        reply = client.post("/predict", json={"texts": ["x" * 20_001]})
        assert reply.status_code == 422
        assert "20000 characters" in reply.json()["error"]


def test_health_and_schema_name_the_model_and_the_limits(digits: TestClient) -> None:
    assert digits.get("/health").json() == {"status": "ok", "model": "mine-3:abababababab"}
    schema = digits.get("/openapi.json").json()
    images = schema["components"]["schemas"]["Request"]["properties"]["images"]
    assert (images["minItems"], images["maxItems"], images["items"]["maxLength"]) == (1, 64, http_api.MAX_IMAGE_BYTES)
    assert set(schema["paths"]) == {"/predict", "/health"}


def test_another_sites_name_for_this_machine_and_its_forms_are_refused(digits: TestClient) -> None:
    assert digits.get("/health", headers={"host": "evil.example"}).status_code == 400
    body = '{"images": ["' + png(np.full((28, 28), 9, np.uint8)) + '"]}'
    assert digits.post("/predict", content=body, headers={"content-type": "text/plain"}).status_code == 422


def image_bytes(seed: int) -> bytes:
    return base64.b64decode(png(np.random.default_rng(seed).integers(0, 60, (28, 28), dtype=np.uint8)))


def probabilities(reply: Any) -> list[float]:
    """Of all classes and answers, in their order."""
    return [value for answer in reply.json()["answers"] for value in answer["probabilities"].values()]


def test_an_uploaded_file_and_an_images_bytes_are_answered_as_json_is(digits: TestClient) -> None:
    first, second = image_bytes(0), image_bytes(1)
    expected = digits.post("/predict", json={"images": [base64.b64encode(each).decode() for each in (first, second)]})
    uploaded = digits.post("/predict", files=[("file", ("a.png", first)), ("file", ("b.png", second))])
    assert probabilities(uploaded) == pytest.approx(probabilities(expected))
    raw = digits.post("/predict", content=first, headers={"content-type": "image/png"})
    alone = digits.post("/predict", json={"images": [base64.b64encode(first).decode()]})
    assert probabilities(raw) == pytest.approx(probabilities(alone))


def test_other_bodies_keep_every_limit(digits: TestClient) -> None:
    files = [("file", (f"{n}.png", image_bytes(0))) for n in range(http_api.MAX_INPUTS + 1)]
    assert digits.post("/predict", files=files).status_code == 422
    refused = digits.post("/predict", files={"file": ("a.png", b"no image")})
    assert refused.json()["error"].startswith("images[0]: ")
    assert digits.post("/predict", content=b"words", headers={"content-type": "text/plain"}).status_code == 422
    upload = {"file": ("a.png", image_bytes(0))}
    assert digits.post("/predict", files=upload, headers={"origin": "https://example.org"}).status_code == 403
    assert digits.post("/predict", files=upload, headers={"origin": "http://127.0.0.1:8000"}).status_code == 200


@pytest.mark.parametrize("boundary", ["x", "----WebKitFormBoundary7MA4"])
def test_every_byte_of_an_uploaded_file_arrives(boundary: str) -> None:
    content = bytes(range(256)) * 3 + b"\r\n\n\r--\r\n" + bytes(reversed(range(256)))
    body = (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )
    converted = as_json("images", f"multipart/form-data; boundary={boundary}", body)
    assert converted
    assert base64.b64decode(json.loads(converted)["images"][0]) == content


def test_plain_words_are_one_text() -> None:
    for form in ("text/plain; charset=utf-8", "application/x-www-form-urlencoded"):
        assert json.loads(as_json("texts", form, "Ein schöner Film\n".encode()) or b"") == {
            "texts": ["Ein schöner Film"]
        }
    assert as_json("texts", "application/json", b"{}") is None
    assert as_json("points", "text/plain", b"0 1") is None


def test_the_page_of_documentation_names_the_inputs_and_loads_nothing(digits: TestClient) -> None:
    page = digits.get("/docs").text
    assert "curl -F file=@x.png http://127.0.0.1:8000/predict" in page
    assert "Takes images" in page
    assert not {"src=", "http-equiv", "<script"} & set(page.split())
