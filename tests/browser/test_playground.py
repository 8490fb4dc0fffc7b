"""The Playground's controls in a browser; the losses it then shows are compared with those of the learner."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from pipeline.app.play.learner import Learner
from pipeline.app.play.settings import Change, Settings
from tests.browser.conftest import serving, until

pytestmark = pytest.mark.slow
Act = Callable[[Page], object]
FEATURES = ["x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2"]


@pytest.fixture
def play(page: Page, address: str) -> Page:
    return reopen(page, f"{address}/playground")


def reopen(page: Page, where: str) -> Page:
    page.goto("about:blank")
    page.mouse.move(5, 5)
    page.goto(where)
    until(page, "window.playground?.frames > 0")
    return page


def step(play: Page, times: int = 1) -> list[float]:
    """The losses after some steps more."""
    for _ in range(times):
        before = play.evaluate("playground.epoch")
        play.click("#step")
        until(play, f"playground.epoch === {before + 1}")
    losses: list[float] = play.evaluate("playground.loss")
    return losses


def learned(epochs: int, **settings: Any) -> Any:
    learner = Learner(Settings.model_validate(settings))
    for _ in range(epochs):
        learner.run_epoch()
    return learner


def choose(selector: str, value: str) -> Act:
    return lambda play: play.locator(selector).select_option(value)


def slide(selector: str, value: str) -> Act:
    return lambda play: play.locator(selector).fill(value)


def enter(selector: str, value: str) -> Act:
    def act(play: Page) -> None:
        play.fill(selector, value)
        play.press(selector, "Enter")

    return act


def click(*selectors: str) -> Act:
    def act(play: Page) -> None:
        for selector in selectors:
            play.click(selector)

    return act


def both(*acts: Act) -> Act:
    def act(play: Page) -> None:
        for do in acts:
            do(play)

    return act


def more(*acts: Act) -> Act:
    """Acts behind `More`."""
    return both(click("#more > summary"), *acts)


def layers(*each: tuple[int, str]) -> dict[str, Any]:
    return {"layers": [{"units": units, "activation": activation} for units, activation in each]}


CONTROLS: dict[str, tuple[Act, dict[str, Any]]] = {
    "nothing": (lambda play: None, {}),
    "learning rate": (choose("#lr", "0.3"), {"lr": 0.3}),
    "activation": (choose("#activation", "relu"), layers((4, "relu"), (2, "relu"))),
    "activation of a layer": (choose("#activation-1", "sigmoid"), layers((4, "tanh"), (2, "sigmoid"))),
    "L1": (both(choose("#regularization", "l1"), choose("#rate", "0.1")), {"regularization": "l1", "rate": 0.1}),
    "L2": (both(choose("#regularization", "l2"), choose("#rate", "0.3")), {"regularization": "l2", "rate": 0.3}),
    "xor": (click("#problem-xor"), {"problem": "xor"}),
    "gauss": (click("#problem-gauss"), {"problem": "gauss"}),
    "spiral": (click("#problem-spiral"), {"problem": "spiral"}),
    "plane": (choose("#kind", "regression"), {"problem": "plane"}),
    "multi-gauss": (both(choose("#kind", "regression"), click("#problem-multi-gauss")), {"problem": "multi-gauss"}),
    "ratio": (slide("#ratio", "80"), {"ratio": 80}),
    "noise": (slide("#noise", "25"), {"noise": 25}),
    "batch size": (slide("#batch", "1"), {"batch": 1}),
    "a layer more": (click("#more-layers"), layers((4, "tanh"), (2, "tanh"), (2, "tanh"))),
    "no layer": (click("#fewer-layers", "#fewer-layers"), layers()),
    "neurons": (click("#more-0", "#more-0", "#fewer-1"), layers((6, "tanh"), (1, "tanh"))),
    "features": (click("#feature-2", "#feature-0"), {"features": ["x2", "x1²"]}),
    "momentum": (more(choose("#optimizer", "momentum")), {"optimizer": "momentum"}),
    "RMSprop": (more(choose("#optimizer", "rmsprop")), {"optimizer": "rmsprop"}),
    "Adam": (more(choose("#optimizer", "adam")), {"optimizer": "adam"}),
    "cross-entropy": (more(choose("#loss", "cross_entropy")), {"loss": "cross_entropy"}),
    "hinge": (more(choose("#loss", "hinge")), {"loss": "hinge"}),
    "absolute": (more(choose("#loss", "absolute")), {"loss": "absolute"}),
    "dropout": (more(choose("#dropout", "0.3")), {"dropout": 0.3}),
    "seed": (more(enter("#seed", "7")), {"seed": 7}),
    "Rosenblatt's rule": (
        both(choose("#activation", "step"), more(choose("#rule", "rosenblatt"))),
        {"rule": "rosenblatt", **layers((4, "step"), (2, "step"))},
    ),
}


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_trains_with_the_setting_that_it_names(control: str, play: Page) -> None:
    act, settings = CONTROLS[control]
    act(play)
    until(play, "playground.epoch === 0")
    play.wait_for_timeout(200)
    assert step(play, 3) == pytest.approx(list(learned(3, **settings).losses), rel=1e-12)
    url = play.url
    epoch, loss = play.evaluate("[playground.epoch, playground.loss]")
    reopen(play, url)  # the link repeats the run
    until(play, f"playground.epoch === {epoch}")
    assert play.evaluate("playground.loss") == loss


def test_run_pause_step_and_reset(play: Page) -> None:
    first = play.evaluate("playground.loss")
    play.click("#run")
    expect(play.locator("#run")).to_have_attribute("aria-pressed", "true")
    until(play, "playground.loss[0] < 0.05")
    play.click("#run")
    expect(play.locator("#run")).to_have_attribute("aria-label", "Run")
    play.wait_for_timeout(300)
    epoch = play.evaluate("playground.epoch")
    expect(play.locator("#epoch")).to_have_text(f"{epoch:07,}" if epoch > 999 else f"000,{epoch:03}")
    play.wait_for_timeout(500)
    assert play.evaluate("playground.epoch") == epoch
    step(play)
    expect(play.locator("#test-loss")).to_have_text(re.compile(r"0\.0\d\d"))
    play.click("#more > summary")
    play.click("#repeat")
    until(play, "playground.epoch === 0")
    assert play.evaluate("playground.loss") == first


def test_reset_draws_new_weights_for_the_same_points_and_the_link_repeats_them(play: Page) -> None:
    first = step(play)
    assert play.evaluate("playground.epoch") == 1
    play.click("#reset")
    until(play, "playground.epoch === 0")
    second = step(play)
    assert second != first
    number = int(play.locator("#initialization").input_value())
    assert second == pytest.approx(list(learned(1, initialization=number).losses), rel=1e-12)
    reopen(play, play.url)
    until(play, "playground.epoch === 1")
    assert play.evaluate("playground.loss") == second


def test_an_open_neuron_dialog_follows_training_and_escape_commits_nothing(play: Page) -> None:
    play.click("#unit-0-0")
    formula = play.locator("#unit-body .formula")
    before = formula.inner_text()
    play.fill("#weight-0", "2.5")
    play.keyboard.press("Tab")
    expect(formula).to_contain_text("2.50 X₁")
    assert formula.inner_text() != before
    play.fill("#weight-0", "7")
    play.keyboard.press("Escape")
    expect(play.locator("#unit")).to_be_hidden()
    play.wait_for_timeout(300)
    play.click("#unit-0-0")
    expect(play.locator("#weight-0")).to_have_value("2.5")
    play.keyboard.press("Escape")
    play.click("#run")
    play.click("#unit-0-0")
    running = formula.inner_text()
    until(play, f"document.querySelector('#unit-body .formula').textContent !== {running!r}")


def test_escape_in_the_weight_field_of_a_link_commits_nothing(play: Page) -> None:
    left, right = (play.locator(at).bounding_box() for at in ("#feature-0", "#unit-0-0"))
    assert left
    assert right
    play.mouse.click((left["x"] + left["width"] + right["x"]) / 2, left["y"] + left["height"] / 2)
    play.fill("#edit-value", "4.5")
    play.keyboard.press("Escape")
    expect(play.locator("#edit")).to_be_hidden()
    play.wait_for_timeout(300)
    assert "weight" not in play.url
    assert step(play) == pytest.approx(list(learned(1).losses), rel=1e-12)


def test_a_weight_set_at_epoch_0_stays_when_another_setting_is_changed(play: Page) -> None:
    play.click("#unit-0-0")
    play.fill("#weight-0", "2.5")
    play.keyboard.press("Tab")
    until(play, "location.hash.includes('weight')")
    play.keyboard.press("Escape")
    play.select_option("#lr", "0.3")
    play.wait_for_timeout(300)
    learner = learned(0, lr=0.3)
    learner.change(Change.model_validate({"epoch": 0, "weight": {"layer": 0, "unit": 0, "source": 0, "value": 2.5}}))
    learner.run_epoch()
    assert step(play) == pytest.approx(list(learner.losses), rel=1e-12)
    losses, url = play.evaluate("playground.loss"), play.url
    reopen(play, url)  # the link repeats it
    until(play, "playground.epoch === 1")
    assert play.evaluate("playground.loss") == losses


def test_switching_the_problem_type_and_back_keeps_the_data_set_and_the_loss(play: Page) -> None:
    play.click("#problem-spiral")
    more(choose("#loss", "hinge"))(play)
    play.select_option("#kind", "regression")
    expect(play.locator("#loss")).to_have_value("squared")
    play.select_option("#kind", "classification")
    expect(play.locator("#problem-spiral")).to_have_attribute("aria-pressed", "true")
    expect(play.locator("#loss")).to_have_value("hinge")
    play.wait_for_timeout(300)
    assert step(play) == pytest.approx(list(learned(1, problem="spiral", loss="hinge").losses), rel=1e-12)


@pytest.mark.parametrize(
    "damage",
    [
        "then=0:weight",
        "then=x:lr:1",
        "problem=foo",
        "lr=NaN",
        "layers=4-foo",
        "layers=99-tanh",
        "features=0.0",
        "seed=-1",
        "constructor=1",
        "features=length",
    ],
)
def test_a_damaged_link_is_reported_and_the_defaults_are_used(damage: str, page: Page, address: str) -> None:
    play = reopen(page, f"{address}/playground#{damage}")
    expect(play.locator("#notice")).to_contain_text("This link has invalid parts: " + damage.partition("=")[0])
    assert step(play) == pytest.approx(list(learned(1).losses), rel=1e-12)


def test_a_link_to_an_unknown_lesson_opens_none(page: Page, address: str) -> None:
    play = reopen(page, f"{address}/playground#lesson=constructor")
    expect(play.locator("#lesson")).to_be_hidden()


def test_a_link_with_the_authors_own_data_trains_nothing_else(page: Page, address: str) -> None:
    page.goto(f"{address}/playground")
    page.evaluate("sessionStorage.clear()")
    page.goto("about:blank")
    page.goto(f"{address}/playground#problem=own")
    expect(page.locator("#notice")).to_contain_text("author’s own CSV file")
    page.wait_for_timeout(1000)
    assert page.evaluate("playground.frames") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_test_points_have_another_rim_than_training_points_in_both_themes(play: Page, theme: str) -> None:
    play.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    rims = play.evaluate(
        """["--train-rim", "--test-rim"].map((name) => {
          const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
          const [r, g, b] = [1, 3, 5].map((at) => (parseInt(hex.slice(at, at + 2), 16) / 255) ** 2.2);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b; })"""
    )
    play.evaluate("delete document.documentElement.dataset.theme")
    assert (max(rims) + 0.05) / (min(rims) + 0.05) > 7  # WCAG's contrast ratio


def test_the_notice_of_a_lost_connection_goes_away_with_its_cause(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context()  # its console has the refused connections
    page = context.new_page()
    with serving(tmp_path) as first:
        reopen(page, f"{first}/playground")
    expect(page.locator("#notice")).to_contain_text("connection to the server is lost")
    with serving(tmp_path, int(first.rsplit(":", 1)[1])):
        expect(page.locator("#notice")).to_be_hidden()
    context.close()


def test_every_feature_can_be_used_and_one_stays(play: Page) -> None:
    for row in range(2, 7):
        play.click(f"#feature-{row}")
    assert step(play, 2) == pytest.approx(list(learned(2, features=FEATURES).losses), rel=1e-12)
    for row in range(7):
        play.click(f"#feature-{row}")
    expect(play.locator("#notice")).to_contain_text("at least one feature")
    assert play.locator('.feature[aria-pressed="true"]').count() == 1


def test_up_to_six_layers_of_up_to_sixteen_neurons(play: Page) -> None:
    for _ in range(4):
        play.click("#more-layers")
    expect(play.locator("#more-layers")).to_be_disabled()
    expect(play.locator("#layer-count")).to_have_text("6 hidden layers")
    for _ in range(14):
        play.click("#more-0")
    play.click("#fewer-5")
    play.click("#fewer-5")  # there is but one left
    assert play.locator(".unit").count() == 16 + 2 + 2 * 3 + 1 + 1
    step(play)


def test_a_neuron_under_the_mouse_is_shown_large(play: Page) -> None:
    step(play, 2)
    output = picture(play)
    play.hover("#unit-0-1")
    expect(play.locator("#showing")).to_have_text("Neuron 2 of layer 1")
    assert picture(play) != output
    play.mouse.move(5, 5)
    expect(play.locator("#showing")).to_have_text("Output")
    until(play, "playground.frames > 0")
    play.wait_for_timeout(300)
    assert picture(play) == output


def picture(play: Page) -> str:
    found: str = play.locator("#output").evaluate("canvas => canvas.toDataURL()")
    return found


def test_a_weight_is_set_at_its_line_and_in_its_neuron(play: Page) -> None:
    left, right = (play.locator(at).bounding_box() for at in ("#feature-0", "#unit-0-0"))
    assert left
    assert right
    play.mouse.click((left["x"] + left["width"] + right["x"]) / 2, left["y"] + left["height"] / 2)
    expect(play.locator("#edit")).to_be_visible()
    frames = play.evaluate("playground.frames")
    play.fill("#edit-value", "2.5")
    play.press("#edit-value", "Enter")
    until(play, f"location.hash.includes('weight') && playground.frames > {frames}")
    play.click("#unit-0-0")
    expect(play.locator("#weight-0")).to_have_value("2.5")
    play.fill("#weight-2", "-1.25")  # its bias
    play.keyboard.press("Tab")
    play.keyboard.press("Escape")
    expect(play.locator("#unit")).to_be_hidden()
    learner = learned(0)
    for source, value in ((0, 2.5), (2, -1.25)):
        weight = {"layer": 0, "unit": 0, "source": source, "value": value}
        learner.change(Change.model_validate({"epoch": 0, "weight": weight}))
    learner.run_epoch()
    assert step(play) == pytest.approx(list(learner.losses), rel=1e-12)


def test_test_data_is_shown_and_the_output_discretized(play: Page) -> None:
    plain = picture(play)
    play.check("#test")
    with_test = picture(play)
    assert with_test != plain
    play.check("#discretize")
    assert len(corners(play)) <= 2
    reopen(play, play.url)
    expect(play.locator("#discretize")).to_be_checked()
    expect(play.locator("#test")).to_be_checked()
    play.uncheck("#discretize")
    play.uncheck("#test")
    play.wait_for_timeout(200)
    assert picture(play) == plain


def corners(play: Page) -> set[str]:
    """The colours of the picture's corners and of places between them."""
    found: list[str] = play.locator("#output").evaluate(
        "canvas => [5, 60, 150, 295].map((x) => String([...canvas.getContext('2d').getImageData(x, 5, 1, 1).data]))"
    )
    return set(found)


def test_a_link_repeats_changes_during_training_at_their_epochs(play: Page) -> None:
    play.click("#run")
    until(play, "playground.epoch > 20")
    play.select_option("#lr", "0.1")
    play.select_option("#regularization", "l2")
    play.select_option("#rate", "0.003")
    play.locator("#batch").fill("3")
    epoch = play.evaluate("playground.epoch")
    until(play, f"playground.epoch > {epoch + 20}")
    play.click("#run")
    expect(play.locator("#run")).to_have_attribute("aria-label", "Run")
    play.wait_for_timeout(500)
    epoch, loss = play.evaluate("[playground.epoch, playground.loss]")
    reopen(play, play.url)
    until(play, f"playground.epoch === {epoch}")
    assert play.evaluate("playground.loss") == loss
    for selector, value in (("#lr", "0.1"), ("#regularization", "l2"), ("#rate", "0.003"), ("#batch", "3")):
        expect(play.locator(selector)).to_have_value(value)
    play.wait_for_timeout(500)
    assert play.evaluate("playground.epoch") == epoch  # the pause survived, too


def test_training_stops_at_the_chosen_epoch(play: Page) -> None:
    more(enter("#stop", "40"))(play)
    play.click("#run")
    until(play, "playground.epoch === 40")
    expect(play.locator("#run")).to_have_attribute("aria-label", "Run")


def test_a_diverged_loss_is_shown_as_nan(play: Page) -> None:
    play.select_option("#kind", "regression")
    play.select_option("#activation", "linear")
    play.select_option("#lr", "10")
    play.click("#run")
    expect(play.locator("#train-loss")).to_have_text("NaN")


def test_a_link_hides_controls(play: Page) -> None:
    play.click("#more > summary")
    play.click("#more details > summary")
    for part in ("noise", "problem type", "layers", "run"):
        play.uncheck(f'[data-part="{part}"]')
    hidden = ["#noise", "#kind", "#more-layers", "#run"]
    for again in (False, True):
        if again:
            reopen(play, play.url)
        for selector in hidden:
            expect(play.locator(selector)).to_be_hidden()
        expect(play.locator("#ratio")).to_be_visible()
    play.click("#more > summary")
    play.click("#more details > summary")
    play.check('[data-part="noise"]')
    expect(play.locator("#noise")).to_be_visible()


def test_the_net_in_formulas(play: Page) -> None:
    more(click("#formulas"))(play)
    expect(play.locator("#unit-body")).to_contain_text(re.compile(r"h1\.2 = tanh\(.*X₁.*X₂"))
    expect(play.locator("#unit-body")).to_contain_text(re.compile(r"output = tanh\(.*h2\.1"))


def test_the_keyboard_runs_pauses_steps_and_resets(play: Page) -> None:
    play.keyboard.press("s")
    until(play, "playground.epoch === 1")
    play.keyboard.press("Space")
    until(play, "playground.epoch > 5")
    play.keyboard.press("Space")
    expect(play.locator("#run")).to_have_attribute("aria-label", "Run")
    play.keyboard.press("r")
    until(play, "playground.epoch === 0")


def test_a_slider_is_dragged(play: Page) -> None:
    box = play.locator("#noise").bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    play.mouse.move(box["x"] + 8, y)
    play.mouse.down()
    play.mouse.move(box["x"] + box["width"] / 2, y, steps=5)
    expect(play.locator("#noise-value")).to_have_text("25")
    play.mouse.up()
    play.wait_for_timeout(200)
    assert step(play) == pytest.approx(list(learned(1, noise=25).losses), rel=1e-12)
