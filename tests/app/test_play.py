"""The Playground: gradients, optimisers, CSV files, exports, and the process of a page."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from starlette.testclient import TestClient

from pipeline.app.play.csv_file import read_csv
from pipeline.app.play.export import export
from pipeline.app.play.learner import Learner, Optimizer
from pipeline.app.play.maps import encode_map
from pipeline.app.play.network import ARRAY_ACTIVATIONS, Network
from pipeline.app.play.settings import Settings
from pipeline.app.server import create_app
from pipeline.config import build, build_data, load_config, resolve
from pipeline.data.toy2d.generators import FEATURES
from pipeline.errors import ConfigError, DataError
from pipeline.inference.predictor import PointClassifier
from pipeline.models.backprop import backward_pass, forward_pass
from pipeline.models.neuron import ACTIVATIONS
from pipeline.report import figures

OURS = "http://127.0.0.1:8000"


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_gradient_is_that_of_backprop(name: str) -> None:
    rng = np.random.default_rng(0)
    net = Network(2, [4, 3], [name, name], rng)
    x, error = np.ones((3, 6)), rng.normal(size=(1, 6))
    x[:2] = rng.normal(size=(2, 6))
    layers = [(torch.tensor(w[:, :-1]), torch.tensor(w[:, -1])) for w in net.weights_JI1]
    inputs, totals = forward_pass(torch.tensor(x[:2].T), layers, ACTIVATIONS[name])
    np.testing.assert_allclose(net.forward(x), totals[-1].T.numpy(), atol=1e-12)
    net.backward(x, error)
    expected = backward_pass(torch.tensor(error.T), inputs, totals, layers, ACTIVATIONS[name])
    for found, (weight, bias) in zip(net.gradients_JI1, expected, strict=True):
        np.testing.assert_allclose(found, torch.cat([weight, bias[:, None]], dim=1).numpy(), atol=1e-12)
    assert name in ARRAY_ACTIVATIONS


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("momentum", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
        ("rmsprop", lambda p: torch.optim.RMSprop(p, lr=0.1)),
        ("adam", lambda p: torch.optim.Adam(p, lr=0.1)),
    ],
)
def test_an_optimiser_steps_as_torchs(name: str, reference: Any) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=5)
    theta, weights = start.copy(), torch.tensor(start, requires_grad=True)
    ours, optimizer = Optimizer(name, 5), reference([weights])
    for _ in range(10):
        gradient = rng.normal(size=5)
        theta -= 0.1 * ours.direction(gradient)
        weights.grad = torch.tensor(gradient)
        optimizer.step()
    np.testing.assert_allclose(theta, weights.detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("loss", ["squared", "cross_entropy", "hinge", "absolute"])
def test_the_error_is_the_slope_of_the_loss(loss: str) -> None:
    from pipeline.app.play.learner import LOSSES

    learner = Learner(Settings.model_validate({"loss": loss}))
    z, t = np.array([[-1.3, 0.4, 0.9]]), np.array([[1.0, -1.0, 1.0]])
    near = [LOSSES[loss](t, np.tanh(z + step), z + step) for step in (-1e-6, 1e-6)]
    np.testing.assert_allclose(learner.error(t, z), (near[1] - near[0]) / 2e-6, atol=1e-6)


def test_rosenblatts_rule_separates_two_clouds() -> None:
    learner = Learner(Settings.model_validate({"problem": "gauss", "rule": "rosenblatt", "layers": []}))
    for _ in range(20):
        learner.run_epoch()
    assert learner.losses[0] == 0


def test_the_same_settings_give_the_same_run() -> None:
    one, two = (Learner(Settings.model_validate({"dropout": 0.2, "seed": 5, "noise": 20})) for _ in range(2))
    for _ in range(3):
        one.run_epoch()
        two.run_epoch()
    assert one.net.theta.tobytes() == two.net.theta.tobytes()


def test_an_encoded_map_keeps_signs_and_marks_values_that_are_not_finite() -> None:
    assert list(encode_map(np.array([-9.0, -1e-9, 0.0, 1.0, np.nan, np.inf]))) == [1, 127, 128, 255, 0, 0]


def test_a_csv_file_is_scaled_and_its_classes_named() -> None:
    points, summary = read_csv(b"a,b,kind\n0,10,yes\n1,20,no\n2,30,no\n4,20,yes\n")
    assert points[0] == (-5.0, -5.0, 1.0)
    assert points[1][2] == -1.0
    assert "yes is blue, no is orange" in summary


@pytest.mark.parametrize(
    ("content", "x", "note"),
    [
        (b"a;b;k\n0,5;1;u\n1,5;1;v\n2,5;2;u\n3,5;2;v\n", [-5, -5 / 3, 5 / 3, 5], ""),
        (b"0,5\t1\tu\n1,5\t1\tv\n2,5\t2\tu\n3,5\t2\tv\n", [-5, -5 / 3, 5 / 3, 5], ""),
        (b"x,y,k,id\n0,1,u,7\n1,1,v,8\n2,2,u,9\n3,2,v,10\n", [-5, -5 / 3, 5 / 3, 5], "1 more ignored."),
        (b"0,1,u,\n1,1,v,\n2,2,u,\n3,2,v,\n", [-5, -5 / 3, 5 / 3, 5], ""),
    ],
)
def test_decimal_commas_and_further_columns_of_a_csv_file_are_read(content: bytes, x: list[float], note: str) -> None:
    points, summary = read_csv(content)
    assert [point[0] for point in points] == pytest.approx(x)
    assert [point[2] for point in points] == [-1, 1, -1, 1]
    assert summary.endswith(note or "orange.")


def test_another_initialization_draws_other_weights_for_the_same_points() -> None:
    first, second = (Learner(Settings.model_validate({"initialization": number})) for number in (0, 1))
    assert (first.points.xy_N2 == second.points.xy_N2).all()
    assert (first.net.theta != second.net.theta)[first.net.is_weight].all()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"1,2,3\n" * 3,
        b"1,2\n" * 9,
        b"1,nan,3\n" * 9,
        b"1,1e999,3\n" * 9,
        b"1,2,a\n" * 9,
        b"1,2,a\n1,2,b\n1,2,c\n2,2,c\n",
        b'"' + b"x" * 200_000,
        b"1,2,3\n" * 6000,
    ],
)
def test_a_csv_file_that_makes_no_sense_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="Your file"):
        read_csv(content)


@pytest.mark.parametrize("bad", [{"lr": 0}, {"lr": 1e999}, {"seed": -1}, {"layers": [{"units": 17}]}, {"unknown": 1}])
def test_settings_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(bad)


@pytest.mark.parametrize(
    "given",
    [
        {"layers": [{"units": 3, "activation": "relu"}, {"units": 2}], "features": ["x1", "x1²"], "optimizer": "adam"},
        {"optimizer": "momentum", "regularization": "l2", "rate": 0.01},
        {"optimizer": "rmsprop"},
        {"rule": "rosenblatt", "layers": []},
    ],
)
def test_an_exported_experiment_composes(given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    name, text = export(Learner(Settings.model_validate(given)), "yaml")
    (tmp_path / "experiment" / name).write_text(text)
    config = resolve(load_config("experiment=playground", config_dir=tmp_path))
    assert config["data"]["problem"] == "circle"


@pytest.mark.parametrize("features", [["x1²"], ["x1", "x2", "x1x2"], list(FEATURES)])
def test_the_decision_map_of_an_exported_experiment_is_drawn_for_any_number_of_features(
    features: list[str], tmp_path: Path
) -> None:
    (tmp_path / "experiment").mkdir()
    name, text = export(Learner(Settings.model_validate({"features": features})), "yaml")
    (tmp_path / "experiment" / name).write_text(text)
    config = resolve(load_config("experiment=playground", config_dir=tmp_path))
    data = build_data(config, tmp_path)
    data.setup()
    net = build(config["model"]["net"])
    points = data.points("test")
    assert points
    figures.decision_map(PointClassifier(net, config, {}), points, tmp_path / "map.png", data.net_inputs)
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_the_exported_program_predicts_what_the_network_predicts(tmp_path: Path) -> None:
    learner = Learner(Settings.model_validate({"features": ["x1", "sin x2"]}))
    learner.run_epoch()
    name, text = export(learner, "pytorch")
    (tmp_path / name).write_text(text)
    printed = subprocess.run([sys.executable, tmp_path / name], capture_output=True, text=True, check=True).stdout
    at = np.array([[1.0], [np.sin(2.0)], [1.0]])  # its second point
    assert float(printed.splitlines()[1].split()[2]) == pytest.approx(np.tanh(learner.net.forward(at)).item())


@pytest.mark.parametrize("form", ["json", "pytorch"])
@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_weights_that_diverged_are_not_exported(form: str, weight: float) -> None:
    learner = Learner(Settings.model_validate({}))
    learner.net.theta[3] = weight
    with pytest.raises(ConfigError, match="training has diverged"):
        export(learner, form)


def test_a_page_trains_over_its_websocket(tmp_path: Path) -> None:
    client = TestClient(create_app(tmp_path, 8000), base_url=OURS)
    with client.websocket_connect(f"{OURS.replace('http', 'ws')}/playground/train", headers={"origin": OURS}) as socket:
        socket.send_text("not json")
        assert json.loads(socket.receive_text())["error"].startswith("The request: expected JSON")
        socket.send_text('{"settings": {"problem": "foo", "points": [[NaN, 1, 1]]}}')
        assert json.loads(socket.receive_text())["error"].startswith(
            "settings.problem: expected one of 'circle', 'xor'"
        )
        socket.send_text(json.dumps({"settings": {"problem": "xor"}, "step": True}))
        assert len(json.loads(socket.receive_text())["points"]) == 500
        frame = socket.receive_bytes()
        header = json.loads(frame[4 : 4 + int.from_bytes(frame[:4], "little")])
        assert header["epoch"] == 1
