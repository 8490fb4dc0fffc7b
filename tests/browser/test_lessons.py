"""The Playground's lessons in a browser: each reaches the effect that it teaches."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import severe_violations
from tests.browser.conftest import until
from tests.browser.test_playground import reopen, step

pytestmark = pytest.mark.slow


@pytest.fixture
def play(page: Page, address: str) -> Page:
    return reopen(page, f"{address}/playground")


def opened(play: Page, name: str) -> None:
    play.click("#lessons > summary")
    play.click(f'[data-lesson="{name}"]')
    expect(play.locator("#lesson-question")).to_be_visible()
    until(play, "playground.epoch === 0")


def trained(play: Page, epochs: int) -> Any:
    """The (train, test) loss after so many epochs at full speed."""
    before = play.evaluate("playground.epoch")
    reopen(play, f"{play.url}&speed=fast&stop={epochs}&running=true" if before == 0 else play.url)
    until(play, f"playground.epoch === {epochs}")
    return play.evaluate("playground.loss")


def run_on(play: Page) -> None:
    """Run without the epoch at which `trained` stopped."""
    play.click("#more > summary")
    play.fill("#stop", "0")
    play.press("#stop", "Enter")
    play.click("#run")


def blank(play: Page, unit: str) -> bool:
    """Whether a neuron's map is one colour."""
    colours: int = play.locator(f"#{unit} canvas").evaluate(
        "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    )
    return colours == 1


def weights(play: Page, unit: str) -> list[float]:
    play.click(f"#{unit}")
    values: list[float] = play.locator("#unit-body input").evaluate_all("all => all.map((field) => +field.value)")
    play.keyboard.press("Escape")
    return values


def xor(play: Page) -> None:
    assert trained(play, 100)[0] > 0.45
    play.click("#more-layers")
    play.click("#more-0")
    play.click("#more-0")
    run_on(play)
    until(play, "playground.loss[0] < 0.1")


def overfitting(play: Page) -> None:
    middle = trained(play, 30)
    reopen(play, play.url.replace("stop=30", "stop=300&running=true"))
    until(play, "playground.epoch === 300")
    end = play.evaluate("playground.loss")
    assert end[0] < middle[0]
    assert end[1] > middle[1] + 0.1


def relu(play: Page) -> None:
    trained(play, 100)
    assert blank(play, "unit-1-0")
    assert blank(play, "unit-1-1")
    assert not blank(play, "unit-0-0")
    play.select_option("#activation", "tanh")
    until(play, "playground.epoch === 0")
    assert not blank(play, "unit-1-0")


def sparse(play: Page) -> None:
    trained(play, 300)
    rows = [weights(play, f"unit-0-{unit}")[:7] for unit in range(4)]
    used = [any(row[feature] for row in rows) for feature in range(7)]
    assert used == [False, False, True, True, False, False, False]


def rate(play: Page) -> None:
    assert trained(play, 100)[0] > 0.4
    play.select_option("#lr", "0.03")
    run_on(play)
    play.click("#repeat")
    until(play, "playground.epoch === 0")
    play.click("#run")
    until(play, "playground.loss[0] < 0.1")


def perceptron(play: Page) -> None:
    assert trained(play, 20)[0] == 0
    before = weights(play, "unit-output")
    step(play, 2)
    assert weights(play, "unit-output") == before
    play.click("#problem-xor")
    until(play, "playground.epoch === 0")
    step(play, 5)
    before = weights(play, "unit-output")
    assert step(play, 1)[0] > 0.5
    assert weights(play, "unit-output") != before


def zero(play: Page) -> None:
    loss = trained(play, 100)
    assert loss[0] > 0.45
    assert blank(play, "unit-0-0")
    assert set(weights(play, "unit-0-0")) == {0}


TEACHES: dict[str, Callable[[Page], None]] = {
    "xor": xor,
    "overfitting": overfitting,
    "relu": relu,
    "sparse": sparse,
    "rate": rate,
    "perceptron": perceptron,
    "zero": zero,
}


@pytest.mark.parametrize("name", TEACHES)
def test_a_lesson_reaches_the_effect_that_it_teaches(name: str, play: Page) -> None:
    opened(play, name)
    TEACHES[name](play)


def test_every_lesson_has_a_test_and_a_copied_link_opens_it_at_epoch_zero(play: Page) -> None:
    play.click("#lessons > summary")
    assert set(play.locator("[data-lesson]").evaluate_all("all => all.map((a) => a.dataset.lesson)")) == set(TEACHES)
    play.click('[data-lesson="xor"]')
    until(play, "playground.epoch === 0")
    step(play, 2)
    play.context.grant_permissions(["clipboard-read", "clipboard-write"])
    play.click("#lesson-copy")
    expect(play.locator("#notice")).to_contain_text("The link is copied")
    link = play.evaluate("navigator.clipboard.readText()")
    assert "epoch" not in link
    reopen(play, link)
    assert play.evaluate("playground.epoch") == 0
    expect(play.locator("#lesson-title")).to_have_text("XOR needs a hidden layer")
    expect(play.locator("label:has(#ratio)")).to_be_hidden()
    play.click("text=Leave the lesson")
    expect(play.locator("#lesson")).to_be_hidden()
    expect(play.locator("label:has(#ratio)")).to_be_visible()


def test_the_pointer_on_a_feature_shows_its_map_and_a_bias_can_be_clicked(play: Page) -> None:
    play.hover("#feature-4")
    expect(play.locator("#showing")).to_have_text("Feature X₁X₂")
    play.hover("h1")
    expect(play.locator("#showing")).to_have_text("Output")
    box = play.locator("#unit-0-0").bounding_box()
    assert box
    play.mouse.click(box["x"] - 4, box["y"] + box["height"] - 3)
    expect(play.locator("#edit-name")).to_have_text("Bias")
    play.fill("#edit-value", "2.5")
    play.press("#edit-value", "Enter")
    play.click("#unit-0-0")
    expect(play.locator("#unit-body input").last).to_have_value("2.5")
    play.keyboard.press("Escape")


def test_links_move_while_training_unless_the_reader_prefers_reduced_motion(play: Page) -> None:
    offset = "document.querySelector('#links').getContext('2d').lineDashOffset"
    play.click("#run")
    until(play, f"{offset} !== 0")
    play.emulate_media(reduced_motion="reduce")
    play.wait_for_timeout(300)
    epoch, still = play.evaluate(f"[playground.epoch, {offset}]")
    until(play, f"playground.epoch > {epoch + 5}")
    assert play.evaluate(offset) == still
    play.emulate_media(reduced_motion="no-preference")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious_on_an_open_lesson(scheme: str, width: int, browser: Any, address: str) -> None:
    from tests.browser.conftest import opened as opened_page

    with opened_page(browser, color_scheme=scheme) as page:
        page.set_viewport_size({"width": width, "height": 844})
        reopen(page, f"{address}/playground#lesson=xor&layers=none&problem=xor")
        assert severe_violations(page) == []
