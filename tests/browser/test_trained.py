"""The pages of trained models in a browser: every model predicts for what is drawn, typed or moved."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from pipeline.config import load_config, resolve
from pipeline.training import baselines
from pipeline.training.fit import fit
from tests import conftest
from tests.browser.accessibility import severe_violations
from tests.browser.conftest import serving

pytestmark = pytest.mark.slow
IMAGES = ["data.batch_size=16", "data.val_size=16", "trainer.max_epochs=20", "data.augment=null"]
SMALL = ["model.net.embedding=8", "model.net.hidden=8", "model.optimizer.lr=0.03", "data.embeddings.contexts=20"]
READS = [*conftest.TINY_TEXT, *SMALL, "trainer.max_epochs=8"]
EXPERIMENTS = {
    "perceptron_mnist": ["data.batch_size=16", "data.val_size=16", "trainer.max_epochs=5"],
    "mlp_mnist": IMAGES,
    "mnist_cnn": IMAGES,
    "mnist_gan": ["data.batch_size=16", "data.val_size=16", "trainer.max_epochs=2"],
    "imdb_tfidf": conftest.TINY_TEXT,
    **{f"imdb_{cell}": READS for cell in ("rnn", "gru", "lstm")},
    "piglatin_seq2seq": ["data.words=300", "data.val_size=20", "data.test_size=20", "trainer.max_epochs=1"],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a small model of each experiment, as `--record` would keep it."""
    root = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("PIPELINE_DATA_MIRROR", raising=False)
        conftest.write_mnist(root, patch)
        conftest.write_imdb(root, patch)
        for experiment, overrides in EXPERIMENTS.items():
            config = resolve(load_config(f"experiment={experiment}", *overrides, root=root))
            config["cluster"]["gpus_per_worker"] = 0
            run_dir = root / "aside" / experiment
            run_dir.mkdir(parents=True)
            kind: Any = baselines.fit if experiment == "imdb_tfidf" else fit
            kind(config, data_dir=root / "data", run_dir=run_dir)
            shutil.copytree(run_dir / "model", root / f"models/{experiment}-0")
        yield root


@pytest.fixture(scope="module")
def trained(root: Path) -> Iterator[str]:
    with serving(root) as address:
        yield address


def draw(page: Page, *places: tuple[int, int]) -> None:
    """A line through places of the 280 x 280 pad, with the mouse."""
    box = page.locator("#pad").bounding_box()
    assert box
    scale = box["width"] / 280
    for number, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * scale, box["y"] + y * scale, steps=8)
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def test_a_drawn_digit_is_classified_by_three_networks(page: Page, trained: str) -> None:
    page.goto(f"{trained}/digits")
    draw(page, (80, 70), (200, 70), (120, 230))
    for experiment in ("perceptron_mnist", "mlp_mnist", "mnist_cnn"):
        answer = page.locator(f'[data-experiment="{experiment}"]')
        expect(answer).to_contain_text(f"models/{experiment}-0 (recorded)")
        assert answer.get_attribute("data-label") in set("0123456789")
        shares = answer.locator(".meter i").evaluate_all("all => all.map((i) => +i.style.getPropertyValue('--share'))")
        if experiment == "perceptron_mnist":  # scores, from the smallest to the largest, and no percentage
            assert (min(shares), max(shares)) == (0, 1)
            expect(answer).to_contain_text("margin")
            expect(answer).not_to_contain_text("%")
        else:
            assert sum(shares) == pytest.approx(1, abs=1e-4)
        colours = answer.locator(".attribution").evaluate(
            "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
        )
        assert colours > 10  # not one blank square
    assert page.locator("#maps .maps").count() == 3
    assert page.locator("#maps canvas").count() > 30
    seen = page.locator("#seen").evaluate(
        """canvas => {
          const size = canvas.width, data = canvas.getContext("2d").getImageData(0, 0, size, size).data;
          let mass = 0, x = 0, y = 0;
          for (let at = 0; at < size * size; at++) { const v = data[4 * at]; mass += v; x += v * (at % size); y += v * Math.floor(at / size); }
          return [size, x / mass, y / mass];
        }"""  # noqa: E501
    )
    assert seen == [28, pytest.approx(14, abs=0.6), pytest.approx(14, abs=0.6)]  # MNIST's centre of mass
    page.click("#clear")
    expect(page.locator("#answers")).to_contain_text("Draw a digit: three networks classify it.")
    expect(page.locator("#maps-card")).to_be_hidden()
    page.focus("#pad")  # and with the keyboard
    for key in (" ", *["ArrowDown"] * 12):
        page.keyboard.press(key)
    expect(page.locator('[data-experiment="mnist_cnn"]')).to_be_visible()


def test_a_typed_review_is_read_word_by_word_by_four_models(page: Page, trained: str) -> None:
    page.goto(f"{trained}/reviews")
    scores = []
    for text in ("word1 great fine great", "word1 bad dull bad"):
        page.locator("#text").fill("")
        page.locator("#text").press_sequentially(text)
        expect(page.locator("article .words span")).to_have_count(4 * 4)
        expect(page.locator("article .words").first).to_have_text(text.replace(" ", " "))
        expect(page.locator("article").first.locator(".words span").nth(1)).to_have_text(text.split()[1])
        articles = page.locator("article[data-experiment]")
        scores.append(dict(articles.evaluate_all("all => all.map((a) => [a.dataset.experiment, +a.dataset.score])")))
    assert set(scores[0]) == {"imdb_tfidf", "imdb_rnn", "imdb_gru", "imdb_lstm"}
    assert all(scores[0][name] > 0.5 > scores[1][name] for name in scores[0])
    title = page.locator("article .words span").nth(1).get_attribute("title") or ""
    assert title.startswith("-")  # "bad" speaks against a positive review
    assert "log-odds" in title
    page.locator("#text").fill("")
    expect(page.locator("#note")).to_contain_text("no word to read yet")
    expect(page.locator("article[data-experiment]")).to_have_count(0)
    page.locator("#text").fill("qxzqxz zzyzzx")
    expect(page.locator("article[data-experiment]")).to_have_count(4)
    for article in page.locator("article[data-experiment]").all():
        expect(article).to_contain_text("none of these words is in the model’s vocabulary")


def test_every_control_of_the_generator_changes_its_pictures(page: Page, trained: str) -> None:
    page.goto(f"{trained}/generator")
    page.wait_for_selector("#interpolation[data-drawn]")
    pictures = [drawn(page)]
    assert page.locator("#interpolation canvas").count() == 9
    expect(page.locator("#source")).to_have_text("models/mnist_gan-0 (recorded)")
    slider = page.locator("#sliders input").first
    slider.focus()
    for act in ("End", "#new", '[aria-label="Digit 7"]'):
        before = page.locator("#interpolation").get_attribute("data-drawn")
        if act == "End":
            slider.press(act)
        else:
            page.click(act)
        expect(page.locator("#interpolation")).not_to_have_attribute("data-drawn", before or "")
        pictures.append(drawn(page))
    assert len(set(pictures)) == 4
    expect(page.locator('[aria-label="Digit 7"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#sliders input").first).to_have_value("0")


def drawn(page: Page) -> str:
    return "".join(
        page.locator("#classes canvas, #interpolation canvas").evaluate_all("all => all.map((c) => c.toDataURL())")
    )


def test_pig_latin_is_written_while_typing_with_its_attention(page: Page, trained: str) -> None:
    page.goto(f"{trained}/piglatin")
    page.locator("#text").fill("")
    page.locator("#text").press_sequentially("a string")
    table = page.locator('[data-word="string"] table')
    expect(table.locator("tr").first.locator("th")).to_have_text(["", *"string"])
    shares = table.locator("tr").nth(1).locator("td").evaluate_all("all => all.map((td) => parseInt(td.title))")
    assert sum(shares) == pytest.approx(100, abs=4)
    expect(page.locator("#verdict")).to_have_text("The rule’s translation: away ingstray")
    assert page.locator("#translation").inner_text() != "away ingstray"  # after one epoch it can't be right


def test_an_untrained_model_is_shown_with_the_command_that_trains_it(page: Page, address: str) -> None:
    for name in ("digits", "reviews", "generator", "piglatin"):
        page.goto(f"{address}/{name}")
        if name == "digits":
            page.click("#sample")
        expect(page.locator(".missing pre").first).to_contain_text("pipeline train experiment=")
        expect(page.locator(".missing button").first).to_have_text("Train it now")


PAGES = ["playground", "digits", "photos", "reviews", "generator", "piglatin", "live"]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page_with_and_without_models(
    scheme: str, width: int, browser: Any, trained: str, address: str
) -> None:
    from tests.browser.conftest import opened

    with opened(browser, color_scheme=scheme) as page:
        page.set_viewport_size({"width": width, "height": 844})
        found = {}
        for where in (trained, address):
            for name in PAGES:
                page.goto(f"{where}/{name}")
                if name == "digits":
                    page.click("#sample")
                    page.wait_for_selector(".answer, .missing")
                page.wait_for_timeout(1500)
                found[f"{where}/{name}"] = severe_violations(page)
        assert not {where: violations for where, violations in found.items() if violations}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_down_only_and_tab_reaches_everything_visibly(
    name: str, scheme: str, browser: Any, trained: str
) -> None:
    from tests.browser.conftest import opened

    with opened(browser, color_scheme=scheme) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"{trained}/{name}")
        page.wait_for_timeout(3000)
        if name == "playground":
            page.evaluate("document.querySelector('#more').open = true")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        reached: list[str] = []
        wanted = page.evaluate(
            """[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
               .filter((e) => !e.disabled && e.checkVisibility() && e.type !== "file").length"""
        )
        for _ in range(wanted):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                """(() => { const e = document.activeElement, s = getComputedStyle(e);
                    window.reached ??= new Set(); window.reached.add(e);
                    const visible = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1;
                    return [e.outerHTML.slice(0, 80), visible || e.type === "file"]; })()"""
            )
            reached.append(focused[0])
            assert focused[1], f"{focused[0]} shows no focus"
        assert page.evaluate("window.reached.size") >= wanted, reached
