"""Backpropagation step by step in a browser: the numbers shown are those of the trace."""

import pytest
from playwright.sync_api import Page, expect

from pipeline.app.play.learner import Learner
from pipeline.app.play.settings import Settings
from pipeline.app.play.starts import train_starts
from pipeline.app.play.trace import trace
from tests.browser.conftest import until
from tests.browser.test_playground import reopen

pytestmark = pytest.mark.slow


def test_the_steps_of_a_point_show_every_number_beside_its_formula(page: Page, address: str) -> None:
    play = reopen(page, f"{address}/playground#layers=2-tanh&lr=0.1")
    layers = [{"units": 2, "activation": "tanh"}]
    learner = Learner(Settings.model_validate({"layers": layers, "lr": 0.1}))
    numbers = trace(learner, 0)
    play.click("#trace")
    expect(play.locator("#steps-name")).to_have_text("The point")
    names, texts = [], []
    for _ in range(7):
        names.append(play.locator("#steps-name").inner_text())
        texts.append(play.locator("#steps-numbers").inner_text().replace("−", "-"))
        if play.locator("#steps-next").is_enabled():
            play.click("#steps-next")
    forward, backward = ["Forward: layer 1", "Forward: the output"], ["Backward: the output", "Backward: layer 1"]
    assert names == ["The point", *forward, "Loss", *backward, "Update"]
    hidden, output = numbers.layers
    assert f"z = {output.weights[0][0]:.4f}".replace("z = -", "z = (-") in texts[2]
    assert f"y = {output.y[0]:.4f}" in texts[2]
    assert f"E = {numbers.loss:.4f}" in texts[3]
    assert f"dE/dz(output) = {output.error[0]:.4f}" in texts[4]
    assert f"= {hidden.gradient[1][0]:.4f}" in texts[5]
    assert f"= {hidden.updated[1][0]:.4f}" in texts[6]
    assert f"E of this point with the new weights: {numbers.loss_after:.4f}" in texts[6]
    expect(play.locator("#steps-next")).to_be_disabled()
    play.click("#steps-point")
    expect(play.locator("#steps-count")).to_contain_text("training point 2")
    play.click("#problem-xor")  # another network: its numbers would be wrong
    expect(play.locator("#steps")).to_be_hidden()
    until(play, "playground.epoch === 0")


def test_five_initializations_stand_side_by_side_with_the_spread_of_their_losses(page: Page, address: str) -> None:
    play = reopen(page, f"{address}/playground#problem=gauss&layers=none&epoch=5")
    until(play, "playground.epoch === 5")
    play.click("#starts")
    expect(play.locator("#many-summary")).to_contain_text("After 5 epochs the test loss is")
    settings = Settings.model_validate({"problem": "gauss", "layers": []})
    captions = play.locator("#many-maps figcaption").all_inner_texts()
    assert captions == [
        f"initialization {run.initialization}: test {run.test:.3f}, train {run.train:.3f}"
        for run in train_starts(settings, 5).runs
    ]
    pictures = play.locator("#many-maps canvas").evaluate_all("all => all.map((c) => c.toDataURL())")
    assert len(set(pictures)) == 5


def test_on_a_phone_the_output_is_on_the_first_screen_above_the_settings(page: Page, address: str) -> None:
    play = reopen(page, f"{address}/playground")
    play.set_viewport_size({"width": 390, "height": 844})
    play.wait_for_timeout(500)
    picture, settings = (play.locator(at).bounding_box() for at in ("#output", "#lr"))
    play.set_viewport_size({"width": 1280, "height": 900})
    assert picture
    assert settings
    assert picture["y"] + picture["height"] < 844
    assert picture["y"] + picture["height"] < settings["y"]
