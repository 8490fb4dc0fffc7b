"""Exports of the Playground predict what its network predicts; points of a CSV file are trained on."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import until
from tests.browser.test_playground import learned, play, step

pytestmark = pytest.mark.slow
__all__ = ["play"]


def exported(play: Page, form: str, folder: Path) -> Path:
    """The file that a button gives."""
    if not play.locator("#optimizer").is_visible():
        play.click("#more > summary")
    with play.expect_download() as download:
        play.click(f'[data-export="{form}"]')
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_the_exported_weights_and_program_predict_what_the_network_predicts(play: Page, tmp_path: Path) -> None:
    play.click("#feature-5")
    step(play, 2)
    learner = learned(2, features=["x1", "x2", "sin x1"])
    content = json.loads(exported(play, "json", tmp_path).read_text())
    assert content["epoch"] == 2
    assert tuple(content["loss"].values()) == pytest.approx(learner.losses, rel=1e-12)
    for found, expected in zip(content["layers"], learner.net.weights_JI1, strict=True):
        np.testing.assert_allclose(found["weights"], expected[:, :-1], rtol=1e-12)
        np.testing.assert_allclose(found["biases"], expected[:, -1], rtol=1e-12)
    program = exported(play, "pytorch", tmp_path)
    printed = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True).stdout
    at = np.array([[1.0], [2.0], [np.sin(1.0)], [1.0]])  # its second point
    assert float(printed.splitlines()[1].split()[2]) == pytest.approx(np.tanh(learner.net.forward(at)).item())


def test_pipeline_train_trains_the_exported_experiment(play: Page, tmp_path: Path) -> None:
    play.click("#more > summary")
    play.select_option("#optimizer", "adam")
    play.fill("#stop", "60")
    play.press("#stop", "Enter")
    play.click("#run")
    until(play, "playground.epoch === 60")
    (tmp_path / "mine/experiment").mkdir(parents=True)
    exported(play, "yaml", tmp_path / "mine/experiment")
    command = [sys.executable, "-m", "pipeline", "train", "--config-dir", "mine", "experiment=playground", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["metrics"]["test/accuracy"] > 0.95


def test_points_of_a_csv_file_are_trained_on_and_survive_a_reload(play: Page, tmp_path: Path) -> None:
    rows = [f"{x},{y},{'in' if abs(x) + abs(y) < 4 else 'out'}" for x in range(-5, 6) for y in range(-5, 6)]
    (tmp_path / "own.csv").write_text("x,y,kind\n" + "\n".join(rows))
    play.set_input_files("#file", tmp_path / "own.csv")
    expect(play.locator("#notice")).to_have_text("121 points. Two classes: out is blue, in is orange.")
    expect(play.locator("#own")).to_have_attribute("aria-pressed", "true")
    until(play, "playground.epoch === 0 && playground.loss[1] !== null")
    first = play.evaluate("playground.loss[0]")
    play.click("#run")
    until(play, f"playground.loss[0] < {first / 2}")
    play.click("#run")
    expect(play.locator("#run")).to_have_attribute("aria-label", "Run")
    play.wait_for_timeout(500)
    epoch, loss = play.evaluate("[playground.epoch, playground.loss]")
    play.reload()
    until(play, f"window.playground?.epoch === {epoch}")
    assert play.evaluate("playground.loss") == loss


def test_an_invalid_file_changes_nothing(play: Page, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("1,2,a\n" * 4 + "1,x,b\n")
    play.set_input_files("#file", tmp_path / "own.csv")
    expect(play.locator("#notice")).to_contain_text("line 5")
    expect(play.locator("#problem-circle")).to_have_attribute("aria-pressed", "true")
    assert step(play) == pytest.approx(list(learned(1).losses), rel=1e-12)
