"""The pages of trained models in a browser: every model predicts for what is drawn, typed or moved."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.slow


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
    expect(page.locator("#status")).to_have_text("Draw a digit: three networks classify it.")  # the models are loaded
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


@pytest.mark.parametrize("doubtful", [True, False])
def test_a_picture_that_may_be_no_digit_is_marked(doubtful: bool, page: Page, trained: str) -> None:
    def doubt(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json={**reply.json(), "doubtful": doubtful})

    page.route("**/digits/predict", doubt)
    page.goto(f"{trained}/digits")
    page.click("#sample")
    expect(page.locator(".answer")).to_have_count(3)
    expect(page.locator("#doubt")).to_be_visible(visible=doubtful)
    page.unroute("**/digits/predict")


def test_attributions_take_the_colours_of_a_changed_theme(page: Page, trained: str, trained_root: Path) -> None:
    for name in ("digits", "photos"):
        page.goto(f"{trained}/{name}")
        if name == "digits":
            page.click("#sample")
        else:
            page.set_input_files("#file", trained_root / "shapes/disc/3.png")
        expect(page.locator(".answer canvas").first).to_be_visible()
        pictures = []
        for scheme in ("dark", "light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(300)
            pictures.append(page.locator(".answer canvas").first.evaluate("c => c.toDataURL()"))
        assert pictures[0] == pictures[2] != pictures[1]
    page.emulate_media(color_scheme="light")


def test_a_dropped_picture_is_classified_and_an_error_goes_away_with_its_cause(
    page: Page, trained: str, trained_root: Path, tmp_path: Path
) -> None:
    page.goto(f"{trained}/photos")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    page.set_input_files("#file", tmp_path / "broken.png")
    expect(page.locator("#notice")).to_contain_text("Expected a PNG or JPEG")
    large = tmp_path / "large.png"
    Image.new("1", (6300, 6300)).save(large)
    for picture in (trained_root / "shapes/disc/3.png", large):
        page.set_input_files("#file", picture)
        expect(page.locator(".answer")).to_have_attribute("data-experiment", "shapes")
        expect(page.locator("#notice")).to_be_hidden()
        shares = page.locator(".meter i").evaluate_all("all => all.map((i) => +i.style.getPropertyValue('--share'))")
        assert sum(shares) == pytest.approx(1, abs=1e-4)


def test_the_transparent_part_of_a_large_picture_is_sent_white(page: Page, address: str, tmp_path: Path) -> None:
    sent: list[bytes] = []

    def receive(route: Route) -> None:
        sent.append(route.request.post_data_buffer or b"")
        route.fulfill(json={"models": []})

    page.route("**/photos/predict", receive)
    page.goto(f"{address}/photos")
    Image.new("RGBA", (2100, 2100)).save(tmp_path / "clear.png")
    with page.expect_response("**/photos/predict"):
        page.set_input_files("#file", tmp_path / "clear.png")
    page.unroute("**/photos/predict")
    picture = Image.open(io.BytesIO(sent[0]))
    assert (picture.size, picture.getextrema()) == ((1280, 1280), ((255, 255),) * 3)


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
    page.locator("#text").fill("great " * 130)
    expect(page.locator("#note")).to_contain_text(
        "The scores are of all 130 words. Colours and curves show the first 120"
    )
    expect(page.locator("article .words").first.locator("span")).to_have_count(120)


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
    page.locator("#text").fill(f"naïve don't {'x' * 45}")
    for note in ("“naïve” stays as it is", "the ending “'t” stays", "45 letters, the network reads at most"):
        expect(page.locator("#notes")).to_contain_text(note)


def test_an_untrained_model_is_shown_with_the_command_that_trains_it(page: Page, address: str) -> None:
    for name in ("digits", "reviews", "generator", "piglatin"):
        page.goto(f"{address}/{name}")
        if name == "digits":
            page.click("#sample")
        expect(page.locator(".missing pre").first).to_contain_text("pipeline train experiment=")
        expect(page.locator(".missing button").first).to_have_text("Train it now")
