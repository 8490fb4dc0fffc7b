"""Truth tables and the playground's sets, held against their definitions."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import build_data, load_config, resolve
from pipeline.data.toy2d.generators import PROBLEMS, circle, gauss, spiral, xor
from pipeline.data.toy2d.toy2d_data import GATES, PlaygroundData, gate
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("and", lambda a, b: a and b),
        ("or", lambda a, b: a or b),
        ("nand", lambda a, b: not (a and b)),
        ("nor", lambda a, b: not (a or b)),
        ("xor", lambda a, b: a != b),
        ("xnor", lambda a, b: a == b),
    ],
)
def test_a_gates_table_is_pythons_own(name: str, function: object) -> None:
    inputs, answers = gate(name)
    assert [int(function(bool(a), bool(b))) for a, b in inputs.tolist()] == answers.tolist()  # type: ignore[operator]
    assert set(GATES) >= {name}


@pytest.mark.parametrize("name", ["xand", "012", "01100", "0120"])
def test_an_unknown_gate_is_answered_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.gate: expected and, or, nand"):
        gate(name)


def test_without_noise_every_label_is_what_the_place_says() -> None:
    rng = np.random.default_rng(0)
    points, labels = circle(rng, 400, 0)
    assert np.array_equal(labels, np.hypot(*points.T) < 2.5)
    assert np.hypot(*points.T).max() <= 5
    points, labels = xor(rng, 400, 0)
    assert np.array_equal(labels, points[:, 0] * points[:, 1] >= 0)
    assert np.abs(points).min() >= 0.3
    points, labels = gauss(rng, 4000, 0)
    assert points[labels].mean(axis=0) == pytest.approx([2, 2], abs=0.1)
    assert points[~labels].var(axis=0) == pytest.approx([0.5, 0.5], abs=0.1)
    points, labels = spiral(rng, 400, 0)
    np.testing.assert_allclose(points[labels], -points[~labels], atol=1e-12)  # half a turn apart
    assert np.hypot(*points.T).max() < 5


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_seed_gives_the_same_points_and_half_are_learned_from(problem: str, project: Path) -> None:
    overrides = ("model=mlp", "data=plane", f"data.problem={problem}", "data.noise=0.2")
    one, again, other = (
        build_data(resolve(load_config(*overrides, f"seed={seed}")), project).describe() for seed in (0, 0, 1)
    )
    assert one == again
    assert one.digest != other.digest
    assert one.rows == {"train": 250, "val": 125, "test": 125}


def test_an_unknown_problem_is_answered_with_those_there_are(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.problem: unknown problem 'torus'\. Choose one of circle"):
        build_data(resolve(load_config("model=mlp", "data=plane", "data.problem=torus")), project)


@pytest.mark.parametrize("features", [["x1²"], ["x1", "x2", "sin x1"]])
def test_the_drawn_points_are_coordinates_and_give_the_inputs_of_the_net(features: list[str]) -> None:
    data = PlaygroundData("toy2d", "xor", 40, 0.0, 2, [len(features)], 10, features, folder=Path())
    data.setup()
    points_N2, labels_N = data.points("test")
    x, y = points_N2.numpy().T
    assert labels_N.tolist() == (x * y >= 0).tolist()
    expected = {"x1²": x * x, "x1": x, "x2": y, "sin x1": np.sin(x)}
    np.testing.assert_allclose(data.net_inputs(points_N2), np.stack([expected[f] for f in features], 1), rtol=1e-5)
    np.testing.assert_allclose(data.splits["test"][0], data.net_inputs(points_N2), rtol=1e-5)
