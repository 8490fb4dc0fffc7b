"""How a feature map and a recurrent state are computed, in a browser: the numbers shown are torch's own."""

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from torch.nn import functional as F

from pipeline.data.texts.vocabulary import tokenize
from pipeline.inference.predictor import ImageClassifier
from pipeline.inference.text_classifier import TextClassifier
from pipeline.kinds import load
from pipeline.models.cnn import CNN
from pipeline.models.recurrent import Recurrent
from tests.browser.conftest import until

pytestmark = pytest.mark.slow
TEXT = "word1 great fine word2 bad dull bad"
UNITS = 8


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"-?\d+\.\d+", text.replace("−", "-"))]


def cells(page: Page, table: str) -> np.ndarray:
    return np.array([numbers(text)[0] for text in page.locator(f"{table} td").all_inner_texts()])


def slide(page: Page, slider: str, value: int) -> None:
    page.locator(slider).fill(str(value))


def test_a_feature_map_is_computed_from_patch_and_kernel_as_torch_computes_it(
    page: Page, trained: str, trained_root: Path
) -> None:
    net = cast(CNN, cast(ImageClassifier, load(trained_root / "models/mnist_cnn-0")).net)
    page.goto(f"{trained}/digits")
    page.click("#sample")
    page.get_by_label("Map 2 of layer 1", exact=True).check()
    expect(page.locator("#convolution-title")).to_have_text("How map 2 of layer 1 is computed")
    seen = page.locator("#seen").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)"
    )
    below = torch.tensor(seen).reshape(1, 1, 28, 28).float() / 255
    for layer, channel in ((0, 1), (1, 4)):
        page.get_by_label(f"Map {channel + 1} of layer {layer + 1}", exact=True).check()
        expect(page.locator("#convolution-title")).to_contain_text(f"map {channel + 1} of layer {layer + 1}")
        block: Any = net.features[layer]
        with torch.no_grad():
            sums_HW = F.conv2d(below, block[0].weight, None, block[0].stride, block[0].padding)[0, channel]
            below = block(below)
        width = sums_HW.shape[1]
        for place in (0, 3 * width + 2, sums_HW.numel() // 2, sums_HW.numel() - 1):
            slide(page, "#position", place)
            y, x = divmod(place, width)
            expect(page.locator("#place")).to_contain_text(f"row {y + 1}, column {x + 1} of")
            total, norm, output = page.locator("#arithmetic").inner_text().splitlines()
            assert numbers(total)[-1] == pytest.approx(sums_HW[y, x].item(), abs=1e-3)
            scale, summed, shift, before = numbers(norm)
            assert scale * summed + shift == pytest.approx(before, abs=1e-2)
            assert numbers(output)[-1] == pytest.approx(below[0, channel, y, x].item(), abs=1e-3)
            products = cells(page, "#products")
            np.testing.assert_allclose(cells(page, "#patch") * cells(page, "#kernel"), products, atol=0.02)
            assert products.sum() == pytest.approx(numbers(total)[0], abs=0.01 * len(products))
    page.select_option("#input-map", "7")
    weights_KK = block[0].weight[4, 7].detach()
    np.testing.assert_allclose(cells(page, "#kernel"), weights_KK.flatten(), atol=0.0051)


def test_the_kernel_moves_over_the_drawing_and_follows_the_pointer(page: Page, trained: str) -> None:
    page.goto(f"{trained}/digits")
    page.click("#sample")
    page.get_by_label("Map 1 of layer 1", exact=True).check()
    slide(page, "#position", 0)
    frame = page.locator("#conv-input + i")
    start = frame.bounding_box()
    page.click("#slide")
    until(page, "+document.querySelector('#position').value >= 3")
    page.click("#slide")
    stopped = page.locator("#position").input_value()
    moved = frame.bounding_box()
    page.wait_for_timeout(500)
    assert page.locator("#position").input_value() == stopped
    assert start
    assert moved
    assert moved["x"] > start["x"]
    box = page.locator("#conv-output").bounding_box()
    assert box
    page.mouse.move(box["x"] + 2.5 / 14 * box["width"], box["y"] + 5.5 / 14 * box["height"])
    expect(page.locator("#place")).to_have_text("row 6, column 3 of 14 × 14")
    page.locator('[name="map"]:checked').press("ArrowRight")  # the keyboard chooses the next map
    expect(page.locator("#convolution-title")).to_have_text("How map 2 of layer 1 is computed")
    page.click("#clear")
    expect(page.locator("#convolution")).to_be_hidden()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_memory_shows_torchs_states_and_how_the_prediction_moves(
    cell: str, page: Page, trained: str, trained_root: Path
) -> None:
    predictor = cast(TextClassifier, load(trained_root / f"models/imdb_{cell}-0"))
    net = cast(Recurrent, predictor.net)
    assert predictor.vocabulary
    ids_T = torch.tensor(predictor.vocabulary.encode(tokenize(TEXT)))
    with torch.no_grad():
        words_TE = net.embedding(ids_T)
        states_TH = net.states(words_TE[None], torch.ones(1, len(ids_T), dtype=torch.bool))[0]
    words = TEXT.split()
    scores = predictor.text_probabilities([" ".join(words[: count + 1]) for count in range(len(words))])[:, 1]
    page.goto(f"{trained}/reviews")
    page.locator("#text").fill(TEXT)
    expect(page.locator("article .words").first.locator("span")).to_have_count(len(words))
    page.click(f'[data-memory="imdb_{cell}"]')
    expect(page.locator("#memory-title")).to_have_text(f"Memory of the {cell.upper()}", ignore_case=True)
    expect(page.locator("#memory-words span")).to_have_text(words)
    letters = {"rnn": ["word", "state", "h"], "gru": list("rznh"), "lstm": list("figcoh")}[cell]
    maps = page.locator("#memory-maps canvas")
    assert maps.evaluate_all("all => all.map((c) => [c.dataset.letter, c.width, c.height])") == [
        [letter, len(words), UNITS] for letter in letters
    ]
    for direction, (word, unit) in ((0, (4, 2)), (0, (0, 7)), (1, (3, 5))):
        page.select_option("#memory-direction", str(direction))
        slide(page, "#memory-word", word)
        slide(page, "#memory-unit", unit)
        lines = page.locator("#memory-numbers").inner_text().splitlines()
        assert numbers(lines[-1])[-1] == pytest.approx(states_TH[word, UNITS * direction + unit].item(), abs=1e-3)
        if cell == "lstm":
            read_TE = words_TE[word:].flip(0) if direction else words_TE[: word + 1]
            with torch.no_grad():
                _, (_, cell_1H) = net.ways[direction](read_TE)
            assert numbers(lines[0])[-1] == pytest.approx(cell_1H[0, unit].item(), abs=1e-3)
        moves = numbers(page.locator("#memory-moves").inner_text())
        assert moves[0] == pytest.approx(100 * scores[word], abs=0.1)
        if word:
            assert moves[1] == pytest.approx(abs(100 * (scores[word] - scores[word - 1])), abs=0.1)


def test_the_memory_follows_the_text_and_the_pointer(page: Page, trained: str) -> None:
    page.goto(f"{trained}/reviews")
    page.locator("#text").fill("word1 great")
    page.click('[data-memory="imdb_gru"]')
    expect(page.locator("#memory-words span")).to_have_text(["word1", "great"])
    page.locator("#text").fill("word1 great bad bad")
    expect(page.locator("#memory-words span")).to_have_count(4)
    box = page.locator('[data-letter="h"]').bounding_box()
    assert box
    page.locator('[data-letter="h"]').hover(position={"x": 0.6 * box["width"], "y": 0.9 * box["height"]})
    expect(page.locator("#memory-word-name")).to_have_text("3 of 4: “bad”")
    expect(page.locator("#memory-unit-name")).to_have_text(f"{UNITS} of {UNITS}")
    page.locator("#text").fill("")
    expect(page.locator("#memory")).to_be_hidden()
    page.locator("#text").fill("great")
    expect(page.locator("#memory-words span")).to_have_text(["great"])
    expect(page.locator("#memory")).to_be_visible()
    page.click("#memory-close")
    expect(page.locator("#memory")).to_be_hidden()
    expect(page.locator('[data-memory="imdb_gru"]')).to_be_focused()
